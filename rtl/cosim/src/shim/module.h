// What the shims of all models share. MODEL and HEADER name the class that
// Verilator made.
#pragma once
#include HEADER
#include <cstdint>
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

// Bits of a sum, SumBits of vssa_pkg.
constexpr unsigned SUM_BITS = 27;

// A sum of a port, with its sign.
int32_t sum_at(const void* port, unsigned index) {
    return static_cast<int32_t>(get(port, index, SUM_BITS) << (32 - SUM_BITS)) >> (32 - SUM_BITS);
}

// A module with its own context, whose registers hold noise by a seed. Where MUTATED
// is defined its netlist has an input that selects a mutant.
struct Module {
    VerilatedContext context;
    std::unique_ptr<MODEL> model;

    Module(int seed, uint32_t mutant) {
        context.randReset(2);
        context.randSeed(seed);
        model = std::make_unique<MODEL>(&context);
#ifdef MUTATED
        model->mutant = static_cast<uint8_t>(mutant);
#else
        (void)mutant;
#endif
    }

    // Inputs have been set; a cycle of reset.
    void reset() {
        model->clk = 0;
        model->rst_n = 0;
        model->eval();
        edge();
        model->rst_n = 1;
    }

    // A cycle up to its end: inputs have been set just behind the rising edge that
    // began it, so that what is not clocked by rising edges sees them too early.
    void settle() {
        model->eval();
        model->clk = 0;
        model->eval();
    }

    // The rising edge that ends a cycle.
    void edge() {
        model->clk = 1;
        model->eval();
    }
};
}  // namespace

extern "C" void JOIN(MODEL, _delete)(void* module) { delete static_cast<Module*>(module); }
