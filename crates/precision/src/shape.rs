//! The sizes of a model that its cost depends on.

use serde::{Deserialize, Serialize};

/// The shape of a transformer encoder or decoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
    /// Name of the model, for people.
    pub name: String,
    /// Number of layers.
    pub layers: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Attention heads per layer.
    pub heads: usize,
    /// Key and value heads per layer; each serves as many of the heads.
    pub key_value_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Width of the feed-forward network.
    pub intermediate: usize,
    /// Whether the activation multiplies a second projection.
    pub gated: bool,
    /// Whether queries and keys are turned by their positions.
    pub rotary: bool,
    /// Whether a query attends only to itself and to earlier tokens.
    pub causal: bool,
    /// What stands before and behind the layers, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
}

/// The sizes of what stands before and behind a model's layers: the embedding, and
/// what reads the last states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ends {
    /// Rows of the token table.
    pub vocabulary: usize,
    /// Tables of which each token has a row in the sum that it begins with: of tokens;
    /// of positions; of segments.
    pub tables: usize,
    /// The states that are read behind the layers.
    pub reads: Reads,
    /// Whether a matrix of hidden x hidden and an activation stand between the state
    /// and the head.
    pub pooler: bool,
    /// Width of the head: labels, or the vocabulary; 0 if there is none.
    pub outputs: usize,
}

/// Which of the last states are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reads {
    /// The first token's.
    First,
    /// The last token's.
    Last,
    /// Each token's, apart.
    Each,
    /// The mean over the tokens that the last layer computes.
    Mean,
}

impl Ends {
    /// That all sizes can be.
    ///
    /// # Errors
    /// The first field that cannot, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        // As the other sizes of a trace: far above any model, far below an overflow.
        const MOST: usize = 1 << 20;
        let Ends {
            vocabulary,
            tables,
            outputs,
            ..
        } = *self;
        if vocabulary == 0 || vocabulary > MOST {
            let reason = format!("{vocabulary}: must be 1 to {MOST}");
            return Err(("model.ends.vocabulary", reason));
        }
        if !(1..=3).contains(&tables) {
            return Err(("model.ends.tables", format!("{tables}: must be 1 to 3")));
        }
        if outputs > MOST {
            let reason = format!("{outputs}: must be at most {MOST}");
            return Err(("model.ends.outputs", reason));
        }
        if outputs > 0 && self.reads == Reads::Mean {
            let reason = "a head on the mean of the states is not supported".into();
            return Err(("model.ends.outputs", reason));
        }
        if self.pooler && !matches!(self.reads, Reads::First | Reads::Last) {
            let reason = "true: a pooler reads one state".into();
            return Err(("model.ends.pooler", reason));
        }
        Ok(())
    }
}

impl ModelShape {
    /// BERT-base's shape (Devlin et al., NAACL 2019, section 3).
    pub fn bert_base() -> ModelShape {
        ModelShape {
            name: "bert-base".into(),
            layers: 12,
            hidden: 768,
            heads: 12,
            key_value_heads: 12,
            head_dim: 64,
            intermediate: 3072,
            gated: false,
            rotary: false,
            causal: false,
            ends: None,
        }
    }

    /// The shape of the smallest GPT-2 (Radford et al., 2019, table 2: 12 layers, 768
    /// wide; 12 heads in its released configuration).
    pub fn gpt2_small() -> ModelShape {
        ModelShape {
            name: "gpt2-small".into(),
            causal: true,
            ..ModelShape::bert_base()
        }
    }

    /// The shapes that have names: those of models that others publish figures for.
    pub fn named() -> [ModelShape; 2] {
        [ModelShape::bert_base(), ModelShape::gpt2_small()]
    }
}
