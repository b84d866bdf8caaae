// topk behind C functions, with a memory that answers one cycle after it is asked;
// LANES is the number of scores in a word.
#include "module.h"

extern "C" {

void* JOIN(MODEL, _new)(int seed, uint32_t mutant) {
    auto module = std::make_unique<Module>(seed, mutant);
    module->model->start = 0;
    module->reset();
    return module.release();
}

// Ranks scores, which are padded to whole words. Returns the cycles from the start
// until all tokens were told, or -1 when there was no end within `limit`.
int64_t JOIN(MODEL, _rank)(void* unit, uint32_t count, uint32_t keep_8, uint32_t keep_4, const uint16_t* scores,
                           uint8_t* tiers, uint16_t* places, int64_t limit) {
    auto& module = *static_cast<Module*>(unit);
    MODEL& model = *module.model;
    model.count = static_cast<uint16_t>(count);
    put(&model.keep, 0, 11, keep_8);
    put(&model.keep, 1, 11, keep_4);
    const uint32_t words = (count + LANES - 1) / LANES;
    uint32_t token = 0;
    for (int64_t cycle = 0; cycle < limit; ++cycle) {
        model.start = cycle == 0;
        module.settle();
        const bool read = model.read;
        const uint32_t address = model.address;
        for (unsigned lane = 0; lane < LANES; ++lane) {
            if (!get(&model.out_valid, lane, 1)) continue;
            if (token >= count) return -1;
            tiers[token] = static_cast<uint8_t>(get(&model.out_tier, lane, 2));
            places[token] = static_cast<uint16_t>(get(&model.out_place, lane, 11));
            ++token;
        }
        const bool done = model.done;
        module.edge();
        for (unsigned lane = 0; lane < LANES; ++lane)
            put(&model.scores, lane, 16, read && address < words ? scores[address * LANES + lane] : 0xdeadu);
        if (done) return token == count ? cycle : -1;
    }
    return -1;
}

}  // extern "C"
