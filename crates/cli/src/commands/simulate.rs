//! `dtatrans simulate`.
use crate::args::SimulateArguments;
use anyhow::Result;
pub(crate) fn run(_: &SimulateArguments, _: bool) -> Result<()> {
    anyhow::bail!("in work")
}
