// Words read and written at random addresses. WORDS says how many there are.
#include <vector>
#include "bench.h"

struct Bench {
    static constexpr const char* STREAMS[] = {"reads", "writes", "reads_and_writes", "idle"};
    int operations = 0;
    std::vector<int> words = std::vector<int>(WORDS, 0);
    int filled = 0;
    int expected = -1;

    void reset(Element&, bool) {}

    // All words are written before one is read.
    void drive(Element& m, int stream, bool resets) {
        m.read = !resets && (stream == 0 || stream == 2);
        m.write = resets || stream == 1 || stream == 2;
        if (m.read) {
            m.read_address = random_bits() % WORDS;
            expected = words[m.read_address];
        }
        if (m.write) {
            m.write_address = resets ? filled++ % WORDS : random_bits() % WORDS;
            m.in = random_bits() & 0xffff;
            words[m.write_address] = m.in;
        }
        operations += m.read || m.write;
    }

    bool check(Element& m) { return expected < 0 || m.out == expected; }
};

int main(int, char** arguments) { return run_all<Bench>(arguments[1]); }
