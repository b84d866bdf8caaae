// A module's netlist under streams of operands that are uniformly random. A bench says
// what drives a module's inputs and what its outputs must be; this runs it. It writes a
// SAIF file for each stream, FOLDER/STREAM.saif, and to stdout a line each: stream,
// operations, cycles.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <random>
#include <string>
#include "Element.h"
#include "verilated_saif_c.h"

constexpr int CYCLES = 20000;
constexpr int WARM_UP = 2000;
// As many as there are words in the largest register file.
constexpr int RESET_CYCLES = 1024;

inline std::mt19937_64 random_bits(1);

// A number of so many bits, with a sign, all equally likely.
inline int32_t number(int bits) { return static_cast<int32_t>(random_bits() & 0xffffffffU) >> (32 - bits); }

// Runs a stream of a bench, which has
//   STREAMS             their names
//   operations          counted by `drive`
//   reset(model, on)    the module's reset, if it has one
//   drive(model, stream, resets)   the inputs of the coming edge
//   check(model)        whether the outputs behind an edge are right
template <typename Bench>
void run(int stream, const std::string& folder) {
    VerilatedContext context;
    VerilatedSaifC saif;
    context.traceEverOn(true);
    Element model(&context);
    model.trace(&saif, 99);
    Bench bench;
    bool tracing = false, resets = true;
    auto dump = [&] {
        context.timeInc(1);
        if (tracing) saif.dump(context.time());
    };
    // A cycle: the rising edge, behind which inputs change as registers do, and the
    // falling one. Wires settle at once.
    auto cycle = [&] {
        model.clk = 1;
        model.eval();
        if (!bench.check(model)) {
            std::fprintf(stderr, "%s: a result is wrong\n", Bench::STREAMS[stream]);
            std::exit(1);
        }
        bench.drive(model, stream, resets);
        model.eval();
        dump();
        model.clk = 0;
        model.eval();
        dump();
    };
    model.clk = 0;
    bench.reset(model, true);
    bench.drive(model, stream, resets);
    model.eval();
    for (int at = 0; at < RESET_CYCLES; ++at) cycle();
    resets = false;
    bench.reset(model, false);
    for (int at = 0; at < WARM_UP; ++at) cycle();
    saif.open((folder + "/" + Bench::STREAMS[stream] + ".saif").c_str());
    tracing = true;
    bench.operations = 0;
    for (int at = 0; at < CYCLES; ++at) cycle();
    saif.close();
    std::printf("%s %d %d\n", Bench::STREAMS[stream], bench.operations, CYCLES);
}

template <typename Bench>
int run_all(const std::string& folder) {
    for (int stream = 0; stream < static_cast<int>(std::size(Bench::STREAMS)); ++stream) run<Bench>(stream, folder);
    return 0;
}
