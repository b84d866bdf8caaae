// Products with an addition, of the vector unit.
#include "bench.h"

struct Bench {
    static constexpr const char* STREAMS[] = {"operations", "idle"};
    int operations = 0;
    uint32_t expected = 0;

    void reset(Element&, bool) {}

    void drive(Element& m, int stream, bool resets) {
        m.valid = resets || stream == 0;
        if (!m.valid) return;
        const int32_t a = number(16), b = number(16), c = number(32);
        m.a = static_cast<uint16_t>(a);
        m.b = static_cast<uint16_t>(b);
        m.c = static_cast<uint32_t>(c);
        expected = static_cast<uint32_t>(a * b) + static_cast<uint32_t>(c);
        ++operations;
    }

    bool check(Element& m) { return m.result == expected; }
};

int main(int, char** arguments) { return run_all<Bench>(arguments[1]); }
