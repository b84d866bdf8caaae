// The one multiplier of an element: 5 x 5 bits with sign, so that it takes
// nibbles with and without a sign.
module multiplier (
    input logic signed [4:0] a,
    input logic signed [4:0] b,
    output logic signed [9:0] product
);
  assign product = a * b;
endmodule
