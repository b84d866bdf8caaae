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
    output logic stays_free,

    input logic above_done,
    output logic below_done,

    input logic drain,
    input logic above_shifts,
    input logic signed [SumBits-1:0] above_sum,
    output logic below_shifts,
    output logic signed [SumBits-1:0] below_sum
);
  logic shifts, flows;          // this row shifts now; it still does behind `drain`
  logic own_waits, token_waits; // of the two that the token needs, one is here

  assign shifts = drain || flows;
  assign below_shifts = shifts;
  assign stays_free = shifts ? !above_shifts : (!full && !moves);

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      full <= 1'b0;
      flows <= 1'b0;
      own_waits <= 1'b0;
      token_waits <= 1'b0;
      below_done <= 1'b0;
    end else begin
      flows <= above_shifts;
      if (shifts) full <= above_shifts;
      else if (moves) full <= 1'b1;
      below_done <= (moves || own_waits) && (above_done || token_waits);
      own_waits <= (moves || own_waits) && !(above_done || token_waits);
      token_waits <= (above_done || token_waits) && !(moves || own_waits);
    end
  end

  always_ff @(posedge clk) begin
    if (shifts ? above_shifts : moves) below_sum <= shifts ? above_sum : sum;
  end
endmodule
