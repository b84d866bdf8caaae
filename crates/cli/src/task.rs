//! From the arguments of `eval` to a task's source.

use std::path::PathBuf;

use anyhow::Result;
use clap::CommandFactory;
use clap::error::ErrorKind;
use dtatrans_assets::Asset;
use dtatrans_tasks::{Part, ProbeFiles, TaskSource};

use crate::args::{Arguments, EvalArguments, EvalTask, PartArgument};
use crate::model;

/// The data set's file in the built-in asset `movie-reviews`.
const SNIPPETS: &str = "movieReviewSnippets_GroundTruth.txt";

/// The most tokens of a window of `long-text`, special ones included.
const WINDOW_TOKENS: u16 = 384;

/// The file of the built-in movie-review snippets, fetched if need be.
pub(crate) fn movie_reviews() -> Result<PathBuf> {
    Ok(model::fetch(Asset::find("movie-reviews")?)?.join(SNIPPETS))
}

/// What the arguments ask for. Ends the program with a message on usage where
/// they do not fit the task.
pub(crate) fn source(arguments: &EvalArguments) -> Result<TaskSource> {
    if let Err((kind, message)) = check(arguments) {
        let mut command = Arguments::command();
        command.build();
        let eval = command
            .find_subcommand_mut("eval")
            .expect("eval is a subcommand");
        eval.error(kind, message).exit();
    }
    let data = arguments.data.clone();
    Ok(match arguments.task {
        EvalTask::Stsb => TaskSource::StsB(data),
        EvalTask::Sst2 => TaskSource::Sst2(data),
        EvalTask::Cola => TaskSource::Cola(data),
        EvalTask::MovieSnippets => TaskSource::MovieSnippets {
            snippets: match data.is_empty() {
                true => vec![movie_reviews()?],
                false => data,
            },
            exclude: arguments.exclude.clone(),
        },
        EvalTask::Probe => TaskSource::Probe(match data.is_empty() {
            true => ProbeFiles::MovieReviews(movie_reviews()?),
            false => ProbeFiles::Labelled {
                train: arguments.train.clone(),
                test: data,
            },
        }),
        EvalTask::LongText => TaskSource::LongText {
            articles: data,
            part: match arguments.part {
                Some(PartArgument::Choosing) => Part::Choosing,
                Some(PartArgument::Reporting) | None => Part::Reporting,
            },
            window_tokens: arguments.window_tokens.unwrap_or(WINDOW_TOKENS).into(),
        },
        EvalTask::Conll2003 => TaskSource::Conll(data),
        EvalTask::Squad => TaskSource::Squad(data),
    })
}

/// Whether the options fit the task.
fn check(arguments: &EvalArguments) -> Result<(), (ErrorKind, String)> {
    use EvalTask as Task;
    let task = arguments.task;
    let name = task.name();
    for (option, given, taken_by) in [
        (
            "--exclude",
            !arguments.exclude.is_empty(),
            Task::MovieSnippets,
        ),
        ("--train", !arguments.train.is_empty(), Task::Probe),
        ("--part", arguments.part.is_some(), Task::LongText),
        (
            "--window-tokens",
            arguments.window_tokens.is_some(),
            Task::LongText,
        ),
    ] {
        if given && task != taken_by {
            let message = format!("{option} is for --task {}, not for {name}", taken_by.name());
            return Err((ErrorKind::ArgumentConflict, message));
        }
    }
    let missing = |option: &str| {
        let message = format!("--task {name} needs {option} FILE");
        Err((ErrorKind::MissingRequiredArgument, message))
    };
    match (task, arguments.data.is_empty(), arguments.train.is_empty()) {
        (Task::Probe, false, true) => missing("--train"),
        (Task::Probe, true, false) => missing("--data"),
        (Task::Probe | Task::MovieSnippets, _, _) | (_, false, _) => Ok(()),
        (_, true, _) => missing("--data"),
    }
}
