// The two-level top-k unit: which tokens get 8 bits, which 4, and in what order
// they enter the array.
//
// It finds two thresholds at once, those of the best keep[0] tokens, for 8 bits,
// and of the best keep[1], for 8 or 4 bits, digit by digit from the highest: a
// pass over all scores counts, for each threshold, how many of those that agree
// with it so far have at least which next digit, and the digit follows from the
// counts. A last pass says of each token its tier and its place among the tokens
// of that tier, in the order of the text. Of equal scores the earlier token wins.
//
// Scores come LANES at a time from a memory that answers one cycle after `read`.
// With w = ceil(count / LANES) words a pass takes w + 2 cycles, and the last
// tokens are told (SCORE_BITS / DIGIT_BITS) (w + 2) + w + 3 cycles after `start`.
module topk #(
    parameter int unsigned LANES = 16,
    parameter int unsigned SCORE_BITS = 16,
    parameter int unsigned DIGIT_BITS = 4,
    parameter int unsigned COUNT_BITS = 11
) (
    input logic clk,
    input logic rst_n,

    // `start` begins; the numbers stand still until `done`. At least one token, and
    // keep[0] <= keep[1] <= count.
    input logic start,
    input logic [COUNT_BITS-1:0] count,
    input logic [1:0][COUNT_BITS-1:0] keep,
    output logic done,

    output logic read,
    output logic [COUNT_BITS-1:0] address,
    input logic [LANES-1:0][SCORE_BITS-1:0] scores,

    // Of each token of a word: whether it is one, its tier (2 is 8 bits, 1 is 4, 0
    // is none), and its place in the tier.
    output logic [LANES-1:0] out_valid,
    output logic [LANES-1:0][1:0] out_tier,
    output logic [LANES-1:0][COUNT_BITS-1:0] out_place
);
  localparam int unsigned Passes = SCORE_BITS / DIGIT_BITS;
  localparam int unsigned Digits = 1 << DIGIT_BITS;
  localparam int unsigned PassBits = $clog2(Passes + 1);
  localparam int unsigned LaneBits = $clog2(LANES + 1);

  typedef logic [COUNT_BITS-1:0] count_t;
  typedef logic [SCORE_BITS-1:0] score_t;
  typedef logic [DIGIT_BITS-1:0] digit_t;
  typedef logic [LaneBits-1:0] lanes_t;

  // How many of the lanes below one are marked, and how many of all.
  function automatic lanes_t below(logic [LANES-1:0] marked, int unsigned lane);
    lanes_t sum = '0;
    for (int unsigned other = 0; other < LANES; other++)
      if (other < lane) sum = sum + lanes_t'(marked[other]);
    return sum;
  endfunction

  // A word is asked for; it is here; its comparisons are; its tiers are. And
  // whether it was the pass's last.
  logic reading, here, compared, tiered;
  logic last_word, last_here, last_compared, last_tiered, decides;
  logic [PassBits-1:0] pass;
  logic emits;
  count_t word, first;

  assign read = reading;
  assign address = word;
  assign last_word = (32'(word) + 1) * LANES >= 32'(count);
  assign emits = 32'(pass) == Passes;

  score_t threshold[2];
  count_t left[2];  // how many are kept of those at the threshold, as far as it is known

  // First stage: comparisons. The digits above that of the pass agree, and the
  // digit itself is at least so much; in the last pass the score is above the
  // threshold, or equal to it.
  logic [LANES-1:0] valid, valid_q;
  logic [LANES-1:0] least[2][Digits], least_q[2][Digits];
  logic [LANES-1:0] above[2], above_q[2], equal[2], equal_q[2];

  always_comb begin
    for (int unsigned lane = 0; lane < LANES; lane++) begin
      valid[lane] = here && (32'(first) + lane < 32'(count));
      for (int unsigned level = 0; level < 2; level++) begin
        automatic logic agrees =
            ((scores[lane] ^ threshold[level]) >> (SCORE_BITS - DIGIT_BITS * 32'(pass))) == '0;
        automatic digit_t digit =
            digit_t'(scores[lane] >> (SCORE_BITS - DIGIT_BITS * (32'(pass) + 1)));
        for (int unsigned of = 0; of < Digits; of++)
          least[level][of][lane] = valid[lane] && agrees && 32'(digit) >= of;
        above[level][lane] = scores[lane] > threshold[level];
        equal[level][lane] = valid[lane] && scores[lane] == threshold[level];
      end
    end
  end

  // Second stage: counts, or tiers.
  count_t counted[2][Digits];
  count_t still_left[2];
  logic [LANES-1:0] kept[2];
  logic [LANES-1:0] in_tier[3], in_tier_q[3];

  always_comb begin
    for (int unsigned level = 0; level < 2; level++) begin
      automatic lanes_t equals = below(equal_q[level], LANES);
      for (int unsigned lane = 0; lane < LANES; lane++)
        kept[level][lane] = above_q[level][lane]
            || (equal_q[level][lane] && count_t'(below(equal_q[level], lane)) < left[level]);
      still_left[level] = count_t'(equals) < left[level] ? left[level] - count_t'(equals) : '0;
    end
    in_tier[2] = valid_q & kept[0];
    in_tier[1] = valid_q & kept[1] & ~kept[0];
    in_tier[0] = valid_q & ~kept[1] & ~kept[0];
  end

  // Third stage of the last pass: places count on from those of the words before.
  count_t places[3];

  always_comb begin
    for (int unsigned lane = 0; lane < LANES; lane++) begin
      out_tier[lane] = in_tier_q[2][lane] ? 2'd2 : (in_tier_q[1][lane] ? 2'd1 : 2'd0);
      out_valid[lane] = tiered && (in_tier_q[0][lane] || out_tier[lane] != 2'd0);
      out_place[lane] = places[out_tier[lane]]
          + count_t'(below(in_tier_q[out_tier[lane]], lane));
    end
  end

  // The next digit of a threshold is the highest that as many tokens reach as are
  // kept; those that have a higher one are above the threshold.
  digit_t next_digit[2];
  count_t higher[2];

  always_comb begin
    for (int unsigned level = 0; level < 2; level++) begin
      next_digit[level] = '0;
      higher[level] = Digits > 1 ? counted[level][1] : '0;
      for (int unsigned digit = 1; digit < Digits; digit++) begin
        if (counted[level][digit] >= left[level]) begin
          next_digit[level] = digit_t'(digit);
          higher[level] = digit + 1 < Digits ? counted[level][(digit+1)%Digits] : '0;
        end
      end
    end
  end

  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      {reading, here, compared, tiered} <= '0;
      {last_here, last_compared, last_tiered, decides} <= '0;
    end else begin
      if (start || (last_compared && !emits)) reading <= 1'b1;
      else if (last_word) reading <= 1'b0;
      here <= reading;
      compared <= here;
      tiered <= compared && emits;
      last_here <= reading && last_word;
      last_compared <= last_here;
      last_tiered <= last_compared && emits;
      decides <= last_compared && !emits;
    end
  end

  assign done = last_tiered;

  always_ff @(posedge clk) begin
    first <= count_t'(32'(word) * LANES);
    if (start || (reading && last_word)) word <= '0;
    else if (reading) word <= word + COUNT_BITS'(1);
    valid_q <= valid;
    least_q <= least;
    above_q <= above;
    equal_q <= equal;
    in_tier_q <= in_tier;

    if (start) begin
      pass <= '0;
      threshold <= '{default: '0};
      left[0] <= keep[0];
      left[1] <= keep[1];
      counted <= '{default: '0};
      places <= '{default: '0};
    end else begin
      if (decides) begin
        pass <= pass + PassBits'(1);
        counted <= '{default: '0};
        for (int unsigned level = 0; level < 2; level++) begin
          threshold[level] <= threshold[level]
              | (score_t'(next_digit[level]) << (SCORE_BITS - DIGIT_BITS * (32'(pass) + 1)));
          left[level] <= left[level] - higher[level];
        end
      end else if (compared) begin
        for (int unsigned level = 0; level < 2; level++) begin
          for (int unsigned digit = 0; digit < Digits; digit++)
            counted[level][digit] <= counted[level][digit]
                + count_t'(below(least_q[level][digit], LANES));
          if (emits) left[level] <= still_left[level];
        end
      end
      if (tiered) begin
        for (int unsigned tier = 0; tier < 3; tier++)
          places[tier] <= places[tier] + count_t'(below(in_tier_q[tier], LANES));
      end
    end
  end
endmodule
