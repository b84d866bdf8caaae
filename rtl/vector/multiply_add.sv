// A lane of the vector unit: a product of 16 x 16 bits and an addition of 32 bits a
// cycle, its result in a register.
module multiply_add (
    input logic clk,

    input logic valid,
    input logic signed [15:0] a,
    input logic signed [15:0] b,
    input logic signed [31:0] c,
    output logic signed [31:0] result
);
  always_ff @(posedge clk) if (valid) result <= a * b + c;
endmodule
