// Products summed the plain way: every nibble step adds to the wide sum in the cycle
// in which it is multiplied, and the operands of a product of several steps are latched
// whole.
//
// `take` begins the product of `a` and `b`. `add` adds the step of the nibbles that
// `high_a` and `high_b` name, of these operands or, when nothing is taken, of those
// taken last, to nothing where it is the first of its tile (`fresh`).
module sum_naive
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
  operand_t held_a, held_b, now_a, now_b;
  logic held_unsign, now_unsign;
  logic signed [4:0] nibble_a, nibble_b;
  logic signed [9:0] product;
  logic signed [SumBits-1:0] summand;

  assign now_a = take ? a : held_a;
  assign now_b = take ? b : held_b;
  assign now_unsign = take ? a_unsign : held_unsign;

  nibble select_a (.operand(now_a), .unsign(now_unsign), .high(high_a), .value(nibble_a));
  nibble select_b (.operand(now_b), .unsign(1'b0), .high(high_b), .value(nibble_b));
  multiplier multiply (.a(nibble_a), .b(nibble_b), .product);

  always_comb begin
    summand = SumBits'(product);
    if (high_a && high_b) summand = SumBits'(product) <<< 8;
    else if (high_a || high_b) summand = SumBits'(product) <<< 4;
  end

  always_ff @(posedge clk) begin
    if (take) begin
      held_a <= a;
      held_b <= b;
      held_unsign <= a_unsign;
    end
    if (add) sum <= (fresh ? '0 : sum) + summand;
  end
endmodule
