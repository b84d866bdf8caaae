// The datapath of an Eyeriss element (Chen et al., JSSC 52(1), 2017, section V-B): a
// 16-bit multiplier of two stages, and an adder behind it. Of the 32 bits of a product
// 16 are selected, `shift` says which. An input of zero multiplies nothing: the
// multiplier's registers keep what they hold, and the partial sum stays as it is.
//
// The partial sum comes with its product, one cycle behind the operands, and the new
// one is out in the cycle after.
module eyeriss_mac (
    input logic clk,
    input logic rst_n,

    input logic valid,
    input logic signed [15:0] ifmap,
    input logic signed [15:0] filter,
    input logic [3:0] shift,

    input logic signed [15:0] psum_in,
    output logic psum_valid,
    output logic signed [15:0] psum_out
);
  // The first stage keeps the product of the operand with each half of the other.
  logic signed [23:0] low, high;
  logic here;
  logic signed [31:0] product;
  logic signed [15:0] selected;

  assign product = 32'(low) + (32'(high) <<< 8);
  assign selected = 16'(product >>> shift);

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      here <= 1'b0;
      psum_valid <= 1'b0;
    end else begin
      here <= valid && ifmap != '0;
      psum_valid <= here;
    end
  end

  always_ff @(posedge clk) begin
    if (valid && ifmap != '0) begin
      low <= 24'(ifmap * $signed({1'b0, filter[7:0]}));
      high <= 24'(ifmap * $signed(filter[15:8]));
    end
    if (here) psum_out <= psum_in + selected;
  end
endmodule
