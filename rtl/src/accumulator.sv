// A tile's sum, in parts of which only those are clocked that change.
//
// The low LOW bits are added to. What is above goes up or down by one at most, so
// neither an adder as wide as the sum nor its whole clock is needed: it changes where
// the carry and the summand's sign differ. Of the low bits those from SHORT on change,
// when a short summand is added, only where the lowest of them does.
module accumulator
  import vssa_pkg::*;
#(
    parameter int unsigned LOW = 18,
    parameter int unsigned SHORT = 12
) (
    input logic clk,
    input logic add,
    input logic fresh,  // to nothing
    input logic short,  // the summand has SHORT bits at most, its sign among them
    input logic signed [LOW-1:0] summand,
    output logic signed [SumBits-1:0] sum
);
  localparam int unsigned High = SumBits - LOW;

  logic negative, carry;
  logic [LOW-1:0] low;
  logic [High-1:0] high;

  assign negative = summand[LOW-1];
  assign {carry, low} = (LOW + 1)'(fresh ? '0 : sum[LOW-1:0]) + (LOW + 1)'($unsigned(summand));
  assign high = sum[SumBits-1:LOW];

  always_ff @(posedge clk) begin
    if (add) sum[SHORT-1:0] <= low[SHORT-1:0];
    if (add && (fresh || carry != negative)) begin
      if (fresh) sum[SumBits-1:LOW] <= {High{negative}};
      else sum[SumBits-1:LOW] <= negative ? high - High'(1) : high + High'(1);
    end
  end
  if (SHORT < LOW) begin : gen_middle
    always_ff @(posedge clk) begin
      if (add && (fresh || !short || low[SHORT] != sum[SHORT])) sum[LOW-1:SHORT] <= low[LOW-1:SHORT];
    end
  end else begin : gen_no_middle
    logic unused;
    assign unused = &{1'b0, short};
  end
endmodule
