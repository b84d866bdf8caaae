//! Which texts plans are measured on: a task's data, or bare texts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use dtatrans_assets::sha256_hex;
use dtatrans_tasks::{Part, ProbeFiles, Task, TaskSource};
use serde_json::{Value, json};

use crate::args::{PartArgument, SearchArguments, TaskArgument, TaskFiles, TextArguments};
use crate::{task, texts};

/// The texts, and what is asked of them.
pub(super) enum Subject {
    /// A task's metric counts.
    Task(TaskSource),
    /// Agreement with f32 counts, on the texts of one file.
    Texts(PathBuf),
}

/// The texts once they are read.
pub(super) enum Material {
    Task(Box<dyn Task>),
    Texts(Vec<String>),
}

impl Subject {
    /// What the search sees. Ends the program with a message on usage where the
    /// arguments do not fit the task.
    pub(super) fn searched(arguments: &SearchArguments) -> Result<Subject> {
        let files = &arguments.files;
        match (arguments.task, &arguments.texts) {
            (Some(name), _) => {
                let source = task::source_of("search", name, files, Part::Choosing)?;
                Ok(Subject::Task(source))
            }
            (None, Some(file)) => {
                task::refuse_files("search", files);
                Ok(Subject::Texts(file.clone()))
            }
            (None, None) => bail!("no texts: give them by --data or --texts"),
        }
    }

    /// What the chosen plan is measured on as well, if anything. Of `long-text`
    /// that is the other half of the articles.
    pub(super) fn unseen(arguments: &SearchArguments) -> Result<Option<Subject>> {
        let data = &arguments.validate;
        if data.is_empty() {
            return Ok(None);
        }
        let Some(name) = arguments.validate_task.or(arguments.task) else {
            let [file] = &data[..] else {
                bail!("--validate: one file of texts is enough");
            };
            return Ok(Some(Subject::Texts(file.clone())));
        };
        let searched = &arguments.files;
        let mut files = TaskFiles {
            data: data.clone(),
            ..TaskFiles::default()
        };
        match name {
            TaskArgument::MovieSnippets => files.exclude.clone_from(&searched.exclude),
            TaskArgument::Probe => files.train.clone_from(&searched.train),
            TaskArgument::LongText => {
                files.part = Some(PartArgument::Reporting);
                files.window_tokens = searched.window_tokens;
            }
            _ => {}
        }
        let source = task::source_of("search", name, &files, Part::Reporting)?;
        Ok(Some(Subject::Task(source)))
    }

    /// Reads the files.
    pub(super) fn open(&self) -> Result<Material> {
        Ok(match self {
            Subject::Task(source) => Material::Task(source.open()?),
            Subject::Texts(file) => Material::Texts(read_texts(file)?),
        })
    }

    /// The files' names, for people.
    pub(super) fn names(&self) -> String {
        let names = self.files().into_iter().filter_map(|(_, file)| {
            let name = file.file_name()?.to_string_lossy();
            Some(name.into_owned())
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// All that decides what is measured, by name: sizes and SHA-256 of the
    /// files, and which part of them counts.
    pub(super) fn settings(&self) -> Result<BTreeMap<String, Value>> {
        let mut settings = BTreeMap::new();
        for (name, file) in self.files() {
            let files = settings.entry(name.to_owned()).or_insert_with(|| json!([]));
            if let Value::Array(files) = files {
                files.push(hash_of(file)?);
            }
        }
        match self {
            Subject::Task(TaskSource::LongText {
                part,
                window_tokens,
                ..
            }) => {
                settings.insert("part".into(), json!(part.name()));
                settings.insert("window_tokens".into(), json!(window_tokens));
            }
            Subject::Task(TaskSource::Probe(ProbeFiles::MovieReviews { part, .. })) => {
                settings.insert("part".into(), json!(part.name()));
            }
            _ => {}
        }
        Ok(settings)
    }

    /// The files, each with what it is for.
    fn files(&self) -> Vec<(&'static str, &Path)> {
        let all: Vec<(&'static str, &[PathBuf])> = match self {
            Subject::Texts(file) => vec![("texts", std::slice::from_ref(file))],
            Subject::Task(source) => match source {
                TaskSource::StsB(data)
                | TaskSource::Sst2(data)
                | TaskSource::Cola(data)
                | TaskSource::Conll(data)
                | TaskSource::Squad(data)
                | TaskSource::LongText { articles: data, .. } => vec![("data", data)],
                TaskSource::MovieSnippets { snippets, exclude } => {
                    vec![("data", snippets), ("exclude", exclude)]
                }
                TaskSource::Probe(ProbeFiles::MovieReviews { file, .. }) => {
                    vec![("data", std::slice::from_ref(file))]
                }
                TaskSource::Probe(ProbeFiles::Labelled { train, test }) => {
                    vec![("data", test), ("train", train)]
                }
            },
        };
        all.into_iter()
            .flat_map(|(name, files)| files.iter().map(move |file| (name, file.as_path())))
            .collect()
    }
}

/// The texts of a file, one a line.
pub(super) fn read_texts(file: &Path) -> Result<Vec<String>> {
    texts::read(&TextArguments {
        texts: Vec::new(),
        file: Some(file.into()),
    })
}

/// Size and SHA-256 of a file.
pub(super) fn hash_of(file: &Path) -> Result<Value> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    Ok(json!({"bytes": bytes.len(), "sha256": sha256_hex(&bytes)}))
}
