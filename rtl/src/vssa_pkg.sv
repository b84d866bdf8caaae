// What travels through the arrays.
package vssa_pkg;

  // An operand: a code of 4 or 8 bits and how to read it. A code of 4 bits
  // stands in the low nibble; what the high one holds is never read.
  typedef struct packed {
    logic wide;      // 8 bits, else 4
    logic [7:0] code;
  } operand_t;

  // An operand of a row brings along what a step of the reduction needs to
  // know beside.
  typedef struct packed {
    logic last;      // the last step of a tile
    logic unsign;    // codes without a sign: attention probabilities
    operand_t operand;
  } row_operand_t;

  // An operand of a row of the plain array.
  typedef struct packed {
    logic last;
    logic unsign;
    logic [7:0] code;
  } plain_row_t;

  // Bits of a sum. 127 x 127 x 768 needs 25, and 255 x 127 x 65,536 needs 32.
  localparam int SumBits = 32;

endpackage
