// The variable-speed systolic array: ROWS x COLUMNS elements, output-stationary.
//
// Rows take their operands from the left edge, columns theirs from the top, each
// by its own handshake: an operand enters in a cycle in which both `valid` and
// `ready` are high. So the skew of a systolic array comes about by itself: no
// edge has to wait for another. Tiles follow one another without a gap; `last`
// of the rows' operands says where one ends. A tile that is smaller than the
// array is padded with zeros of 4 bits.
//
// The sums of a tile leave each column from the bottom row up, in ROWS
// consecutive cycles; the column has no way to wait.
module vssa_array
  import vssa_pkg::*;
#(
    parameter int unsigned ROWS = 8,
    parameter int unsigned COLUMNS = 8,
    parameter int unsigned DEPTH = 2,
    parameter bit REGISTERED = 1,
    parameter bit NAIVE = 0
) (
    input logic clk,
    input logic rst_n,

    input logic [ROWS-1:0] row_valid,
    input row_operand_t [ROWS-1:0] row_operand,
    output logic [ROWS-1:0] row_ready,

    input logic [COLUMNS-1:0] column_valid,
    input operand_t [COLUMNS-1:0] column_operand,
    output logic [COLUMNS-1:0] column_ready,

    output logic [COLUMNS-1:0] sum_valid,
    output logic signed [COLUMNS-1:0][SumBits-1:0] sum
);
  // Between element (r, c - 1) and (r, c), and between (r - 1, c) and (r, c).
  logic row_push[ROWS][COLUMNS+1], row_room[ROWS][COLUMNS+1];
  row_operand_t row[ROWS][COLUMNS+1];
  logic column_push[ROWS+1][COLUMNS], column_room[ROWS+1][COLUMNS];
  operand_t column[ROWS+1][COLUMNS];
  logic done[ROWS+1][COLUMNS], shifts[ROWS+1][COLUMNS];
  logic signed [SumBits-1:0] shadow[ROWS+1][COLUMNS];

  for (genvar r = 0; r < ROWS; r++) begin : gen_row
    assign row_push[r][0] = row_valid[r] && row_room[r][0];
    assign row[r][0] = row_operand[r];
    assign row_ready[r] = row_room[r][0];
    assign row_room[r][COLUMNS] = 1'b1;

    for (genvar c = 0; c < COLUMNS; c++) begin : gen_column
      vssa_element #(.DEPTH(DEPTH), .REGISTERED(REGISTERED), .NAIVE(NAIVE)) element (
          .clk, .rst_n,
          .left_push(row_push[r][c]), .left(row[r][c]), .left_room(row_room[r][c]),
          .right_push(row_push[r][c+1]), .right(row[r][c+1]), .right_room(row_room[r][c+1]),
          .above_push(column_push[r][c]), .above(column[r][c]), .above_room(column_room[r][c]),
          .below_push(column_push[r+1][c]), .below(column[r+1][c]),
          .below_room(column_room[r+1][c]),
          .above_done(done[r][c]), .below_done(done[r+1][c]),
          .drain(done[ROWS][c]),
          .above_shifts(shifts[r][c]), .above_sum(shadow[r][c]),
          .below_shifts(shifts[r+1][c]), .below_sum(shadow[r+1][c])
      );
    end
  end

  for (genvar c = 0; c < COLUMNS; c++) begin : gen_edge
    assign column_push[0][c] = column_valid[c] && column_room[0][c];
    assign column[0][c] = column_operand[c];
    assign column_ready[c] = column_room[0][c];
    assign column_room[ROWS][c] = 1'b1;
    // Above the top row there is nothing to wait for and nothing to shift.
    assign done[0][c] = 1'b1;
    assign shifts[0][c] = 1'b0;
    assign shadow[0][c] = '0;
    assign sum_valid[c] = shifts[ROWS][c];
    assign sum[c] = shadow[ROWS][c];
  end
endmodule
