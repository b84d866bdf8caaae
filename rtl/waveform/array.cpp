// An array of 2 x 2 elements runs two tiles of mixed widths, back to back. Writes all
// its signals to the VCD file that is named, and checks its sums.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>
#include "Array.h"
#include "verilated_vcd_c.h"

namespace {
struct Operand {
    bool wide;
    int code;
};

// A tile: operands by line and step.
struct Tile {
    std::vector<std::vector<Operand>> rows, columns;
};

// The first: row 0 has 4 bits, row 1 has 8, columns change from step to step. The
// second has 4 bits only.
const std::vector<Tile> TILES = {
    {{{{false, 3}, {false, -5}, {false, 7}, {false, 2}}, {{true, 61}, {true, -77}, {true, 20}, {true, 5}}},
     {{{false, 2}, {true, 90}, {false, -8}, {true, -64}}, {{false, 6}, {false, 1}, {true, 33}, {false, -3}}}},
    {{{{false, 1}, {false, 2}, {false, 3}}, {{false, 4}, {false, 5}, {false, 6}}},
     {{{false, -1}, {false, -2}, {false, -3}}, {{false, 7}, {false, 7}, {false, -8}}}},
};
constexpr int LINES = 2;
constexpr int CYCLES = 36;

int bits(const Operand& operand) {
    return operand.wide ? 1 << 8 | (operand.code & 0xff) : operand.code & 0xf;
}

// Of vssa_pkg.
constexpr int SUM_BITS = 27;

int32_t sum_of(uint64_t bits) { return static_cast<int32_t>(bits << (32 - SUM_BITS)) >> (32 - SUM_BITS); }

// What a line sends, in order.
std::vector<int> stream(int line, bool of_rows) {
    std::vector<int> result;
    for (const Tile& tile : TILES) {
        const auto& operands = of_rows ? tile.rows[line] : tile.columns[line];
        for (const Operand& operand : operands)
            result.push_back(bits(operand) | (of_rows && &operand == &operands.back()) << 10);
    }
    return result;
}

// What leaves a column, in order: of each tile the bottom row first.
std::vector<int32_t> sums(int column) {
    std::vector<int32_t> result;
    for (const Tile& tile : TILES) {
        for (int row = LINES - 1; row >= 0; --row) {
            int32_t sum = 0;
            for (std::size_t step = 0; step < tile.rows[row].size(); ++step)
                sum += tile.rows[row][step].code * tile.columns[column][step].code;
            result.push_back(sum);
        }
    }
    return result;
}
}  // namespace

int main(int count, char** arguments) {
    if (count != 2) return 2;
    VerilatedContext context;
    context.traceEverOn(true);
    auto model = std::make_unique<Array>(&context);
    VerilatedVcdC vcd;
    model->trace(&vcd, 99);
    vcd.open(arguments[1]);
    // A cycle takes 10 time units; inputs change with the rising edge.
    auto settle = [&](int clk) {
        model->clk = clk;
        model->eval();
        vcd.dump(context.time());
        context.timeInc(5);
    };
    std::vector<int> rows[LINES], columns[LINES];
    std::size_t next_row[LINES] = {}, next_column[LINES] = {};
    std::vector<int32_t> left[LINES];
    for (int line = 0; line < LINES; ++line) rows[line] = stream(line, true), columns[line] = stream(line, false);
    model->rst_n = 0;
    settle(0);
    model->rst_n = 1;
    for (int cycle = 0; cycle < CYCLES; ++cycle) {
        model->clk = 1;
        model->eval();
        model->row_valid = model->column_valid = 0;
        model->row_operand = model->column_operand = 0;
        for (int line = 0; line < LINES; ++line) {
            if (next_row[line] < rows[line].size()) {
                model->row_valid |= 1 << line;
                model->row_operand |= static_cast<uint32_t>(rows[line][next_row[line]]) << (11 * line);
            }
            if (next_column[line] < columns[line].size()) {
                model->column_valid |= 1 << line;
                model->column_operand |= static_cast<uint32_t>(columns[line][next_column[line]]) << (9 * line);
            }
        }
        settle(1);
        settle(0);
        for (int line = 0; line < LINES; ++line) {
            next_row[line] += model->row_valid >> line & model->row_ready >> line & 1;
            next_column[line] += model->column_valid >> line & model->column_ready >> line & 1;
            if (model->sum_valid >> line & 1) left[line].push_back(sum_of(model->sum >> (SUM_BITS * line)));
        }
    }
    vcd.close();
    for (int column = 0; column < LINES; ++column) {
        if (left[column] != sums(column)) {
            std::fprintf(stderr, "column %d: the sums are wrong\n", column);
            return 1;
        }
    }
    return 0;
}
