// A processing element of the variable-speed array: one multiplier for operands
// of 4 bits, which takes 1 cycle for 4 x 4 bits, 2 for 4 x 8 and 4 for 8 x 8.
//
// In one cycle it takes an operand from the left and one from above, hands both
// on, to the right and downwards, and begins their product. It does so when both
// are there, its multiplier is free, both neighbours have room and, where a tile
// begins, the sum of the tile before has moved to the shadow or is about to.
//
// Sums leave by the shadows of the column: a token runs down the column as rows
// are done; when it arrives at the bottom all shadows shift down together, and
// the bottom one leaves first.
module vssa_element
  import vssa_pkg::*;
#(
    parameter int unsigned DEPTH = 2,
    parameter bit REGISTERED = 1,
    parameter bit NAIVE = 0
) (
    input logic clk,
    input logic rst_n,

    // Operands of the row, from the left and to the right.
    input logic left_push,
    input row_operand_t left,
    output logic left_room,
    output logic right_push,
    output row_operand_t right,
    input logic right_room,

    // Operands of the column, from above and downwards.
    input logic above_push,
    input operand_t above,
    output logic above_room,
    output logic below_push,
    output operand_t below,
    input logic below_room,

    // The token that says that all rows above are done, in and, when this row is
    // done too, out.
    input logic above_done,
    output logic below_done,

    // The cycle in which the column begins to shift; what comes from the shadow
    // above and goes to the one below.
    input logic drain,
    input logic above_shifts,
    input logic signed [SumBits-1:0] above_sum,
    output logic below_shifts,
    output logic signed [SumBits-1:0] below_sum
);
  row_operand_t a;
  operand_t b;
  logic any_a, any_b, take;

  hop #(.DEPTH(DEPTH), .REGISTERED(REGISTERED), .item_t(row_operand_t)) row_hop (
      .clk, .rst_n,
      .push(left_push), .in(left), .room(left_room),
      .pop(take), .any(any_a), .head(a)
  );
  hop #(.DEPTH(DEPTH), .REGISTERED(REGISTERED), .item_t(operand_t)) column_hop (
      .clk, .rst_n,
      .push(above_push), .in(above), .room(above_room),
      .pop(take), .any(any_b), .head(b)
  );

  assign right_push = take;
  assign right = a;
  assign below_push = take;
  assign below = b;

  // The step that is added in this cycle: of which nibbles, the high ones first, and
  // whether it is its tile's first; `next_` is what the registers take. A product ends
  // with its low nibbles, and only then may the next begin.
  logic high_a, high_b, next_high_a, next_high_b;
  logic add, next_add, fresh, next_fresh;
  logic wide_b, ends;

  // What is taken next begins a tile; a tile's last step is added, its whole sum waits
  // for the shadow, and moves there.
  logic first, lands, whole, moves;
  logic signed [SumBits-1:0] sum;
  logic full, frees;
  // The sum of the tile before is in the way of a tile that begins.
  logic blocked;

  assign ends = !high_a && !high_b;
  assign next_high_a = take ? a.operand.wide : high_a && high_b;
  assign next_high_b = take ? b.wide : high_a && !high_b && wide_b;
  assign next_add = take || !ends;
  assign next_fresh = take && first;
  assign moves = whole && !full;
  assign take = any_a && any_b && ends && right_room && below_room && !(first && blocked);

  if (NAIVE) begin : gen_naive
    sum_naive summing (
        .clk, .take, .a(a.operand), .a_unsign(a.unsign), .b,
        .add(next_add), .fresh(next_fresh), .high_a(next_high_a), .high_b(next_high_b), .sum
    );
    assign lands = next_add && (take ? a.last : first) && !next_high_a && !next_high_b;
    assign blocked = whole && full;
    logic unused;
    assign unused = &{1'b0, add, fresh, frees};
  end else begin : gen_pipelined
    sum_pipelined summing (
        .clk, .take, .a(a.operand), .a_unsign(a.unsign), .b, .add, .fresh, .high_a, .high_b, .sum
    );
    assign lands = add && first && ends;
    // What is taken now reaches the sum a cycle later: until then the shadow has to
    // be free, and not for a tile before that one.
    assign blocked = (add || whole) && ((add && whole) || !frees);
  end

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      high_a <= 1'b0;
      high_b <= 1'b0;
      add <= 1'b0;
      first <= 1'b1;
      whole <= 1'b0;
    end else begin
      high_a <= next_high_a;
      high_b <= next_high_b;
      add <= next_add;
      if (take) first <= a.last;
      if (lands) whole <= 1'b1;
      else if (moves) whole <= 1'b0;
    end
  end

  always_ff @(posedge clk) begin
    fresh <= next_fresh;
    if (take) wide_b <= b.wide;
  end

  shadow drains (
      .clk, .rst_n,
      .moves, .sum, .full, .frees,
      .above_done, .below_done,
      .drain, .above_shifts, .above_sum, .below_shifts, .below_sum
  );
endmodule
