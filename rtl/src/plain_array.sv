// A plain systolic array: ROWS x COLUMNS elements of 8 x 8 bits,
// output-stationary. All operands of a step enter together, in the cycle in which
// `valid` is high; registers at the edges delay row r by r cycles and column c by
// c. Tiles follow one another without a gap and have more than ROWS steps, since
// the sums of the tile before drain meanwhile.
module plain_array
  import vssa_pkg::*;
#(
    parameter int unsigned ROWS = 8,
    parameter int unsigned COLUMNS = 8
) (
    input logic clk,
    input logic rst_n,

    input logic valid,
    input logic last,
    input logic unsign,
    input logic [ROWS-1:0][7:0] row_code,
    input logic [COLUMNS-1:0][7:0] column_code,

    output logic [COLUMNS-1:0] sum_valid,
    output logic signed [COLUMNS-1:0][SumBits-1:0] sum
);
  logic row_valid[ROWS][COLUMNS+1];
  plain_row_t row[ROWS][COLUMNS+1];
  logic signed [7:0] column[ROWS+1][COLUMNS];
  logic done[ROWS+1][COLUMNS], shifts[ROWS+1][COLUMNS];
  logic signed [SumBits-1:0] shadow[ROWS+1][COLUMNS];

  for (genvar r = 0; r < ROWS; r++) begin : gen_row
    delay #(.CYCLES(r), .item_t(plain_row_t)) enters (
        .clk, .rst_n,
        .in('{last: last, unsign: unsign, code: row_code[r]}),
        .out(row[r][0])
    );
    delay #(.CYCLES(r), .item_t(logic)) begins (
        .clk, .rst_n, .in(valid), .out(row_valid[r][0])
    );
    for (genvar c = 0; c < COLUMNS; c++) begin : gen_column
      plain_element element (
          .clk, .rst_n,
          .left_valid(row_valid[r][c]), .left(row[r][c]),
          .right_valid(row_valid[r][c+1]), .right(row[r][c+1]),
          .above(column[r][c]), .below(column[r+1][c]),
          .above_done(done[r][c]), .below_done(done[r+1][c]),
          .drain(done[ROWS][c]),
          .above_shifts(shifts[r][c]), .above_sum(shadow[r][c]),
          .below_shifts(shifts[r+1][c]), .below_sum(shadow[r+1][c])
      );
    end
  end

  for (genvar c = 0; c < COLUMNS; c++) begin : gen_edge
    delay #(.CYCLES(c)) enters (.clk, .rst_n, .in(column_code[c]), .out(column[0][c]));
    assign done[0][c] = 1'b1;
    assign shifts[0][c] = 1'b0;
    assign shadow[0][c] = '0;
    assign sum_valid[c] = shifts[ROWS][c];
    assign sum[c] = shadow[ROWS][c];
  end
endmodule
