//! Named entities in tag sequences, counted as seqeval does in its default mode (Nakayama, 2018), which
//! follows the rules of CoNLL's `conlleval`: an entity may begin with any tag but `O`, and ends where
//! the next tag does not continue it.

use std::collections::HashSet;

use crate::metrics::points;

/// A word's tag: where in an entity it stands, and the entity's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag<'t> {
    /// `O`: in no entity.
    Outside,
    /// `B-` and a kind: an entity begins.
    Begin(&'t str),
    /// `I-` and a kind: within an entity.
    Inside(&'t str),
    /// `E-` and a kind: the last word of an entity.
    End(&'t str),
    /// `S-` and a kind: the only word of an entity.
    Single(&'t str),
}

impl<'t> Tag<'t> {
    /// Reads a tag; none for what is no tag.
    pub fn parse(text: &'t str) -> Option<Tag<'t>> {
        if text == "O" {
            return Some(Tag::Outside);
        }
        let (place, kind) = text.split_once('-')?;
        let tag = match place {
            "B" => Tag::Begin,
            "I" => Tag::Inside,
            "E" => Tag::End,
            "S" => Tag::Single,
            _ => return None,
        };
        (!kind.is_empty()).then(|| tag(kind))
    }

    /// The kind of entity; none outside.
    fn kind(self) -> Option<&'t str> {
        match self {
            Tag::Outside => None,
            Tag::Begin(kind) | Tag::Inside(kind) | Tag::End(kind) | Tag::Single(kind) => Some(kind),
        }
    }

    /// Whether a word with this tag belongs to the entity of the word before it.
    fn continues(self, before: Tag) -> bool {
        match (before, self) {
            (Tag::Begin(a) | Tag::Inside(a), Tag::Inside(b) | Tag::End(b)) => a == b,
            _ => false,
        }
    }
}

/// An entity: its kind, and its first and last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entity<'t> {
    /// Its kind.
    pub kind: &'t str,
    /// Its first word, from 0.
    pub first: usize,
    /// Its last word.
    pub last: usize,
}

/// The entities of a sentence.
pub fn entities<'t>(tags: &[Tag<'t>]) -> Vec<Entity<'t>> {
    let mut found: Vec<Entity> = Vec::new();
    let mut before = Tag::Outside;
    for (word, &tag) in tags.iter().enumerate() {
        match (found.last_mut(), tag.kind()) {
            (Some(entity), _) if tag.continues(before) => entity.last = word,
            (_, Some(kind)) => found.push(Entity {
                kind,
                first: word,
                last: word,
            }),
            _ => {}
        }
        before = tag;
    }
    found
}

/// How many entities were predicted, are true, and both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EntityCounts {
    /// Predicted entities.
    pub predicted: u64,
    /// True entities.
    pub truth: u64,
    /// Entities that are both: of the same kind and extent.
    pub right: u64,
}

impl EntityCounts {
    /// Counts one sentence.
    pub fn of(predicted: &[Tag], truth: &[Tag]) -> EntityCounts {
        let (predicted, truth) = (entities(predicted), entities(truth));
        let known: HashSet<&Entity> = truth.iter().collect();
        EntityCounts {
            predicted: predicted.len() as u64,
            truth: truth.len() as u64,
            right: predicted.iter().filter(|e| known.contains(e)).count() as u64,
        }
    }

    /// Adds a sentence that occurred `count` times.
    pub fn add(&mut self, sentence: &EntityCounts, count: u64) {
        self.predicted += sentence.predicted * count;
        self.truth += sentence.truth * count;
        self.right += sentence.right * count;
    }

    /// The share of the predicted entities that are right, 0 to 100; 0 for none.
    pub fn precision(&self) -> f64 {
        points(self.right as f64, self.predicted as f64)
    }

    /// The share of the true entities that were found, 0 to 100; 0 for none.
    pub fn recall(&self) -> f64 {
        points(self.right as f64, self.truth as f64)
    }

    /// The harmonic mean of precision and recall, 0 to 100; 0 where both are.
    pub fn f1(&self) -> f64 {
        points(
            2.0 * self.right as f64,
            (self.predicted + self.truth) as f64,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_or_refused() {
        assert_eq!(Tag::parse("O"), Some(Tag::Outside));
        assert_eq!(Tag::parse("I-x-y"), Some(Tag::Inside("x-y")));
        for text in ["", "o", "B", "B-", "X-per", "-", "LABEL_0", "BB-per"] {
            assert_eq!(Tag::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_entity_may_begin_without_b_and_ends_where_nothing_continues_it() {
        let tags = [
            "I-a", "I-a", "B-a", "I-b", "O", "E-a", "S-b", "I-b", "E-b", "E-b",
        ];
        let tags = tags.map(|tag| Tag::parse(tag).unwrap());
        let spans: Vec<_> = entities(&tags)
            .iter()
            .map(|e| (e.kind, e.first, e.last))
            .collect();
        let want = [
            ("a", 0, 1),
            ("a", 2, 2),
            ("b", 3, 3),
            ("a", 5, 5),
            ("b", 6, 6),
            ("b", 7, 8),
            ("b", 9, 9),
        ];
        assert_eq!(spans, want);
    }

    #[test]
    fn nothing_predicted_or_nothing_true_is_0() {
        let counts = EntityCounts::default();
        assert_eq!(
            [counts.f1(), counts.precision(), counts.recall()],
            [0.0, 0.0, 0.0]
        );
    }
}
