// A processing element of a plain array of 4-bit operands: one product of 4 x 4 bits a
// cycle, and all else as in plain_element, the width of the sum included.
module plain_element_4b
  import vssa_pkg::*;
(
    input logic clk,
    input logic rst_n,

    // An operand of the row: whether it is the tile's last, has no sign, and its code.
    input logic left_valid,
    input logic [5:0] left,
    output logic right_valid,
    output logic [5:0] right,
    input logic signed [3:0] above,
    output logic signed [3:0] below,

    input logic above_done,
    output logic below_done,
    input logic drain,
    input logic above_shifts,
    input logic signed [SumBits-1:0] above_sum,
    output logic below_shifts,
    output logic signed [SumBits-1:0] below_sum
);
  logic last, unsign;
  logic [3:0] code;
  logic fresh, whole;
  logic signed [SumBits-1:0] sum;
  logic signed [8:0] product;
  // A tile is long enough that the shadow is empty by its end.
  logic full, frees;
  logic unused;

  assign unused = &{1'b0, full, frees};
  assign {last, unsign, code} = left;
  multiplier #(.A_BITS(5), .B_BITS(4)) multiply (
      .a({!unsign && code[3], code}), .b(above), .product
  );

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      right_valid <= 1'b0;
      fresh <= 1'b1;
      whole <= 1'b0;
    end else begin
      right_valid <= left_valid;
      if (left_valid) fresh <= last;
      whole <= left_valid && last;
    end
  end

  always_ff @(posedge clk) begin
    if (left_valid) begin
      right <= left;
      below <= above;
    end
  end

  accumulator #(.LOW(12), .SHORT(12)) accumulate (
      .clk, .add(left_valid), .fresh, .short(1'b1), .summand(12'(product)), .sum
  );

  shadow drains (
      .clk, .rst_n,
      .moves(whole), .sum, .full, .frees,
      .above_done, .below_done,
      .drain, .above_shifts, .above_sum, .below_shifts, .below_sum
  );
endmodule
