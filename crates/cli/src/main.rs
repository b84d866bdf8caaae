//! The program `dtatrans`.

mod args;
mod commands;
mod console;
mod decoder;
mod interrupt;
mod ladder;
mod machines;
mod model;
mod output;
mod precision;
mod task;
mod texts;
mod traces;

use std::process::ExitCode;

use clap::Parser;

/// The system's allocator gives the pages of large buffers back at once and so
/// pays for page faults at every layer; this one keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    interrupt::install();
    match commands::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            console::error(&error);
            ExitCode::from(if interrupt::requested() { 130 } else { 1 })
        }
    }
}
