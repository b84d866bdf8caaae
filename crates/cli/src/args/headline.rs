//! The arguments of `headline`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct HeadlineArguments {
    /// The encoder: a built-in model's name or a folder in Hugging Face's layout
    #[arg(long, short, default_value = "minilm", value_name = "NAME|PATH")]
    pub(crate) model: String,

    /// The encoder's plan [default: plans/minilm-384.toml for `minilm`, else the model's own]
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,

    /// A plan that lets tokens leave for good (`compensation = "drop"`) at the loss of --plan: what
    /// SpAtten runs for the comparison at equal loss [default: plans/minilm-384-spatten.toml for
    /// `minilm`; without one that comparison is left out]
    #[arg(long, value_name = "FILE")]
    pub(crate) spatten_plan: Option<PathBuf>,

    /// The decoder: a built-in model's name, a folder, or a GGUF file
    #[arg(long, default_value = "smollm2", value_name = "NAME|PATH")]
    pub(crate) decoder: String,

    /// The decoder's plan [default: the model's own]
    #[arg(long, value_name = "FILE")]
    pub(crate) decoder_plan: Option<PathBuf>,

    /// Long running text, one piece a line, to take the inputs from [default: the built-in
    /// editorials]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Texts of each length
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) texts: u16,
}
