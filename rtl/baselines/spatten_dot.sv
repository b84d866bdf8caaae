// LANES of SpAtten's 12-bit multipliers with their tree of adders (Wang et al., HPCA
// 2021, section IV): one step of LANES products a cycle, products and the sum of the
// tree in registers. Each multiplier has as good as one adder of the tree.
module spatten_dot #(
    parameter int unsigned LANES = 8
) (
    input logic clk,
    input logic rst_n,

    input logic valid,
    input logic signed [LANES-1:0][11:0] query,
    input logic signed [LANES-1:0][11:0] key,

    output logic sum_valid,
    output logic signed [31:0] sum
);
  logic here;
  logic signed [23:0] products[LANES];

  // The tree: node n adds 2n and 2n + 1, the leaves stand last, the root is node 1.
  logic signed [31:0] nodes[1:2*LANES-1];
  for (genvar leaf = 0; leaf < LANES; leaf++) begin : gen_leaf
    assign nodes[LANES+leaf] = 32'(products[leaf]);
  end
  for (genvar node = 1; node < LANES; node++) begin : gen_node
    assign nodes[node] = nodes[2*node] + nodes[2*node+1];
  end

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      here <= 1'b0;
      sum_valid <= 1'b0;
    end else begin
      here <= valid;
      sum_valid <= here;
    end
  end

  always_ff @(posedge clk) begin
    if (valid)
      for (int unsigned lane = 0; lane < LANES; lane++)
        products[lane] <= 24'($signed(query[lane]) * $signed(key[lane]));
    if (here) sum <= nodes[1];
  end
endmodule
