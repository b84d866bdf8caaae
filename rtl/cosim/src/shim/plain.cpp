// plain_array behind C functions; ROWS and COLUMNS are its size.
#include "module.h"

extern "C" {

void* JOIN(MODEL, _new)(int seed, uint32_t mutant) {
    auto module = std::make_unique<Module>(seed, mutant);
    module->model->valid = 0;
    module->reset();
    return module.release();
}

// One cycle: a step whose codes enter, where `valid`; sums leave where `left` says.
void JOIN(MODEL, _cycle)(void* array, uint8_t valid, uint8_t last, uint8_t unsign, const uint8_t* rows,
                         const uint8_t* columns, uint8_t* left, int32_t* sums) {
    auto& module = *static_cast<Module*>(array);
    MODEL& model = *module.model;
    model.valid = valid;
    model.last = last;
    model.unsign = unsign;
    for (unsigned row = 0; row < ROWS; ++row) put(&model.row_code, row, 8, rows[row]);
    for (unsigned column = 0; column < COLUMNS; ++column) put(&model.column_code, column, 8, columns[column]);
    module.settle();
    for (unsigned column = 0; column < COLUMNS; ++column) {
        left[column] = static_cast<uint8_t>(get(&model.sum_valid, column, 1));
        sums[column] = sum_at(&model.sum, column);
    }
    module.edge();
}

}  // extern "C"
