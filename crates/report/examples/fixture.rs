//! Prints the page of a report in JSON, by default of the tests' made-up one:
//! `cargo run -p dtatrans-report --example fixture [report.json] > page.html`.

use std::error::Error;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let json = match env::args_os().nth(1) {
        Some(path) => fs::read_to_string(path)?,
        None => include_str!("../tests/data/report.json").to_owned(),
    };
    println!("{}", dtatrans_report::render(&serde_json::from_str(&json)?));
    Ok(())
}
