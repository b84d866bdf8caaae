// Dot products of SpAtten; a product of one multiplier is an operation.
#include "bench.h"

struct Bench {
    static constexpr const char* STREAMS[] = {"operations", "idle"};
    static constexpr int LANES = 8;
    int operations = 0;
    bool multiplies = false, adds = false;
    int32_t next = 0, expected = 0;

    void reset(Element& m, bool on) { m.rst_n = !on; }

    void drive(Element& m, int stream, bool resets) {
        adds = multiplies;
        expected = next;
        multiplies = !resets && stream == 0;
        m.valid = multiplies;
        if (!multiplies) return;
        next = 0;
        for (int word = 0; word < LANES * 12 / 32; ++word) m.query[word] = m.key[word] = 0;
        for (int lane = 0; lane < LANES; ++lane) {
            const int32_t query = number(12), key = number(12);
            for (int bit = 0; bit < 12; ++bit) {
                const int at = 12 * lane + bit;
                m.query[at / 32] |= static_cast<uint32_t>(query >> bit & 1) << at % 32;
                m.key[at / 32] |= static_cast<uint32_t>(key >> bit & 1) << at % 32;
            }
            next += query * key;
        }
        operations += LANES;
    }

    bool check(Element& m) { return m.sum_valid == adds && (!adds || static_cast<int32_t>(m.sum) == expected); }
};

int main(int, char** arguments) { return run_all<Bench>(arguments[1]); }
