// One nibble of an operand, widened to the five bits that the multiplier takes:
// the low nibble of a wide code has no sign.
module nibble
  import vssa_pkg::*;
(
    input operand_t operand,
    input logic unsign,
    input logic high,
    output logic signed [4:0] value
);
  logic [3:0] bits;
  logic signs;

  assign bits  = high ? operand.code[7:4] : operand.code[3:0];
  assign signs = !unsign && (high || !operand.wide);
  assign value = {signs && bits[3], bits};
endmodule
