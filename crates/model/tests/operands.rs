//! Are a trace's operands all that an attention head's integers come from, and do
//! they leave the rest of a run alone?

mod support;

use dtatrans_kernels::Isa;
use dtatrans_kernels::vector;
use dtatrans_model::{AttentionHead, Checkpoint, Detail, Encoding, Engine, ModelError, Precision};
use dtatrans_precision::Pruning;
use dtatrans_precision::trace::{Input, Operands};
use proptest::prelude::*;
use support::plans::{LAYERS, plans};
use support::{batches, data, run, tiny_inputs};

const HEADS: usize = 4;

fn heads() -> impl Strategy<Value = Vec<AttentionHead>> {
    let head = (0..LAYERS, 0..HEADS).prop_map(|(layer, head)| AttentionHead { layer, head });
    prop::collection::vec(head, 0..6)
}

/// Codes and scales of the probabilities, from the score sums by what lies between
/// the products; of each query's the largest are kept, of two alike the earlier.
fn probabilities(operands: &Operands, pruning: Pruning) -> (Vec<Vec<u8>>, Vec<f32>) {
    let (isa, keys) = (Isa::SCALAR, operands.key.scales.len());
    let widths = operands.probability.widths().into_iter();
    let rows = widths.zip(&operands.score_sums).zip(&operands.query.scales);
    rows.map(|((bits, sums), &scale)| {
        let (mut row, mut codes) = (vec![0.0; keys], vec![0; keys]);
        let zeros = vec![0.0; keys];
        vector::dequantize(isa, sums, scale, &operands.key.scales, &zeros, &mut row);
        vector::softmax(isa, &mut row, operands.score_scale);
        let mut falling: Vec<usize> = (0..keys).collect();
        falling.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
        for &key in &falling[pruning.values(keys)..] {
            row[key] = 0.0;
        }
        for (probability, scale) in row.iter_mut().zip(&operands.value.scales) {
            *probability *= scale;
        }
        let scale = vector::quantize_unsigned(isa, &row, bits.unsigned_limit(), &mut codes);
        (codes, scale)
    })
    .unzip()
}

/// Mean magnitude of the head's output.
fn magnitude(operands: &Operands) -> f32 {
    let rows = operands
        .context_sums
        .iter()
        .zip(&operands.probability.scales);
    let outputs = rows.flat_map(|(sums, scale)| sums.iter().map(move |&sum| sum as f32 * scale));
    let count = operands.context_sums.iter().map(Vec::len).sum::<usize>();
    outputs.map(f32::abs).sum::<f32>() / count as f32
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Codes are within the bits of their rows, those are the tiers', and the sums
    /// are the codes' (`Input::check`); probabilities follow from the score sums and
    /// the head's output from the context sums, bit by bit.
    #[test]
    fn a_head_can_be_computed_from_its_operands(
        plan in plans(),
        inputs in batches(),
        heads in heads(),
    ) {
        let precision = Precision::Plan(plan.clone());
        let run = |detail| run("tiny-bert", &precision, &inputs, detail);
        let shape = Checkpoint::open(&data("tiny-bert")).unwrap().shape();
        for (mut with, without) in run(Detail::Operands(&heads)).into_iter().zip(run(Detail::Trace)) {
            let input = Input {
                id: String::new(),
                tokens: vec![String::new(); with.tiers[0].len()],
                layers: with.trace.clone(),
                generation: None,
            };
            prop_assert_eq!(input.check(&shape), Ok(()));
            for (index, layer) in with.trace.iter_mut().enumerate() {
                let of_layer = heads.iter().filter(|at| at.layer == index);
                let mut want: Vec<usize> = of_layer.map(|at| at.head).collect();
                want.sort_unstable();
                want.dedup();
                let got: Vec<usize> = layer.operands.iter().map(|one| one.head).collect();
                // Heads that have left have none, and give nothing.
                want.retain(|&head| got.contains(&head) || layer.heads[head].magnitude != 0.0);
                prop_assert_eq!(got, want);
                for operands in layer.operands.drain(..) {
                    let (codes, scales) = probabilities(&operands, plan.pruning_at(index));
                    prop_assert_eq!(&operands.probability.codes, &codes);
                    prop_assert_eq!(&operands.probability.scales, &scales);
                    let magnitude = magnitude(&operands);
                    prop_assert_eq!(layer.heads[operands.head].magnitude, magnitude);
                    let of_query = |&bits| plan.probability_bits.of(bits);
                    let widths: Vec<_> = operands.query.widths().iter().map(of_query).collect();
                    prop_assert_eq!(operands.probability.widths(), widths);
                }
            }
            prop_assert_eq!(with, without);
        }
    }
}

#[test]
fn heads_that_do_not_exist_are_refused() {
    let checkpoint = Checkpoint::open(&data("tiny-bert")).unwrap();
    let plan = dtatrans_precision::Plan::dense_eight(LAYERS);
    let engine = Engine::new(&checkpoint, &Precision::Plan(plan), Isa::best()).unwrap();
    let inputs: Vec<Encoding> = tiny_inputs("tiny-bert");
    for (layer, head) in [(LAYERS, 0), (0, HEADS)] {
        let heads = [AttentionHead { layer, head }];
        let error = engine.run(&inputs, Detail::Operands(&heads), &|_| {});
        let Err(ModelError::Input(reason)) = error else {
            panic!("{error:?}");
        };
        assert_eq!(
            reason,
            format!("the model has no head {head} at layer {layer}")
        );
    }
}
