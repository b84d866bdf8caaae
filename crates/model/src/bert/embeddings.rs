//! From token ids to the first hidden states, at f32.

use dtatrans_kernels::Isa;

use super::BertConfig;
use super::weights::Weights;
use crate::layers::Norm;
use crate::{Encoding, ModelError, Tensors};

/// Word, position and token type embeddings and their normalisation.
pub(crate) struct Embeddings {
    word: Vec<f32>,
    position: Vec<f32>,
    token_type: Vec<f32>,
    norm: Norm,
    width: usize,
    isa: Isa,
}

impl Embeddings {
    pub(crate) fn read(
        tensors: &Tensors,
        config: &BertConfig,
        isa: Isa,
    ) -> Result<Embeddings, ModelError> {
        let source = Weights::new(tensors, config);
        let width = config.hidden_size;
        let table = |name: &str, rows: usize| {
            source.matrix(&format!("embeddings.{name}.weight"), [rows, width])
        };
        Ok(Embeddings {
            word: table("word_embeddings", config.vocab_size)?,
            position: table("position_embeddings", config.max_position_embeddings)?,
            token_type: table("token_type_embeddings", config.type_vocab_size)?,
            norm: source.embedding_norm()?,
            width,
            isa,
        })
    }

    /// That an input is whole and every id of it has an embedding.
    pub(crate) fn check(&self, input: &Encoding) -> Result<(), ModelError> {
        let n = input.len();
        if n == 0 {
            return Err(ModelError::Input("it has no token at all".into()));
        }
        for (name, count) in [
            ("token types", input.type_ids.len()),
            ("protection flags", input.protected.len()),
        ] {
            if count != n {
                let reason = format!("{count} {name} for {n} tokens");
                return Err(ModelError::Input(reason));
            }
        }
        let rows = |table: &[f32]| table.len() / self.width;
        if n > rows(&self.position) {
            return Err(ModelError::TooLong {
                tokens: n,
                limit: rows(&self.position),
            });
        }
        for (name, ids, table) in [
            ("token id", &input.ids, &self.word),
            ("token type", &input.type_ids, &self.token_type),
        ] {
            if let Some(id) = ids.iter().find(|&&id| id as usize >= rows(table)) {
                let rows = rows(table);
                return Err(ModelError::Input(format!(
                    "{name} {id}: the model embeds {rows}"
                )));
            }
        }
        Ok(())
    }

    /// Hidden states of all tokens of a batch, one sequence after the other.
    pub(crate) fn embed(&self, batch: &[&Encoding]) -> Vec<f32> {
        let tokens: usize = batch.iter().map(|input| input.len()).sum();
        let mut states = Vec::with_capacity(tokens * self.width);
        for input in batch {
            for (position, (&id, &kind)) in input.ids.iter().zip(&input.type_ids).enumerate() {
                let word = row(&self.word, id as usize, self.width);
                let kind = row(&self.token_type, kind as usize, self.width);
                let position = row(&self.position, position, self.width);
                // The order in which Hugging Face adds them.
                let sums = word.iter().zip(kind).zip(position);
                states.extend(sums.map(|((word, kind), position)| word + kind + position));
            }
        }
        self.norm.apply(self.isa, &mut states);
        states
    }
}

fn row(table: &[f32], index: usize, width: usize) -> &[f32] {
    &table[index * width..(index + 1) * width]
}
