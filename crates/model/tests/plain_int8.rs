//! Is r8 = 1 the plain int8 model, bit for bit?
//!
//! The plain model is written here once more, one sequence and one token at a
//! time, with naive integer loops and without tiers, plans or batches. It
//! shares only the vector functions, whose bits the kernels' tests fix.

mod support;

use dtatrans_kernels::Isa;
use dtatrans_kernels::vector::{self, Symmetric};
use dtatrans_model::{Detail, Encoding, Precision, Tensors};
use dtatrans_precision::importance;
use dtatrans_precision::plan::ProtectedBits;
use dtatrans_precision::{Plan, Ratio};
use proptest::prelude::*;
use proptest::sample::select;
use support::plans::{
    calibrated, compensations, find, names_of_compensations, names_of_importances, of_ratios,
};
use support::{batches, data, run};

const D: usize = 64;
const WIDE: usize = 160;
const HEADS: usize = 4;
const DIM: usize = D / HEADS;

struct Plain {
    tensors: Tensors,
    rotation: bool,
}

type Rows = Vec<Vec<f32>>;

fn codes(row: &[f32]) -> (Vec<i32>, f32) {
    let mut codes = vec![0; row.len()];
    let scale = vector::quantize_symmetric(Isa::SCALAR, row, Symmetric::new(127), &mut codes);
    (codes.iter().map(|&code| i32::from(code)).collect(), scale)
}

fn dot(a: &[i32], b: &[i32]) -> i32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Plain {
    fn read(&self, name: &str, shape: &[usize]) -> Vec<f32> {
        self.tensors.read(name, shape).unwrap()
    }

    fn rotate(&self, values: &mut [f32], block: usize) {
        if self.rotation {
            vector::hadamard(Isa::SCALAR, values, block);
        }
    }

    /// Quantized input rows times a quantized layer, whose weights `prepare`
    /// sees before, with their bias.
    fn linear(
        &self,
        input: &[Vec<f32>],
        name: &str,
        (n, k): (usize, usize),
        prepare: impl Fn(&mut [f32], &mut [f32]),
    ) -> Rows {
        let mut weight = self.read(&format!("{name}.weight"), &[n, k]);
        let mut bias = self.read(&format!("{name}.bias"), &[n]);
        prepare(&mut weight, &mut bias);
        let weight: Vec<_> = weight.chunks(k).map(codes).collect();
        input
            .iter()
            .map(|row| {
                let (row, scale) = codes(row);
                weight
                    .iter()
                    .zip(&bias)
                    .map(|((column, column_scale), bias)| {
                        dot(&row, column) as f32 * (scale * column_scale) + bias
                    })
                    .collect()
            })
            .collect()
    }

    fn norm(&self, rows: &mut Rows, residual: &Rows, name: &str) {
        let gain = self.read(&format!("{name}.weight"), &[D]);
        let bias = self.read(&format!("{name}.bias"), &[D]);
        for (row, residual) in rows.iter_mut().zip(residual) {
            for (value, residual) in row.iter_mut().zip(residual) {
                *value += residual;
            }
            vector::layer_norm(Isa::SCALAR, row, &gain, &bias, 1e-12);
        }
    }

    fn rotated(&self, rows: &Rows, block: usize) -> Rows {
        let mut rows = rows.clone();
        for row in &mut rows {
            self.rotate(row, block);
        }
        rows
    }

    fn layer(&self, x: &Rows, layer: usize) -> Rows {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        let input = self.rotated(x, 64);
        let head_rotated = |weight: &mut [f32], bias: &mut [f32]| {
            self.rotate(bias, DIM);
            for k in 0..D {
                let mut column: Vec<f32> = weight.chunks(D).map(|row| row[k]).collect();
                self.rotate(&mut column, DIM);
                for (row, value) in weight.chunks_mut(D).zip(column) {
                    row[k] = value;
                }
            }
            self.rotate(weight, 64);
        };
        let project = |part: &str| {
            self.linear(
                &input,
                &name(&format!("attention.self.{part}")),
                (D, D),
                head_rotated,
            )
        };
        let (q, k, v) = (project("query"), project("key"), project("value"));
        let mut context: Rows = vec![vec![0.0; D]; x.len()];
        for head in 0..HEADS {
            let channels = head * DIM..(head + 1) * DIM;
            let part = |rows: &Rows| -> Vec<_> {
                rows.iter()
                    .map(|row| codes(&row[channels.clone()]))
                    .collect()
            };
            let (q, k, v) = (part(&q), part(&k), part(&v));
            for (i, (q, q_scale)) in q.iter().enumerate() {
                let mut p: Vec<f32> = k
                    .iter()
                    .map(|(k, k_scale)| dot(q, k) as f32 * (q_scale * k_scale) + 0.0)
                    .collect();
                vector::softmax(Isa::SCALAR, &mut p, 1.0 / (DIM as f32).sqrt());
                for (p, (_, v_scale)) in p.iter_mut().zip(&v) {
                    *p *= v_scale;
                }
                let mut p_codes = vec![0; p.len()];
                let scale = vector::quantize_unsigned(Isa::SCALAR, &p, 255, &mut p_codes);
                for (c, out) in context[i][channels.clone()].iter_mut().enumerate() {
                    let sum: i32 = p_codes
                        .iter()
                        .zip(&v)
                        .map(|(&p, (v, _))| i32::from(p) * v[c])
                        .sum();
                    *out = sum as f32 * scale;
                }
            }
        }
        let mut attended = self.linear(
            &context,
            &name("attention.output.dense"),
            (D, D),
            |weight, _| {
                self.rotate(weight, DIM);
            },
        );
        self.norm(&mut attended, x, &name("attention.output.LayerNorm"));
        let input = self.rotated(&attended, 64);
        let up = name("intermediate.dense");
        let mut wide = self.linear(&input, &up, (WIDE, D), |weight, _| self.rotate(weight, 64));
        for row in &mut wide {
            vector::gelu(Isa::SCALAR, row);
        }
        let wide = self.rotated(&wide, 32);
        let down = name("output.dense");
        let mut out = self.linear(&wide, &down, (D, WIDE), |weight, _| self.rotate(weight, 32));
        self.norm(&mut out, &attended, &name("output.LayerNorm"));
        out
    }

    fn hidden_states(&self, input: &Encoding) -> Vec<Vec<f32>> {
        let word = self.read("embeddings.word_embeddings.weight", &[200, D]);
        let position = self.read("embeddings.position_embeddings.weight", &[48, D]);
        let kind = self.read("embeddings.token_type_embeddings.weight", &[2, D]);
        let mut x: Rows = (0..input.len())
            .map(|i| {
                let (id, kind_id) = (input.ids[i] as usize, input.type_ids[i] as usize);
                (0..D)
                    .map(|c| word[id * D + c] + kind[kind_id * D + c] + position[i * D + c])
                    .collect()
            })
            .collect();
        let zeros = vec![vec![0.0; D]; x.len()];
        self.norm(&mut x, &zeros, "embeddings.LayerNorm");
        let mut states = vec![x.concat()];
        for layer in 0..3 {
            x = self.layer(&x, layer);
            states.push(x.concat());
        }
        states
    }
}

