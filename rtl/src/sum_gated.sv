// Products summed in two stages, so that little switches: the steps of a product
// meet in a narrow register, and the wide sum takes whole products only, one
// cycle later. The multiplier's inputs are zero while operands are missing, and
// only what a product of several steps still needs is latched. Whether a product
// begins is known late in a cycle: the multiplier works on what could begin, and
// the registers decide.
//
// `there` says that both operands are there, `take` begins the product of `a` and `b`; `left` counts the steps that are
// left of one that began earlier; `add` adds the product that ended the cycle
// before, to nothing where it is the first of its tile (`fresh`). High nibbles
// come first.
module sum_gated
  import vssa_pkg::*;
(
    input logic clk,
    input logic there,
    input logic take,
    input logic [1:0] left,
    input operand_t a,
    input logic a_unsign,
    input operand_t b,
    input logic add,
    input logic fresh,
    output logic signed [SumBits-1:0] sum
);
  // 255 x -128 is the largest product.
  localparam int unsigned ProductBits = 16;

  logic idle, works;
  operand_t held_a, held_b, now_a, now_b;
  logic held_unsign, now_unsign;
  logic high_a, high_b;
  logic signed [4:0] nibble_a, nibble_b;
  logic signed [9:0] product;
  logic signed [ProductBits-1:0] part, base;

  assign idle = left == 2'd0;
  assign works = !idle || there;
  assign now_a = idle ? a : held_a;
  assign now_b = idle ? b : held_b;
  assign now_unsign = idle ? a_unsign : held_unsign;
  assign high_a = idle ? a.wide : left == 2'd3;
  assign high_b = idle ? b.wide : left == 2'd2;

  nibble select_a (.operand(now_a), .unsign(now_unsign), .high(high_a), .value(nibble_a));
  nibble select_b (.operand(now_b), .unsign(1'b0), .high(high_b), .value(nibble_b));
  multiplier multiply (
      .a(works ? nibble_a : 5'd0),
      .b(works ? nibble_b : 5'd0),
      .product(product)
  );

  // The highest nibbles weigh 256, the next two pairs 16, the lowest 1.
  always_comb begin
    if (idle) base = '0;
    else if (left == 2'd2) base = part;
    else base = part <<< 4;
  end

  always_ff @(posedge clk) begin
    if (take && (a.wide || b.wide)) begin
      held_unsign <= a_unsign;
      held_a.wide <= a.wide;
      held_a.code[3:0] <= a.code[3:0];
      held_b.wide <= b.wide;
      held_b.code[3:0] <= b.code[3:0];
    end
    if (take && a.wide && b.wide) begin
      held_a.code[7:4] <= a.code[7:4];
      held_b.code[7:4] <= b.code[7:4];
    end
    if (take || !idle) part <= base + ProductBits'(product);
    if (add) sum <= (fresh ? '0 : sum) + SumBits'(part);
  end
endmodule
