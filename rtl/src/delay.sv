// What comes in, some cycles later.
module delay #(
    parameter int unsigned CYCLES = 1,
    parameter type item_t = logic [7:0]
) (
    input logic clk,
    input logic rst_n,
    input item_t in,
    output item_t out
);
  if (CYCLES == 0) begin : gen_none
    logic unused;
    assign unused = &{1'b0, clk, rst_n};
    assign out = in;
  end else begin : gen_some
    item_t stages[CYCLES];
    assign out = stages[CYCLES-1];
    always_ff @(posedge clk or negedge rst_n) begin
      if (!rst_n) stages <= '{default: '0};
      else begin
        stages[0] <= in;
        for (int unsigned stage = 1; stage < CYCLES; stage++) stages[stage] <= stages[stage-1];
      end
    end
  end
endmodule
