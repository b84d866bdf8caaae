//! `dtatrans completions` and `dtatrans man`: made from the argument definitions.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::args::Arguments;
use crate::output;

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "dtatrans", &mut script);
    Ok(std::io::stdout().lock().write_all(&script)?)
}

pub(crate) fn manual(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut command = Arguments::command();
    command.build();
    page(&command, folder)?;
    for command in command
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        page(command, folder)?;
    }
    Ok(())
}

fn page(command: &clap::Command, folder: &Path) -> Result<()> {
    let page = clap_mangen::Man::new(command.clone());
    output::write_file(&folder.join(page.get_filename()), |out| {
        let mut text = Vec::new();
        page.render(&mut text)?;
        Ok(out.write_all(&text)?)
    })
}
