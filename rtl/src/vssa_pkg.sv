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

  // Bits of a sum: from -2^26 to 2^26 - 1. A product is 127 x 127 at most, or 255 x 127
  // where the row has no sign, for no code is -128 (with -128: 2^14 and 255 x 2^7).
  // 4,160 x 127 x 127 and 2,072 x 255 x 127 are below 2^26 (with -128 4,095 and 2,056
  // steps), so a tile holds the feed-forward of a width of 4,096, which is
  // BERT-large's, and probabilities of all 2,047 tokens that topk ranks. A longer
  // reduction is to be cut into tiles.
  localparam int SumBits = 27;

endpackage
