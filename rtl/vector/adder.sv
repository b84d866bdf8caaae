// An addition of the vector unit, its result in a register.
module adder #(
    parameter int unsigned BITS = 16
) (
    input logic clk,

    input logic valid,
    input logic [BITS-1:0] a,
    input logic [BITS-1:0] b,
    output logic [BITS-1:0] result
);
  always_ff @(posedge clk) if (valid) result <= a + b;
endmodule
