//! Prints the page of a comparison in JSON, such as `dtatrans compare --json` gives, by
//! default of the tests' made-up one:
//! `cargo run -p dtatrans-report --example comparison_fixture [comparison.json] > page.html`.

use std::error::Error;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let json = match env::args_os().nth(1) {
        Some(path) => fs::read_to_string(path)?,
        None => include_str!("../tests/data/comparison.json").to_owned(),
    };
    let comparison = serde_json::from_str(&json)?;
    println!("{}", dtatrans_report::render_comparison(&comparison));
    Ok(())
}