/// A plan of 8 bits throughout, with the calibration that a prior needs.
fn all_eight(prior: bool, compensation: &str, importance: &str) -> Plan {
    let mut plan = of_ratios([Ratio::ALL_EIGHT; 3], prior);
    plan.compensation = find(compensation);
    plan.importance = importance::find(importance).unwrap();
    plan
}

fn check(plan: Plan, inputs: &[Encoding]) -> Result<(), TestCaseError> {
    let tensors = Tensors::open(&data("tiny-bert").join("model.safetensors")).unwrap();
    let plain = Plain {
        tensors,
        rotation: plan.rotation,
    };
    let what = plan.to_toml();
    let outputs = run(
        "tiny-bert",
        &Precision::Plan(plan),
        inputs,
        Detail::HiddenStates,
    );
    for (input, output) in inputs.iter().zip(&outputs) {
        let want = plain.hidden_states(input);
        prop_assert_eq!(output.hidden_states.len(), want.len());
        for (layer, (got, want)) in output.hidden_states.iter().zip(&want).enumerate() {
            let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(got), bits(want), "layer {}: {}", layer, what);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn all_eight_is_the_plain_int8_model(
        inputs in batches(),
        rotation in prop::bool::ANY,
        prior in prop::bool::ANY,
        name in compensations(),
        exceptions in prop::array::uniform3(prop::option::of(compensations())),
        importance in select(names_of_importances()),
        protected_at_four in prop::bool::ANY,
        clipping in prop::bool::ANY,
        seed in any::<u64>(),
    ) {
        let mut plan = all_eight(prior, name, importance);
        plan.rotation = rotation;
        plan.clipping = clipping;
        for (layer, exception) in exceptions.into_iter().enumerate() {
            if let Some(name) = exception {
                plan.set_compensation_at(layer, find(name));
            }
        }
        if protected_at_four {
            plan.protected_bits = ProtectedBits::Four;
        }
        check(calibrated(plan, seed), &inputs)?;
    }
}

/// No name of a compensation or an importance changes a bit of it, and none
/// needs a calibration without a prior.
#[test]
fn all_eight_is_the_plain_int8_model_under_every_name() {
    let inputs = support::tiny_inputs("tiny-bert");
    for compensation in names_of_compensations() {
        for importance in names_of_importances() {
            for prior in [false, true] {
                let plan = all_eight(prior, compensation, importance);
                assert_eq!(plan.needs_calibration(), prior);
                let plan = match prior {
                    true => calibrated(plan, 7),
                    false => plan,
                };
                check(plan, &inputs[2..]).unwrap();
            }
        }
    }
}

/// The cost model counts as many passes as the quantizer makes.
#[test]
fn clipping_costs_what_the_plan_counts() {
    use dtatrans_precision::plan::CLIPPING_TRIALS;
    assert_eq!(Symmetric::CLIPPING_TRIALS as u64, CLIPPING_TRIALS);
}
