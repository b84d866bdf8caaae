// Products summed the plain way: every nibble step adds to the wide sum, the
// operands of a product of several steps are latched whole, and nothing keeps
// the multiplier still while it waits.
//
// `take` begins the product of `a` and `b`, `fresh` a new sum with it; `left`
// counts the steps that are left of a product that began earlier. High nibbles
// come first.
module sum_naive
  import vssa_pkg::*;
(
    input logic clk,
    input logic take,
    input logic fresh,
    input logic [1:0] left,
    input operand_t a,
    input logic a_unsign,
    input operand_t b,
    output logic signed [SumBits-1:0] sum
);
  operand_t held_a, held_b, now_a, now_b;
  logic idle, held_unsign, now_unsign;
  logic high_a, high_b;
  logic signed [4:0] nibble_a, nibble_b;
  logic signed [9:0] product;
  logic signed [SumBits-1:0] summand;

  assign idle = left == 2'd0;
  assign now_a = idle ? a : held_a;
  assign now_b = idle ? b : held_b;
  assign now_unsign = idle ? a_unsign : held_unsign;
  assign high_a = idle ? a.wide : left == 2'd3;
  assign high_b = idle ? b.wide : left == 2'd2;

  nibble select_a (.operand(now_a), .unsign(now_unsign), .high(high_a), .value(nibble_a));
  nibble select_b (.operand(now_b), .unsign(1'b0), .high(high_b), .value(nibble_b));
  multiplier multiply (.a(nibble_a), .b(nibble_b), .product(product));

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
    if (take || !idle) sum <= ((idle && fresh) ? '0 : sum) + summand;
  end
endmodule
