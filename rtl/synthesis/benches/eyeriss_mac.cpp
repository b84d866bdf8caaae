// Multiply-accumulates of Eyeriss; an input of zero is gated.
#include "bench.h"

struct Bench {
    static constexpr const char* STREAMS[] = {"operations", "zeros", "idle"};
    static constexpr int SHIFT = 8;
    int operations = 0;
    // Of the operands that came last, and of those before, whose sum comes next.
    bool multiplies = false, adds = false;
    int16_t selected = 0, expected = 0;

    void reset(Element& m, bool on) { m.rst_n = !on; }

    void drive(Element& m, int stream, bool resets) {
        adds = multiplies;
        if (adds) {
            m.psum_in = random_bits() & 0xffff;
            expected = static_cast<int16_t>(m.psum_in + selected);
        }
        m.shift = SHIFT;
        m.valid = !resets && stream != 2;
        multiplies = false;
        if (!m.valid) return;
        const auto ifmap = static_cast<int16_t>(stream == 1 ? 0 : number(16));
        const auto filter = static_cast<int16_t>(number(16));
        m.ifmap = static_cast<uint16_t>(ifmap);
        // The filter's scratch pad is not read for an input of zero.
        if (ifmap != 0) m.filter = static_cast<uint16_t>(filter);
        multiplies = ifmap != 0;
        selected = static_cast<int16_t>((ifmap * filter) >> SHIFT);
        ++operations;
    }

    bool check(Element& m) { return m.psum_valid == adds && (!adds || static_cast<int16_t>(m.psum_out) == expected); }
};

int main(int, char** arguments) { return run_all<Bench>(arguments[1]); }
