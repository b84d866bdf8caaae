// vssa_array behind C functions; ROWS and COLUMNS are its size.
#include "module.h"

extern "C" {

// A new array, after a reset.
void* JOIN(MODEL, _new)(int seed, uint32_t mutant) {
    auto module = std::make_unique<Module>(seed, mutant);
    for (unsigned row = 0; row < ROWS; ++row) put(&module->model->row_valid, row, 1, 0);
    for (unsigned column = 0; column < COLUMNS; ++column) put(&module->model->column_valid, column, 1, 0);
    module->reset();
    return module.release();
}

// One cycle. Operands hold the bits of row_operand_t and operand_t, or -1 for
// none; `*_taken` says which of them entered. Sums leave where `left` says.
void JOIN(MODEL, _cycle)(void* array, const int32_t* rows, const int32_t* columns, uint8_t* rows_taken,
                         uint8_t* columns_taken, uint8_t* left, int32_t* sums) {
    auto& module = *static_cast<Module*>(array);
    MODEL& model = *module.model;
    for (unsigned row = 0; row < ROWS; ++row) {
        put(&model.row_valid, row, 1, rows[row] >= 0);
        put(&model.row_operand, row, 11, static_cast<uint32_t>(rows[row]));
    }
    for (unsigned column = 0; column < COLUMNS; ++column) {
        put(&model.column_valid, column, 1, columns[column] >= 0);
        put(&model.column_operand, column, 9, static_cast<uint32_t>(columns[column]));
    }
    module.settle();
    for (unsigned row = 0; row < ROWS; ++row) rows_taken[row] = rows[row] >= 0 && get(&model.row_ready, row, 1);
    for (unsigned column = 0; column < COLUMNS; ++column) {
        columns_taken[column] = columns[column] >= 0 && get(&model.column_ready, column, 1);
        left[column] = static_cast<uint8_t>(get(&model.sum_valid, column, 1));
        sums[column] = sum_at(&model.sum, column);
    }
    module.edge();
}

}  // extern "C"
