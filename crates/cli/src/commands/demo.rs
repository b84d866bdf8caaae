//! `dtatrans demo`.
use crate::args::DemoArguments;
use anyhow::Result;
use dtatrans_kernels::Isa;
pub(crate) fn run(_: &DemoArguments, _: Isa, _: bool) -> Result<()> {
    anyhow::bail!("in work")
}
