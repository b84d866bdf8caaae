// The shadow of an element's sum, and its place in the column that drains.
//
// A row's sum may move here when the shadow is empty. The done token leaves one
// cycle after both this row's sum has moved and the token of the rows above has
// come. In the cycle `drain` all shadows shift down; from then on one more row,
// from the top, is empty each cycle and stands still, so that a new sum may move
// in while the rows below still shift.
module shadow
  import vssa_pkg::*;
(
    input logic clk,
    input logic rst_n,

    input logic moves,
    input logic signed [SumBits-1:0] sum,
    output logic full,
    output logic frees,  // it is empty in the next cycle, but for what moves in

    input logic above_done,
    output logic below_done,

    input logic drain,
    input logic above_shifts,
    input logic signed [SumBits-1:0] above_sum,
    output logic below_shifts,
    output logic signed [SumBits-1:0] below_sum
);
  logic shifts, flows;  // this row shifts now; it still does behind `drain`
  logic empties;        // the sum has left after this cycle and none has come
  logic token;          // the rows above are done with the tile that comes or is here

  // Only full rows shift: the token has come by all of them.
  assign shifts = drain || flows;
  assign below_shifts = shifts;
  assign empties = shifts && !above_shifts;
  assign frees = !full || empties;

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      full <= 1'b0;
      flows <= 1'b0;
      token <= 1'b0;
      below_done <= 1'b0;
    end else begin
      flows <= above_shifts;
      full <= shifts ? above_shifts : full || moves;
      token <= !empties && (token || above_done);
      below_done <= (full || moves) && (token || above_done) && !(full && token);
    end
  end

  always_ff @(posedge clk) begin
    if (full ? shifts && above_shifts : moves) below_sum <= full ? above_sum : sum;
  end
endmodule
