// A hop between two elements: the receiver's queue of DEPTH operands.
//
// `room` and `any` come from the count as it stands at the start of a cycle, so
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
  localparam int unsigned IndexBits = (DEPTH > 1) ? $clog2(DEPTH) : 1;
  localparam int unsigned CountBits = $clog2(DEPTH + 1);

  item_t items[DEPTH];
  logic [IndexBits-1:0] write, read;
  logic [CountBits-1:0] count;

  // The place behind the last is the first.
  function automatic logic [IndexBits-1:0] after(logic [IndexBits-1:0] index);
    return (32'(index) == DEPTH - 1) ? '0 : index + IndexBits'(1);
  endfunction

  assign any  = count != '0;
  assign room = (32'(count) != DEPTH) || (!REGISTERED && pop);
  assign head = items[read];

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      write <= '0;
      read  <= '0;
      count <= '0;
    end else begin
      if (push) write <= after(write);
      if (pop) read <= after(read);
      if (push != pop) count <= push ? count + CountBits'(1) : count - CountBits'(1);
    end
  end

  always_ff @(posedge clk) begin
    if (push) items[write] <= in;
  end
endmodule
