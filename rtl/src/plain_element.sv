// A processing element of a plain array: one product of 8 x 8 bits a cycle. It
// has no say in when operands come: each cycle both go on to the neighbours, and
// where the row's is valid they are multiplied.
module plain_element
  import vssa_pkg::*;
(
    input logic clk,
    input logic rst_n,

    input logic left_valid,
    input plain_row_t left,
    output logic right_valid,
    output plain_row_t right,
    input logic signed [7:0] above,
    output logic signed [7:0] below,

    input logic above_done,
    output logic below_done,
    input logic drain,
    input logic above_shifts,
    input logic signed [SumBits-1:0] above_sum,
    output logic below_shifts,
    output logic signed [SumBits-1:0] below_sum
);
  logic fresh, whole;
  logic signed [SumBits-1:0] sum;
  logic signed [16:0] product;
  // A tile is long enough that the shadow is empty by its end.
  logic full, frees;
  logic unused;

  assign unused = &{1'b0, full, frees};
  assign product = 17'($signed({!left.unsign && left.code[7], left.code}) * above);

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      right_valid <= 1'b0;
      fresh <= 1'b1;
      whole <= 1'b0;
    end else begin
      right_valid <= left_valid;
      if (left_valid) fresh <= left.last;
      whole <= left_valid && left.last;
    end
  end

  always_ff @(posedge clk) begin
    if (left_valid) begin
      right <= left;
      below <= above;
    end
  end

  accumulator #(.LOW(18), .SHORT(18)) accumulate (
      .clk, .add(left_valid), .fresh, .short(1'b1), .summand(18'(product)), .sum
  );

  shadow drains (
      .clk, .rst_n,
      .moves(whole), .sum, .full, .frees,
      .above_done, .below_done,
      .drain, .above_shifts, .above_sum, .below_shifts, .below_sum
  );
endmodule
