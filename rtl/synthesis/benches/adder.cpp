// Additions of the vector unit. BITS is their width.
#include "bench.h"

struct Bench {
    static constexpr const char* STREAMS[] = {"operations", "idle"};
    static constexpr uint32_t MASK = 0xffffffffU >> (32 - BITS);
    int operations = 0;
    uint32_t expected = 0;

    void reset(Element&, bool) {}

    void drive(Element& m, int stream, bool resets) {
        m.valid = resets || stream == 0;
        if (!m.valid) return;
        m.a = static_cast<uint32_t>(number(BITS)) & MASK;
        m.b = static_cast<uint32_t>(number(BITS)) & MASK;
        expected = (m.a + m.b) & MASK;
        ++operations;
    }

    bool check(Element& m) { return m.result == expected; }
};

int main(int, char** arguments) { return run_all<Bench>(arguments[1]); }
