//! What the elements of a machine do over the time of a run.

use maud::html;

use super::{Section, scrolling};
use crate::chart::{Legend, layers};
use crate::number;
use crate::view::OverTime;

/// The section; `None` where no run was recorded.
pub(crate) fn section(over_time: Option<&OverTime>) -> Option<Section> {
    let run = over_time.filter(|run| !run.shares.is_empty() && !run.causes.is_empty())?;
    let shown: Vec<&str> = run
        .causes
        .iter()
        .enumerate()
        .filter(|(cause, _)| mean(run, *cause) > 0.0)
        .map(|(_, name)| name.as_str())
        .collect();
    let legend = Legend::new(shown.iter().copied());
    let classes: Vec<String> = run.causes.iter().map(|name| legend.class(name)).collect();
    let columns = run.shares.len();
    let active = mean(run, 0);
    Some(Section {
        id: "over-time",
        title: "Utilisation over time",
        short_title: "Over time",
        about: html! {
            p {
                "What the elements of " (run.machine) " do while it runs " (run.of) ", from the \
                 first cycle on the left to the last on the right: the lowest colour is work, \
                 every other one a reason why elements stand idle."
            }
            p {
                "What an array does within a block of tiles is spread over the block evenly."
            }
        },
        content: html! {
            div.scope {
                (legend.list())
                (layers(
                    &format!("{}: utilisation over time", run.machine),
                    &format!("{} of all elements and cycles work", number::percent(active, 1)),
                    &classes,
                    &run.shares,
                    |column| describe(run, column, columns),
                ))
                p.axis { span { "cycle 0" } span { (number::count(run.cycles)) } }
                details {
                    summary { "Causes as numbers" }
                    (scrolling("Causes over the run", &html! {
                        table.numbers {
                            thead { tr { th scope="col" { "cause" } th scope="col" { "share of all elements and cycles" } } }
                            tbody {
                                @for (cause, name) in run.causes.iter().enumerate() {
                                    tr { th scope="row" { (name) } td { (number::percent(mean(run, cause), 2)) } }
                                }
                            }
                        }
                    }))
                }
            }
        },
    })
}

/// The mean share of a cause.
fn mean(run: &OverTime, cause: usize) -> f64 {
    let shares = run.shares.iter().filter_map(|shares| shares.get(cause));
    shares.filter(|share| share.is_finite()).sum::<f64>() / run.shares.len() as f64
}

fn describe(run: &OverTime, column: usize, columns: usize) -> String {
    let from = run.cycles as u128 * column as u128 / columns as u128;
    let shares: Vec<String> = run
        .causes
        .iter()
        .zip(&run.shares[column])
        .filter(|(_, share)| **share >= 0.001)
        .map(|(name, &share)| format!("{name} {}", number::percent(share, 1)))
        .collect();
    format!(
        "From cycle {}: {}",
        number::count(from as u64),
        shares.join(", ")
    )
}
