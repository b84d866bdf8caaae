// A hop between two elements: the receiver's queue of DEPTH operands, the oldest in
// place 0, so that the head is a register; those behind move up as it leaves.
//
// `room` and `any` come from the places as they stand at the start of a cycle, so
// no path leads from a receiver's pop to its sender: that is what REGISTERED
// says. Without it `room` also sees the pop of the same cycle, and a chain of
// hops becomes a path through the whole array.
module hop #(
    parameter int unsigned DEPTH = 2,
    parameter bit REGISTERED = 1,
    parameter type item_t = logic [7:0]
) (
    input logic clk,
    input logic rst_n,

    input logic push,
    input item_t in,
    output logic room,

    input logic pop,
    output logic any,
    output item_t head
);
  item_t items[DEPTH];
  logic [DEPTH-1:0] taken;
  // Places with one behind them, the first one that is free, and those that something
  // moves into: from behind, or else what comes in.
  logic [DEPTH-1:0] followed, first_free, loads;

  assign followed = taken >> 1;
  assign first_free = ~taken & ((taken << 1) | DEPTH'(1));
  assign loads = pop ? followed | (push ? taken : '0) : (push ? first_free : '0);

  assign any  = taken[0];
  assign room = !taken[DEPTH-1] || (!REGISTERED && pop);
  assign head = items[0];

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) taken <= '0;
    else taken <= pop ? loads : taken | loads;
  end

  always_ff @(posedge clk) begin
    for (int unsigned i = 0; i + 1 < DEPTH; i++)
      if (loads[i]) items[i] <= followed[i] ? items[i+1] : in;
    if (loads[DEPTH-1]) items[DEPTH-1] <= in;
  end
endmodule
