//! From the arguments of `eval` and `search` to a task's source.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::CommandFactory;
use clap::error::ErrorKind;
use dtatrans_assets::Asset;
use dtatrans_tasks::{Part, ProbeFiles, TaskSource};

use crate::args::{Arguments, EvalArguments, PartArgument, TaskArgument, TaskFiles};
use crate::model;

/// The data set's file in the built-in asset `movie-reviews`.
const SNIPPETS: &str = "movieReviewSnippets_GroundTruth.txt";

/// The most tokens of a window of `long-text`, special ones included.
const WINDOW_TOKENS: u16 = 384;

/// The file of the built-in movie-review snippets, fetched if need be.
pub(crate) fn movie_reviews() -> Result<PathBuf> {
    Ok(model::fetch(Asset::find("movie-reviews")?)?.join(SNIPPETS))
}

/// What the arguments of `eval` ask for. Ends the program with a message on
/// usage where they do not fit the task.
pub(crate) fn source(arguments: &EvalArguments) -> Result<TaskSource> {
    source_of("eval", arguments.task, &arguments.files, Part::Reporting)
}

/// A task on these files; `part` counts where they do not say. Ends the program
/// with a message on the command's usage where they do not fit the task.
pub(crate) fn source_of(
    command: &str,
    task: TaskArgument,
    files: &TaskFiles,
    part: Part,
) -> Result<TaskSource> {
    if let Err((kind, message)) = check(task, files) {
        wrong_usage(command, kind, message);
    }
    let data = files.data.clone();
    let part = match files.part {
        Some(PartArgument::Choosing) => Part::Choosing,
        Some(PartArgument::Reporting) => Part::Reporting,
        None => part,
    };
    Ok(match task {
        TaskArgument::Stsb => TaskSource::StsB(data),
        TaskArgument::Sst2 => TaskSource::Sst2(data),
        TaskArgument::Cola => TaskSource::Cola(data),
        TaskArgument::MovieSnippets => TaskSource::MovieSnippets {
            snippets: match data.is_empty() {
                true => vec![movie_reviews()?],
                false => data,
            },
            exclude: files.exclude.clone(),
        },
        TaskArgument::Probe => TaskSource::Probe(match data.is_empty() {
            true => ProbeFiles::MovieReviews {
                file: movie_reviews()?,
                part,
            },
            false => ProbeFiles::Labelled {
                train: files.train.clone(),
                test: data,
            },
        }),
        TaskArgument::LongText => TaskSource::LongText {
            articles: data,
            part,
            window_tokens: files.window_tokens.unwrap_or(WINDOW_TOKENS).into(),
        },
        TaskArgument::Conll2003 => TaskSource::Conll(data),
        TaskArgument::Squad => TaskSource::Squad(data),
        TaskArgument::Lm | TaskArgument::Needle => {
            bail!("--task {} needs a decoder", task.name())
        }
    })
}

/// Ends the program with a message on usage where a command got files of a task
/// without a task.
pub(crate) fn refuse_files(command: &str, files: &TaskFiles) {
    for (option, given) in [
        ("--data", !files.data.is_empty()),
        ("--exclude", !files.exclude.is_empty()),
        ("--train", !files.train.is_empty()),
        ("--part", files.part.is_some()),
        ("--window-tokens", files.window_tokens.is_some()),
    ] {
        if given {
            let message = format!("{option} needs --task");
            wrong_usage(command, ErrorKind::ArgumentConflict, message);
        }
    }
}

/// Ends the program with a message on a command's usage.
pub(crate) fn wrong_usage(name: &str, kind: ErrorKind, message: String) -> ! {
    let mut command = Arguments::command();
    command.build();
    let command = command
        .find_subcommand_mut(name)
        .expect("the name of a command");
    command.error(kind, message).exit();
}

/// Whether the options fit the task.
fn check(task: TaskArgument, files: &TaskFiles) -> Result<(), (ErrorKind, String)> {
    use TaskArgument as Task;
    let name = task.name();
    for (option, given, taken_by) in [
        (
            "--exclude",
            !files.exclude.is_empty(),
            &[Task::MovieSnippets][..],
        ),
        ("--train", !files.train.is_empty(), &[Task::Probe]),
        (
            "--part",
            files.part.is_some(),
            &[Task::LongText, Task::Probe],
        ),
        (
            "--window-tokens",
            files.window_tokens.is_some(),
            &[Task::LongText],
        ),
    ] {
        if given && !taken_by.contains(&task) {
            let names: Vec<String> = taken_by.iter().map(|task| task.name()).collect();
            let message = format!(
                "{option} is for --task {}, not for {name}",
                names.join(" or ")
            );
            return Err((ErrorKind::ArgumentConflict, message));
        }
    }
    if task == Task::Probe && files.part.is_some() && !files.data.is_empty() {
        let message = "--part is for the built-in movie reviews, not for --data".into();
        return Err((ErrorKind::ArgumentConflict, message));
    }
    let missing = |option: &str| {
        let message = format!("--task {name} needs {option} FILE");
        Err((ErrorKind::MissingRequiredArgument, message))
    };
    match (task, files.data.is_empty(), files.train.is_empty()) {
        (Task::Probe, false, true) => missing("--train"),
        (Task::Probe, true, false) => missing("--data"),
        (Task::Probe | Task::MovieSnippets, _, _) | (_, false, _) => Ok(()),
        (_, true, _) => missing("--data"),
    }
}
