//! From scores of the beginning and the end of an answer to a span of the context, by the rule of
//! Hugging Face's `run_qa`.

use std::ops::Range;

/// How many places are considered as a beginning, and as an end, in each window.
const N_BEST: usize = 20;
/// The most tokens of an answer.
const MAX_TOKENS: usize = 30;

/// What a model says about one window of a context.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// Two scores per token, (tokens, 2): that the answer begins there, and that it ends there. The
    /// first token's say that there is no answer.
    pub logits: &'a [f32],
    /// The bytes of the context that each token stands for; none for other tokens.
    pub places: &'a [Option<Range<usize>>],
}

/// The bytes of the context that answer best over all windows, an empty range for the answer that
/// there is none.
///
/// In each window the 20 best beginnings are paired with the 20 best ends; a pair counts if both
/// tokens are of the context, in this order, and the span has at most 30 tokens. The pair with the
/// largest sum of scores wins, among equals the earlier window, better beginning and better end.
/// Where there may be no answer (`may_lack`), the sum of the first token's scores says so, in the
/// window where it is least: if it is larger than the best pair's, there is none. Where no pair
/// counts the answer is empty (`run_qa` then says the word "empty").
pub fn best_answer(windows: &[Scored], may_lack: bool) -> Range<usize> {
    let mut best: Option<(f32, Range<usize>)> = None;
    let mut none = f32::INFINITY;
    for window in windows {
        let (scores, _) = window.logits.as_chunks::<2>();
        let Some(first) = scores.first() else {
            continue;
        };
        none = none.min(first[0] + first[1]);
        let ends = highest(scores, 1);
        for begin in highest(scores, 0) {
            for &end in &ends {
                if end < begin || end - begin >= MAX_TOKENS {
                    continue;
                }
                let (Some(from), Some(to)) = (&window.places[begin], &window.places[end]) else {
                    continue;
                };
                let score = scores[begin][0] + scores[end][1];
                if best.as_ref().is_none_or(|(best, _)| score > *best) {
                    best = Some((score, from.start..to.end));
                }
            }
        }
    }
    match best {
        Some((score, _)) if may_lack && none > score => 0..0,
        Some((_, span)) => span,
        None => 0..0,
    }
}

/// The tokens of the highest scores, highest first, earlier first among equals.
fn highest(scores: &[[f32; 2]], which: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b][which].total_cmp(&scores[a][which]));
    order.truncate(N_BEST);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window of tokens of one byte each behind a question token, with these best scores.
    struct Window {
        logits: Vec<f32>,
        places: Vec<Option<Range<usize>>>,
    }

    impl Window {
        fn new(tokens: usize, begins: &[(usize, f32)], ends: &[(usize, f32)]) -> Window {
            let mut logits = vec![0.0; 2 * (tokens + 1)];
            for (which, scores) in [begins, ends].into_iter().enumerate() {
                for &(token, score) in scores {
                    logits[2 * token + which] = score;
                }
            }
            let places = (0..tokens).map(|byte| Some(byte..byte + 1));
            let places = [None].into_iter().chain(places).collect();
            Window { logits, places }
        }

        fn scored(&self) -> Scored<'_> {
            Scored {
                logits: &self.logits,
                places: &self.places,
            }
        }
    }

    #[test]
    fn the_best_pair_in_order_wins() {
        // The best beginning stands behind the best end.
        let window = Window::new(10, &[(7, 5.0), (2, 3.0)], &[(4, 5.0), (8, 1.0)]);
        assert_eq!(best_answer(&[window.scored()], false), 1..4);
    }

    #[test]
    fn an_answer_has_at_most_30_tokens() {
        let window = Window::new(40, &[(1, 5.0), (2, 4.0)], &[(31, 5.0)]);
        assert_eq!(best_answer(&[window.scored()], false), 1..31);
    }

    #[test]
    fn the_question_is_no_answer() {
        let window = Window::new(3, &[(0, 9.0), (2, 1.0)], &[(0, 9.0), (2, 1.0)]);
        assert_eq!(best_answer(&[window.scored()], false), 1..2);
        assert_eq!(best_answer(&[window.scored()], true), 0..0);
    }

    #[test]
    fn no_answer_needs_all_windows() {
        let sure = Window::new(3, &[(0, 9.0), (2, 2.0)], &[(0, 9.0), (2, 2.0)]);
        let unsure = Window::new(3, &[(0, 1.0), (3, 1.5)], &[(0, 1.0), (3, 1.5)]);
        let windows = [sure.scored(), unsure.scored()];
        assert_eq!(best_answer(&windows, true), 1..2);
    }

    #[test]
    fn a_beginning_that_is_not_among_the_best_20_is_not_considered() {
        // Twenty better beginnings, all behind the only end.
        let begins: Vec<(usize, f32)> = (2..23).map(|token| (token, 2.0)).collect();
        let with_first = |score| [&begins[..], &[(1, score)]].concat();
        let window = Window::new(22, &with_first(1.0), &[(1, 50.0)]);
        assert_ne!(best_answer(&[window.scored()], false), 0..1);
        let window = Window::new(22, &with_first(3.0), &[(1, 50.0)]);
        assert_eq!(best_answer(&[window.scored()], false), 0..1);
    }

    #[test]
    fn nothing_to_choose_from_is_the_empty_answer() {
        let window = Window::new(0, &[], &[]);
        assert_eq!(best_answer(&[window.scored()], false), 0..0);
        assert_eq!(best_answer(&[], true), 0..0);
    }
}
