//! Do words and windows of a text keep their places?

mod support;

use dtatrans_model::{ModelError, TextTokenizer, Truncation};
use proptest::prelude::*;
use support::folder::{CLS, Folder, SEP};

fn tokenizer(limit: usize) -> TextTokenizer {
    let mut tokenizer = Folder::new("tiny-bert").tokenizer();
    tokenizer.set_limit(limit, Truncation::Cut).unwrap();
    tokenizer
}

#[test]
fn each_word_is_found_at_its_first_token() {
    let words = ["hello", "abc", "\u{200b}", "re ad", "[SEP]", "world"];
    let encoded = tokenizer(48).encode_words(&words).unwrap();
    let tokens = [
        "[CLS]", "hello", "a", "##b", "##c", "r", "##e", "a", "##d", "[SEP]", "world", "[SEP]",
    ];
    assert_eq!(encoded.encoding.tokens, tokens);
    let first = [Some(1), Some(2), None, Some(5), Some(9), Some(10)];
    assert_eq!(encoded.first_tokens, first);
    assert_eq!(encoded.encoding.protected.iter().filter(|p| **p).count(), 2);
    assert!(!encoded.encoding.protected[9]);
}

#[test]
fn words_that_are_cut_have_no_token() {
    let encoded = tokenizer(4).encode_words(&["abc", "hello"]).unwrap();
    assert_eq!(encoded.encoding.tokens, ["[CLS]", "a", "##b", "[SEP]"]);
    assert_eq!(encoded.encoding.cut, 2);
    assert_eq!(encoded.first_tokens, [Some(1), None]);
    let none = tokenizer(4).encode_words(&[]).unwrap();
    assert_eq!(none.encoding.ids, [CLS, SEP]);
    assert_eq!(none.first_tokens, []);
}

#[test]
fn a_short_context_is_one_window_like_a_pair() {
    let tokenizer = tokenizer(48);
    let windows = tokenizer
        .encode_windows("hello", "bad  \u{e9}text.", 8)
        .unwrap();
    assert_eq!(windows.len(), 1);
    let pair = tokenizer.encode_pair("hello", "bad  \u{e9}text.").unwrap();
    assert_eq!(windows[0].encoding, pair);
    assert_eq!(windows[0].places[..3], [None, None, None]);
    assert_eq!(windows[0].places[3], Some(0..3));
    // The accented letter takes two bytes of the text, its token one.
    assert_eq!(windows[0].places[4], Some(5..7));
    assert_eq!(windows[0].places.last(), Some(&None));
}

#[test]
fn a_long_context_is_cut_into_windows_that_overlap() {
    // 3 special tokens and 1 of the question leave room for 10.
    let context = "hello world ".repeat(12);
    let windows = tokenizer(14).encode_windows("read", &context, 4).unwrap();
    let first_words: Vec<usize> = windows
        .iter()
        .map(|window| window.places[3].clone().unwrap().start / 6)
        .collect();
    assert_eq!(first_words, [0, 6, 12, 18]);
    let lengths: Vec<usize> = windows.iter().map(|w| w.encoding.len()).collect();
    assert_eq!(lengths, [14, 14, 14, 10]);
    assert!(windows.iter().all(|window| window.encoding.cut == 0));
    assert_eq!(windows[3].encoding.type_ids, [0, 0, 0, 1, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_long_question_leaves_half_of_the_room() {
    let windows = tokenizer(13)
        .encode_windows(&"hello ".repeat(20), "bad text", 100)
        .unwrap();
    assert_eq!(windows.len(), 1);
    assert_eq!(windows[0].encoding.cut, 15);
    assert_eq!(windows[0].encoding.len(), 3 + 5 + 2);
    let beyond = "a".repeat(dtatrans_model::MAX_TEXT_BYTES + 1);
    let outcome = tokenizer(13).encode_windows("hello", &beyond, 1);
    assert!(matches!(outcome, Err(ModelError::Input(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn windows_cover_the_context_and_fit(
        question in "[a-e ]{0,20}",
        context in "[a-e\u{e9}. ]{0,120}",
        limit in 5usize..30,
        stride in 0usize..40,
    ) {
        let tokenizer = tokenizer(limit);
        let windows = tokenizer.encode_windows(&question, &context, stride).unwrap();
        let mut covered = vec![false; context.len()];
        for window in &windows {
            prop_assert!(window.encoding.len() <= limit);
            prop_assert_eq!(window.places.len(), window.encoding.len());
            for (place, kind) in window.places.iter().zip(&window.encoding.type_ids) {
                if let Some(place) = place {
                    prop_assert_eq!(*kind, 1);
                    prop_assert!(context.get(place.clone()).is_some());
                    covered[place.clone()].fill(true);
                }
            }
        }
        let all = tokenizer.count(&context).unwrap();
        prop_assert!(windows.len() <= all.max(1));
        let mut bytes = context.char_indices();
        prop_assert!(bytes.all(|(byte, c)| c == ' ' || covered[byte]));
    }
}
