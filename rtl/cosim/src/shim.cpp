// One array behind four C functions. MODEL, HEADER, ROWS and COLUMNS name the
// class that Verilator made and its size.
#include HEADER
#include <cstdint>
#include <cstring>
#include <memory>

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)

namespace {
// Ports are packed: item i of `width` bits begins at bit i * width. Verilator
// keeps them in words, the least significant first.
void put(void* port, unsigned index, unsigned width, uint32_t value) {
    auto* bytes = static_cast<uint8_t*>(port);
    for (unsigned bit = 0; bit < width; ++bit) {
        const unsigned at = index * width + bit;
        const uint8_t mask = static_cast<uint8_t>(1u << (at % 8));
        bytes[at / 8] = static_cast<uint8_t>((value >> bit) & 1 ? bytes[at / 8] | mask : bytes[at / 8] & ~mask);
    }
}

uint32_t get(const void* port, unsigned index, unsigned width) {
    const auto* bytes = static_cast<const uint8_t*>(port);
    uint32_t value = 0;
    for (unsigned bit = 0; bit < width; ++bit) {
        const unsigned at = index * width + bit;
        value |= static_cast<uint32_t>((bytes[at / 8] >> (at % 8)) & 1) << bit;
    }
    return value;
}

struct Array {
    std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
    std::unique_ptr<MODEL> model;
};
}  // namespace

extern "C" {

// A new array, after a reset. `seed` sets what registers without a reset hold.
void* JOIN(MODEL, _new)(int seed) {
    auto array = std::make_unique<Array>();
    array->context->randReset(2);
    array->context->randSeed(seed);
    array->model = std::make_unique<MODEL>(array->context.get());
    MODEL& model = *array->model;
    model.clk = 0;
    model.rst_n = 0;
    for (unsigned row = 0; row < ROWS; ++row) put(&model.row_valid, row, 1, 0);
    for (unsigned column = 0; column < COLUMNS; ++column) put(&model.column_valid, column, 1, 0);
    model.eval();
    model.clk = 1;
    model.eval();
    model.clk = 0;
    model.rst_n = 1;
    model.eval();
    return array.release();
}

// One cycle. Operands hold the bits of row_operand_t and operand_t, or -1 for
// none; `*_taken` says which of them entered. Sums leave where `left` says.
void JOIN(MODEL, _cycle)(void* array, const int32_t* rows, const int32_t* columns, uint8_t* rows_taken,
                         uint8_t* columns_taken, uint8_t* left, int32_t* sums) {
    MODEL& model = *static_cast<Array*>(array)->model;
    for (unsigned row = 0; row < ROWS; ++row) {
        put(&model.row_valid, row, 1, rows[row] >= 0);
        put(&model.row_operand, row, 11, static_cast<uint32_t>(rows[row]));
    }
    for (unsigned column = 0; column < COLUMNS; ++column) {
        put(&model.column_valid, column, 1, columns[column] >= 0);
        put(&model.column_operand, column, 9, static_cast<uint32_t>(columns[column]));
    }
    model.eval();
    for (unsigned row = 0; row < ROWS; ++row) rows_taken[row] = rows[row] >= 0 && get(&model.row_ready, row, 1);
    for (unsigned column = 0; column < COLUMNS; ++column) {
        columns_taken[column] = columns[column] >= 0 && get(&model.column_ready, column, 1);
        left[column] = static_cast<uint8_t>(get(&model.sum_valid, column, 1));
        sums[column] = static_cast<int32_t>(get(&model.sum, column, 32));
    }
    model.clk = 1;
    model.eval();
    model.clk = 0;
    model.eval();
}

void JOIN(MODEL, _delete)(void* array) { delete static_cast<Array*>(array); }

}  // extern "C"
