//! Joining shares.

use std::path::{Path, PathBuf};

use crate::points::of_identities;
use crate::table::{Group, Heading, Parts, replace};
use crate::{Share, SweepError, rows};

/// A share that was read.
struct Part {
    path: PathBuf,
    text: String,
}

/// Joins all shares of a sweep into its complete table, and gives that table's text: the
/// bytes that one run on one machine gives.
///
/// # Errors
/// A [`SweepError`] that names the share that is missing, foreign, given twice, not
/// finished or damaged. Nothing is written then.
pub fn merge(out: &Path, shares: &[PathBuf]) -> Result<String, SweepError> {
    let mut parts = Vec::new();
    for path in shares {
        let bytes = std::fs::read(path).map_err(SweepError::io(path))?;
        parts.push(Part {
            path: path.clone(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        });
    }
    let text = join(&parts)?;
    replace(out, text.as_bytes()).map_err(SweepError::io(out))?;
    Ok(text)
}

fn join(parts: &[Part]) -> Result<String, SweepError> {
    let mut first: Option<(&Path, Heading, Share)> = None;
    let mut found: Vec<Option<(&Path, Vec<Group>)>> = Vec::new();
    for part in parts {
        let path = part.path.as_path();
        let refuse = |reason: String| SweepError::Table {
            file: path.into(),
            reason,
        };
        let table = Parts::of(path, &part.text)?;
        let heading = table
            .heading
            .clone()
            .ok_or_else(|| refuse("is a whole table, and no share of one".into()))?;
        let Some(name) = heading.share.clone() else {
            return Err(refuse(
                "is a whole table that is not finished, and no share".into(),
            ));
        };
        let share: Share = name.parse()?;
        let (first_path, first_heading, first_share) =
            first.get_or_insert_with(|| (path, heading.clone(), share));
        if heading.sweep != first_heading.sweep || heading.points != first_heading.points {
            return Err(SweepError::ForeignShare {
                file: path.into(),
                found: heading.sweep_and_program(),
                first: (*first_path).into(),
                wanted: first_heading.sweep_and_program(),
            });
        }
        if share.of() != first_share.of() {
            let first = first_path.display();
            return Err(refuse(format!(
                "is share {share}, and {first} is share {first_share}: of another division"
            )));
        }
        found.resize_with(share.of(), || None);
        if let Some((other, _)) = &found[share.index()] {
            return Err(SweepError::ShareTwice {
                file: path.into(),
                share: name,
                first: (*other).into(),
            });
        }
        if !table.is_complete() {
            return Err(SweepError::Unfinished {
                file: path.into(),
                share: name,
            });
        }
        let groups = table.groups(path)?;
        if groups.len() != share.numbers(heading.points).count() {
            return Err(refuse(format!("share {share} has {} points", groups.len())));
        }
        found[share.index()] = Some((path, groups));
    }
    let Some((first, heading, _)) = first else {
        return Err(SweepError::MissingShare {
            missing: "1/1".into(),
        });
    };
    let missing: Vec<String> = found
        .iter()
        .enumerate()
        .filter(|(_, part)| part.is_none())
        .map(|(index, _)| format!("{}/{}", index + 1, found.len()))
        .collect();
    if !missing.is_empty() {
        return Err(SweepError::MissingShare {
            missing: missing.join(", "),
        });
    }
    let shares: Vec<Vec<Group>> = found
        .into_iter()
        .flatten()
        .map(|(_, groups)| groups)
        .collect();
    // Point `number` is in share `number` modulo their count.
    let point = |number: usize| &shares[number % shares.len()][number / shares.len()];
    let points = (0..heading.points).map(point);
    let identities = points.clone().map(|group| group.identity.as_str());
    if of_identities(identities) != heading.sweep {
        return Err(SweepError::Table {
            file: first.into(),
            reason: "its rows and those of the other shares are not the sweep's that they name"
                .into(),
        });
    }
    let lines = points.flat_map(|group| group.lines.iter().copied());
    Ok(rows::heading() + &lines.collect::<String>())
}
