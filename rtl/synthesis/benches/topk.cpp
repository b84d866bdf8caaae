// Texts of 384 tokens ranked one behind the other, a fifth of the tokens for 8 bits, two
// fifths for 4. A score that is read is an operation.
#include <algorithm>
#include <utility>
#include <vector>
#include "bench.h"

struct Bench {
    static constexpr const char* STREAMS[] = {"operations", "idle"};
    static constexpr int LANES = 16, TOKENS = 384, EIGHT = 77, FOUR = 154;
    int operations = 0;
    std::vector<int> scores = std::vector<int>(TOKENS, 0);
    bool ranks = false;
    // What it asks for now, and what it asked for the cycle before.
    bool reads = false, asks = false;
    int address = 0, asked = 0;
    int told[3] = {};

    void reset(Element& m, bool on) { m.rst_n = !on; }

    void drive(Element& m, int stream, bool resets) {
        m.start = 0;
        m.count = TOKENS;
        m.keep = (EIGHT + FOUR) << 11 | EIGHT;
        if (resets || stream == 1) return;
        if (!ranks) {
            for (int& score : scores) score = static_cast<int>(random_bits() & 0xffff);
            std::fill(std::begin(told), std::end(told), 0);
            m.start = ranks = true;
        }
        // The memory answers a cycle later.
        const bool answers = std::exchange(asks, reads);
        if (!answers) {
            asked = address;
            return;
        }
        for (int lane = 0; lane < LANES; ++lane) {
            auto& half = m.scores[lane / 2];
            const auto score = static_cast<uint32_t>(scores[asked * LANES + lane]);
            half = lane % 2 ? (half & 0xffff) | score << 16 : score;
        }
        asked = address;
        operations += LANES;
    }

    bool check(Element& m) {
        reads = m.read;
        address = m.address;
        for (int lane = 0; lane < LANES; ++lane)
            if (m.out_valid >> lane & 1) ++told[m.out_tier >> 2 * lane & 3];
        if (!ranks || !m.done) return true;
        ranks = false;
        return told[2] == EIGHT && told[1] == FOUR && told[0] == TOKENS - EIGHT - FOUR;
    }
};

int main(int, char** arguments) { return run_all<Bench>(arguments[1]); }
