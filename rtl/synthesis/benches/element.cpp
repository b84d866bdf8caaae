// An element's netlist under streams of operands, its sums checked against integers.
// Writes a SAIF file for each stream, FOLDER/STREAM.saif, and to stdout a line each:
// stream, products, cycles. PLAIN is defined for the plain elements; CODE_BITS is the
// width of their codes.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include "Element.h"
#include "verilated_saif_c.h"

#ifndef CODE_BITS
#define CODE_BITS 8
#endif

namespace {
constexpr int TILE_STEPS = 256;
// Of vssa_pkg.
constexpr int SUM_BITS = 27;
constexpr int CYCLES = 20000;
constexpr int WARM_UP = 2000;

// A stream: widths of row and column, 0 for codes that are zero (of 4 bits), and in
// how many cycles of 100 an operand arrives at row and column.
struct Stream {
    const char* name;
    int row_bits;
    int column_bits;
    int row_percent;
    int column_percent;
    // Whether sums from above come through the shadow, one a cycle.
    bool shifts;
};

const Stream STREAMS[] = {
    {"4x4", 4, 4, 100, 100, false},     {"4x8", 4, 8, 100, 100, false},
    {"8x4", 8, 4, 100, 100, false},     {"8x8", 8, 8, 100, 100, false},
    {"zeros", 0, 0, 100, 100, false},   {"4x4_late", 4, 4, 100, 25, false},
    {"8x8_late", 8, 8, 100, 12, false}, {"starved", 4, 4, 100, 0, false},
    {"idle", 4, 4, 0, 0, false},        {"idle_shifts", 4, 4, 0, 0, true},
};

std::mt19937_64 random_bits(1);

bool chance(int percent) { return static_cast<int>(random_bits() % 100) < percent; }

// A sum as it leaves.
int32_t value(uint32_t bits) { return static_cast<int32_t>(bits << (32 - SUM_BITS)) >> (32 - SUM_BITS); }

// A code of the width, all equally likely.
int code(int bits) {
    if (bits == 0) return 0;
    const int values = 1 << bits;
    return static_cast<int>(random_bits() % values) - values / 2;
}

[[noreturn]] void fail(const Stream& stream, const char* what) {
    std::fprintf(stderr, "%s: %s\n", stream.name, what);
    std::exit(1);
}

class Bench {
  public:
    explicit Bench(const Stream& stream) : stream_(stream) {
        context_.traceEverOn(true);
        model_ = std::make_unique<Element>(&context_);
        model_->trace(&saif_, 99);
        model_->clk = 0;
        model_->rst_n = 0;
        model_->above_done = 1;
        model_->above_shifts = 0;
        model_->above_sum = 0;
        model_->drain = 0;
        offer();
        model_->eval();
        edge();
        edge();
        model_->rst_n = 1;
    }

    void run(const std::string& folder) {
        for (int cycle = 0; cycle < WARM_UP; ++cycle) edge();
        saif_.open((folder + "/" + stream_.name + ".saif").c_str());
        tracing_ = true;
        products_ = 0;
        for (int cycle = 0; cycle < CYCLES; ++cycle) edge();
        saif_.close();
        tracing_ = false;
        // What the stream owes must have come, or sums were lost.
        if (stream_.column_percent > 0 && sums_ < CYCLES / TILE_STEPS / 16) fail(stream_, "sums are missing");
        std::printf("%s %d %d\n", stream_.name, products_, CYCLES);
    }

  private:
    // A cycle: the rising edge, behind which inputs change as registers do, and the
    // falling one. Wires settle at once.
    void edge() {
        take();
        model_->clk = 1;
        model_->eval();
        offer();
        if (stream_.shifts) {
            model_->above_shifts = model_->rst_n;
            model_->above_sum = static_cast<uint32_t>(random_bits()) & ((1u << SUM_BITS) - 1);
        }
        model_->eval();
        model_->drain = model_->below_done;
        model_->eval();
        dump();
        if (model_->below_shifts && !stream_.shifts) {
            if (expected_.empty() || expected_.front() != value(model_->below_sum))
                fail(stream_, "a sum is wrong");
            expected_.pop_front();
            ++sums_;
        }
        model_->clk = 0;
        model_->eval();
        dump();
    }

    void dump() {
        context_.timeInc(1);
        if (tracing_) saif_.dump(context_.time());
    }

    // A product of the tile, which it may end.
    void product(int row, int column) {
        sum_ += row * column;
        ++products_;
        if (++step_ == TILE_STEPS) {
            expected_.push_back(sum_);
            sum_ = 0;
            step_ = 0;
        }
    }

#ifdef PLAIN
    static constexpr int MASK = (1 << CODE_BITS) - 1;

    void offer() {
        model_->left_valid = model_->rst_n && chance(stream_.row_percent) && chance(stream_.column_percent);
        if (!model_->left_valid) return;
        row_ = code(stream_.row_bits);
        column_ = code(stream_.column_bits);
        model_->left = (step_ + 1 == TILE_STEPS) << (CODE_BITS + 1) | (row_ & MASK);
        model_->above = column_ & MASK;
    }

    void take() {
        if (model_->left_valid && model_->rst_n) product(row_, column_);
    }
#else
    // An operand_t; what a narrow one's high nibble holds is never read, and is 0.
    static int bits(int width, int code) { return width == 8 ? 1 << 8 | (code & 0xff) : code & 0xf; }

    // What the neighbours would send next; they send when there is room.
    void offer() {
        if (!row_waits_ && model_->rst_n && chance(stream_.row_percent)) {
            row_waits_ = true;
            row_ = code(stream_.row_bits);
            model_->left = (sent_ % TILE_STEPS == TILE_STEPS - 1) << 10 | bits(stream_.row_bits, row_);
            ++sent_;
        }
        if (!column_waits_ && model_->rst_n && chance(stream_.column_percent)) {
            column_waits_ = true;
            column_ = code(stream_.column_bits);
            model_->above = bits(stream_.column_bits, column_);
        }
        model_->right_room = 1;
        model_->below_room = 1;
        model_->left_push = row_waits_ && model_->left_room;
        model_->above_push = column_waits_ && model_->above_room;
    }

    void take() {
        if (!model_->rst_n) return;
        if (model_->left_push) rows_.push_back(row_), row_waits_ = false;
        if (model_->above_push) columns_.push_back(column_), column_waits_ = false;
        if (model_->right_push) {
            if (rows_.empty() || columns_.empty()) fail(stream_, "a product of nothing");
            product(rows_.front(), columns_.front());
            rows_.pop_front();
            columns_.pop_front();
        }
    }

    std::deque<int> rows_, columns_;
    bool row_waits_ = false, column_waits_ = false;
    int sent_ = 0;
#endif

    const Stream& stream_;
    VerilatedContext context_;
    std::unique_ptr<Element> model_;
    VerilatedSaifC saif_;
    bool tracing_ = false;
    int row_ = 0, column_ = 0;
    int step_ = 0, products_ = 0, sums_ = 0;
    int32_t sum_ = 0;
    std::deque<int32_t> expected_;
};
}  // namespace

int main(int, char** arguments) {
    for (const Stream& stream : STREAMS) {
        if (std::max(stream.row_bits, stream.column_bits) > CODE_BITS) continue;
        Bench bench(stream);
        bench.run(arguments[1]);
    }
    return 0;
}
