// Products summed in two stages: registers take the operands, and from these every
// nibble step multiplies and adds one cycle later. The multiplier's inputs change with
// the steps only, high nibbles are clocked for operands of 8 bits only, and whether a
// product begins, which is known late in a cycle, is behind no multiplier.
//
// `take` begins the product of `a` and `b`. `add` adds the step of the nibbles that
// `high_a` and `high_b` name, of the operands taken last, to nothing where it is the
// first of its tile (`fresh`).
module sum_pipelined
  import vssa_pkg::*;
(
    input logic clk,
    input logic take,
    input operand_t a,
    input logic a_unsign,
    input operand_t b,
    input logic add,
    input logic fresh,
    input logic high_a,
    input logic high_b,
    output logic signed [SumBits-1:0] sum
);
  operand_t held_a, held_b;
  logic held_unsign;
  logic signed [4:0] nibble_a, nibble_b;
  logic signed [9:0] product;
  logic signed [17:0] summand;

  always_ff @(posedge clk) begin
    if (take) begin
      held_unsign <= a_unsign;
      held_a.wide <= a.wide;
      held_a.code[3:0] <= a.code[3:0];
      held_b.wide <= b.wide;
      held_b.code[3:0] <= b.code[3:0];
    end
    if (take && a.wide) held_a.code[7:4] <= a.code[7:4];
    if (take && b.wide) held_b.code[7:4] <= b.code[7:4];
  end

  nibble select_a (.operand(held_a), .unsign(held_unsign), .high(high_a), .value(nibble_a));
  nibble select_b (.operand(held_b), .unsign(1'b0), .high(high_b), .value(nibble_b));
  multiplier multiply (.a(nibble_a), .b(nibble_b), .product);

  always_comb begin
    summand = 18'(product);
    if (high_a && high_b) summand = 18'(product) <<< 8;
    else if (high_a || high_b) summand = 18'(product) <<< 4;
  end

  accumulator #(.LOW(18), .SHORT(12)) accumulate (
      .clk, .add, .fresh, .short(!high_a && !high_b), .summand, .sum
  );
endmodule
