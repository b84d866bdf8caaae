// Words in registers, with a port to write and one to read. What is read stands in a
// register of its own, as from an SRAM, which keeps it while nothing is read.
module register_file #(
    parameter int unsigned WORDS = 12,
    parameter int unsigned BITS = 16
) (
    input logic clk,

    input logic write,
    input logic [$clog2(WORDS)-1:0] write_address,
    input logic [BITS-1:0] in,

    input logic read,
    input logic [$clog2(WORDS)-1:0] read_address,
    output logic [BITS-1:0] out
);
  logic [BITS-1:0] words[WORDS];

  always_ff @(posedge clk) begin
    if (write) words[write_address] <= in;
    if (read) out <= words[read_address];
  end
endmodule
