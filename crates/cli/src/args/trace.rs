//! The arguments of `trace`.

use std::fmt;
use std::str::FromStr;

use clap::Args;

use super::{GenerationArguments, RunArguments};

#[derive(Args, Debug)]
pub(crate) struct TraceArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,

    /// Also write what the attention of this layer multiplies, or of one of its heads: integer
    /// codes of queries, keys, values and probabilities, their scales, and the sums; layers and
    /// heads count from 0; may be given several times, or as a list with commas
    #[arg(long, value_name = "LAYER[:HEAD]", value_delimiter = ',')]
    pub(crate) operands: Vec<OperandsArgument>,

    #[command(flatten)]
    pub(crate) generation: GenerationArguments,
}

/// A layer, or a head of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OperandsArgument {
    pub(crate) layer: usize,
    pub(crate) head: Option<usize>,
}

impl FromStr for OperandsArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<OperandsArgument, String> {
        let number = |text: &str| {
            let number = text.parse::<usize>();
            number
                .map_err(|_| "must be a layer, such as 3, or a head of it, such as 3:5".to_owned())
        };
        let (layer, head) = match text.split_once(':') {
            Some((layer, head)) => (layer, Some(number(head)?)),
            None => (text, None),
        };
        Ok(OperandsArgument {
            layer: number(layer)?,
            head,
        })
    }
}

impl fmt::Display for OperandsArgument {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self.head {
            Some(head) => write!(to, "{}:{head}", self.layer),
            None => write!(to, "{}", self.layer),
        }
    }
}
