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

  // Steps left of the product that began earlier, and whether this cycle's step
  // is a product's last.
  logic [1:0] left_steps, more_steps;
  logic ends;

  assign more_steps = {a.operand.wide && b.wide, a.operand.wide || b.wide};
  assign ends = take ? more_steps == 2'd0 : left_steps == 2'd1;

  // The sum of the products of a tile, its last product on the way to it, and
  // the whole sum waiting for the shadow.
  logic first, last, lands, whole, moves, moves_next;
  // The tile whose last step was taken most recently has not moved yet; what
  // moves now is a tile before it.
  logic owes, older;
  logic signed [SumBits-1:0] sum;
  logic full, stays_free;

  assign take = any_a && any_b && left_steps == 2'd0 && right_room && below_room
      && (!first || !owes || (moves && !older) || moves_next);

  if (NAIVE) begin : gen_naive
    sum_naive summing (
        .clk, .take, .fresh(first), .left(left_steps), .a(a.operand), .a_unsign(a.unsign), .b, .sum
    );
    assign lands = ends && (take ? a.last : last);
  end else begin : gen_gated
    logic add, fresh;
    sum_gated summing (
        .clk, .there(any_a && any_b), .take, .left(left_steps), .a(a.operand), .a_unsign(a.unsign), .b,
        .add, .fresh, .sum
    );
    assign lands = add && last;
    always_ff @(posedge clk or negedge rst_n) begin
      if (!rst_n) add <= 1'b0;
      else add <= ends;
    end
    always_ff @(posedge clk) if (take) fresh <= first;
  end

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      left_steps <= 2'd0;
      first <= 1'b1;
      last <= 1'b0;
      owes <= 1'b0;
      older <= 1'b0;
      whole <= 1'b0;
    end else begin
      if (take) begin
        left_steps <= more_steps;
        first <= a.last;
        last <= a.last;
      end else if (left_steps != 2'd0) left_steps <= left_steps - 2'd1;
      if (take && a.last) owes <= 1'b1;
      else if (moves && !older) owes <= 1'b0;
      older <= take && first && owes && !moves;
      if (lands) whole <= 1'b1;
      else if (moves) whole <= 1'b0;
    end
  end

  assign moves = whole && !full;
  // With the second stage what is taken now reaches the sum a cycle later.
  assign moves_next = !NAIVE && (lands || whole) && stays_free;

  shadow drains (
      .clk, .rst_n,
      .moves, .sum, .full, .stays_free,
      .above_done, .below_done,
      .drain, .above_shifts, .above_sum, .below_shifts, .below_sum
  );
endmodule
