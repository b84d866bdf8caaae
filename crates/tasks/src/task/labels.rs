//! SST-2, CoLA and the movie-review snippets: a classifier's more probable label against the true
//! one, 0 or 1.

use std::collections::HashSet;
use std::path::PathBuf;

use dtatrans_model::{Encoding, Head, Output, TextTokenizer};

use super::{Prepared, Task, check_outputs, encode};
use crate::counted::{CountedLabels, CountedMetric, LabelMetric};
use crate::data::movie_reviews::Snippet;
use crate::data::{cola, read_all, sst2};
use crate::{Error, Result};

pub(super) struct Labels {
    name: &'static str,
    metric: LabelMetric,
    rows: Vec<(String, bool)>,
}

impl Labels {
    pub(super) fn sst2(files: &[PathBuf]) -> Result<Labels> {
        let rows = read_all(files, sst2::read)?.into_iter();
        Ok(Labels {
            name: "sst2",
            metric: LabelMetric::Accuracy,
            rows: rows.map(|row| (row.sentence, row.positive)).collect(),
        })
    }

    pub(super) fn cola(files: &[PathBuf]) -> Result<Labels> {
        let rows = read_all(files, cola::read)?.into_iter();
        Ok(Labels {
            name: "cola",
            metric: LabelMetric::Matthews,
            rows: rows.map(|row| (row.sentence, row.acceptable)).collect(),
        })
    }

    /// All snippets that are none of the sentences of the SST-2 files, labelled by the sign of
    /// their ratings; a rating of exactly 0 counts as negative.
    pub(super) fn movie_snippets(snippets: Vec<Snippet>, exclude: &[PathBuf]) -> Result<Labels> {
        let excluded: HashSet<String> = read_all(exclude, sst2::read)?
            .iter()
            .map(|row| essence(&row.sentence))
            .collect();
        let items = snippets.len();
        let rows: Vec<(String, bool)> = snippets
            .into_iter()
            .filter(|snippet| !excluded.contains(&essence(&snippet.text)))
            .map(|snippet| {
                let positive = snippet.positive();
                (snippet.text, positive)
            })
            .collect();
        if rows.is_empty() {
            return Err(Error::AllExcluded { items });
        }
        Ok(Labels {
            name: "movie-snippets",
            metric: LabelMetric::Accuracy,
            rows,
        })
    }

    /// That the model gives one of two labels.
    fn check(&self, head: &Head) -> Result<()> {
        match head {
            Head::Classifier { labels } if labels.len() == 2 => Ok(()),
            _ => Err(Error::Head {
                task: self.name,
                needed: "a classifier of two labels",
            }),
        }
    }

    fn counted(&self, outputs: &[Output]) -> Result<Box<dyn CountedMetric>> {
        let outputs = outputs.iter();
        let predicted: Vec<bool> = outputs.map(|out| out.value[1] > out.value[0]).collect();
        let truth: Vec<bool> = self.rows.iter().map(|(_, label)| *label).collect();
        let counted = CountedLabels::new(self.metric, &predicted, &truth)?;
        Ok(Box::new(counted))
    }
}

/// What two copies of a sentence have in common: its ASCII letters, in lower case, and digits. The
/// sets part words and punctuation in different ways, and one has lost its accents.
fn essence(text: &str) -> String {
    let kept = text.chars().flat_map(char::to_lowercase);
    kept.filter(char::is_ascii_alphanumeric).collect()
}

impl Task for Labels {
    fn name(&self) -> &'static str {
        self.name
    }

    fn metrics(&self) -> &'static [&'static str] {
        match self.metric {
            LabelMetric::Accuracy => &["accuracy"],
            LabelMetric::F1 => &["f1"],
            LabelMetric::Matthews => &["matthews"],
        }
    }

    fn prepare(&self, tokenizer: &TextTokenizer, head: &Head) -> Result<Box<dyn Prepared + '_>> {
        self.check(head)?;
        Ok(Box::new(Labelled {
            task: self,
            inputs: encode(tokenizer, self.rows.iter().map(|(text, _)| text.as_str()))?,
        }))
    }
}

/// The texts, encoded.
struct Labelled<'t> {
    task: &'t Labels,
    inputs: Vec<Encoding>,
}

impl Prepared for Labelled<'_> {
    fn items(&self) -> usize {
        self.task.rows.len()
    }

    fn inputs(&self) -> &[Encoding] {
        &self.inputs
    }

    fn score(&self, outputs: &[Output]) -> Result<Vec<Box<dyn CountedMetric>>> {
        check_outputs(outputs, &self.inputs)?;
        Ok(vec![self.task.counted(outputs)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippet(text: &str, mean_rating: f64) -> Snippet {
        Snippet {
            id: text.into(),
            mean_rating,
            text: text.into(),
        }
    }

    #[test]
    fn snippets_of_the_excluded_files_are_left_out_however_they_are_spaced() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["one.tsv", "two.tsv"].map(|name| folder.path().join(name));
        std::fs::write(
            &files[0],
            "sentence\tlabel\na caf\u{e9} , we 'd say . \t1\n",
        )
        .unwrap();
        std::fs::write(&files[1], "sentence\tlabel\ndull\t0\n").unwrap();
        let all = || {
            vec![
                snippet("A caf, we'd say!", 1.0),
                snippet("Dull", -1.0),
                snippet("Duller.", -1.0),
                snippet("So so.", 0.0),
                snippet("Bright.", 0.1),
            ]
        };
        let left = Labels::movie_snippets(all(), &files).unwrap().rows;
        let want = [("Duller.", false), ("So so.", false), ("Bright.", true)];
        assert_eq!(left, want.map(|(text, label)| (text.to_owned(), label)));
        assert_eq!(Labels::movie_snippets(all(), &[]).unwrap().rows.len(), 5);
        let outcome = Labels::movie_snippets(vec![snippet("DULL", 1.0)], &files);
        assert!(matches!(outcome, Err(Error::AllExcluded { items: 1 })));
    }
}
