//! How well a predicted answer agrees with people's, as SQuAD's official evaluation of version 2
//! counts it (Rajpurkar, Jia and Liang, 2018); for version 1 it gives the same figures.

use std::collections::HashMap;

/// A text as the evaluation compares it: in lower case, without ASCII punctuation, without the
/// articles a, an and the, its words parted by single spaces.
pub fn normalize(text: &str) -> String {
    let lower = text.to_lowercase();
    let kept: String = lower
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    let words = without_articles(&kept);
    let words = words.split(is_space).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// A space in place of each article: an alphanumeric run that is one.
fn without_articles(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let inside = |c: char| c.is_alphanumeric();
        let run = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        match &rest[..run] {
            "a" | "an" | "the" => out.push(' '),
            other => out.push_str(other),
        }
        let next = rest[run..].find(inside).unwrap_or(rest.len() - run);
        out.push_str(&rest[run..run + next]);
        rest = &rest[run + next..];
    }
    out
}

/// What Python's `str.split` splits at.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Exact match and F1 of one answer, each from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AnswerScore {
    /// 1 where the normalized texts are equal.
    pub exact: f64,
    /// The harmonic mean of precision and recall of the words.
    pub f1: f64,
}

impl AnswerScore {
    /// The best score of a prediction against any of the true answers. No true answer, or only ones
    /// of which nothing is left when normalized, mean that there is none: then the empty text is
    /// right.
    pub fn best(predicted: &str, answers: &[String]) -> AnswerScore {
        let predicted = normalize(predicted);
        let mut truths: Vec<String> = answers.iter().map(|answer| normalize(answer)).collect();
        truths.retain(|truth| !truth.is_empty());
        if truths.is_empty() {
            truths.push(String::new());
        }
        truths
            .iter()
            .map(|truth| AnswerScore {
                exact: f64::from(u8::from(predicted == *truth)),
                f1: word_f1(&predicted, truth),
            })
            .fold(AnswerScore::default(), |best, score| AnswerScore {
                exact: best.exact.max(score.exact),
                f1: best.f1.max(score.f1),
            })
    }
}

/// F1 of the words of two normalized texts, as multisets.
fn word_f1(predicted: &str, truth: &str) -> f64 {
    let words = |text: &str| match text {
        "" => 0,
        text => text.split(' ').count(),
    };
    let (predicted_words, truth_words) = (words(predicted), words(truth));
    if predicted_words == 0 || truth_words == 0 {
        return f64::from(u8::from(predicted_words == truth_words));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in truth.split(' ') {
        *left.entry(word).or_default() += 1;
    }
    let mut shared = 0.0;
    for word in predicted.split(' ') {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1.0;
        }
    }
    2.0 * shared / (predicted_words + truth_words) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_go_only_as_whole_words() {
        assert_eq!(normalize("The  A-team's\tanother an."), "ateams another");
        assert_eq!(normalize("théâtre a\u{a0}b"), "théâtre b");
        assert_eq!(normalize("a, an; the!"), "");
    }

    #[test]
    fn the_best_true_answer_counts() {
        let answers = ["red fox".to_owned(), "a quick red fox".to_owned()];
        let score = AnswerScore::best("The quick fox", &answers);
        // Against the second: 2 shared of 2 and 3 words.
        assert_eq!(score.exact, 0.0);
        assert!((score.f1 - 0.8).abs() < 1e-12, "{score:?}");
        let full = AnswerScore::best("Red Fox!", &answers);
        assert_eq!((full.exact, full.f1), (1.0, 1.0));
    }

    #[test]
    fn without_an_answer_only_the_empty_text_is_right() {
        for none in [&[][..], &["the".to_owned()]] {
            assert_eq!(AnswerScore::best("", none).f1, 1.0);
            assert_eq!(AnswerScore::best("fox", none), AnswerScore::default());
        }
        let answers = ["fox".to_owned()];
        assert_eq!(AnswerScore::best("", &answers), AnswerScore::default());
    }
}
