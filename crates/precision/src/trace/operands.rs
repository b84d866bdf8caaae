//! The integers of one head: what its two products multiply, and what they give.
//!
//! Codes are kept as they enter the products, in the basis that the plan rotates
//! queries, keys and values to. Both products have one group of scales: one scale a
//! row of each operand. Those of the value rows are no factor of the second
//! product's sums, which run over these rows: they are multiplied into the
//! probabilities before those are quantized.

use serde::{Deserialize, Serialize};

use super::Misfit;
use crate::{Bits, ModelShape, Tier};

/// What one head multiplies at a layer, and the sums. With one row i a query and
/// one row j a key:
///
/// * `score_sums`\[i\]\[j\] = the sum over c of `query`\[i\]\[c\] `key`\[j\]\[c\]; the score
///   is that times `query.scales`\[i\] times `key.scales`\[j\];
/// * P = softmax(`score_scale` x score), by rows; `probability`\[i\]\[j\] times
///   `probability.scales`\[i\] is P\[i\]\[j\] times `value.scales`\[j\], rounded;
/// * `context_sums`\[i\]\[c\] = the sum over j of `probability`\[i\]\[j\] `value`\[j\]\[c\];
///   the head's output is that times `probability.scales`\[i\].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operands {
    /// Which head, from 0.
    pub head: usize,
    /// What the scores are multiplied by before the softmax.
    pub score_scale: f32,
    /// Queries, `head_dim` codes a row.
    pub query: OperandRows<i8>,
    /// Keys, `head_dim` codes a row.
    pub key: OperandRows<i8>,
    /// Values, `head_dim` codes a row. Their bits are those of the keys.
    pub value: OperandRows<i8>,
    /// Probabilities times values' scales: one row a query, one code a key, without
    /// a sign.
    pub probability: OperandRows<u8>,
    /// Sums of Q x K^T: one row a query, one sum a key.
    pub score_sums: Vec<Vec<i32>>,
    /// Sums of P x V: one row a query, `head_dim` sums.
    pub context_sums: Vec<Vec<i32>>,
}

/// Quantized rows. A code times its row's scale is the value that it stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperandRows<C> {
    /// The bits of each token's row, 0 where it has none; behind the tokens 8 where
    /// their average takes part (`fused`).
    #[serde(with = "super::digits")]
    pub bits: Vec<Tier>,
    /// One scale a row, in the order of the tokens.
    pub scales: Vec<f32>,
    /// The codes of each row: at 8 bits -127 to 127, or 0 to 255 without a sign; at
    /// 4 bits -7 to 7, or 0 to 15.
    pub codes: Vec<Vec<C>>,
}

impl<C> OperandRows<C> {
    /// The bits of each row.
    pub fn widths(&self) -> Vec<Bits> {
        let rows = self.bits.iter().filter_map(|bits| bits.operand());
        rows.collect()
    }
}

/// That the operands of a layer fit its model and its tiers, that codes are within
/// their bits, and that the sums are theirs.
pub(super) fn check(
    operands: &[Operands],
    model: &ModelShape,
    tiers: &[Tier],
) -> Result<(), Misfit> {
    if model.causal && !operands.is_empty() {
        return refuse("operands", "the model does not see all tokens at once");
    }
    let mut least = 0;
    for (index, operands) in operands.iter().enumerate() {
        let within = |misfit: Misfit| Misfit {
            field: format!("operands[{index}].{}", misfit.field),
            ..misfit
        };
        let head = operands.head;
        if !(least..model.heads).contains(&head) {
            let reason = match head < model.heads {
                true => format!("{head}: heads must rise"),
                false => format!("{head}: the model has {} heads", model.heads),
            };
            return refuse("head", reason).map_err(within);
        }
        least = head + 1;
        operands.check(model.head_dim, tiers).map_err(within)?;
    }
    Ok(())
}

fn refuse(field: impl Into<String>, reason: impl Into<String>) -> Result<(), Misfit> {
    Err(Misfit {
        field: field.into(),
        reason: reason.into(),
    })
}

impl Operands {
    fn check(&self, dim: usize, tiers: &[Tier]) -> Result<(), Misfit> {
        let Operands {
            query,
            key,
            value,
            probability,
            ..
        } = self;
        if !(self.score_scale.is_finite() && self.score_scale > 0.0) {
            let reason = format!("{}: must be finite and above 0", self.score_scale);
            return refuse("score_scale", reason);
        }
        check_bits("query", &query.bits, tiers)?;
        check_bits("key", &key.bits, tiers)?;
        if value.bits != key.bits {
            return refuse("value.bits", "are not those of the keys");
        }
        let rows = |bits: &[Tier]| -> Vec<bool> { bits.iter().map(|b| b.is_computed()).collect() };
        if rows(&probability.bits) != rows(&query.bits) {
            return refuse("probability.bits", "are not of the tokens that attend");
        }
        let signed = |bits: Bits| -bits.code_limit()..=bits.code_limit();
        query.check("query", dim, signed)?;
        key.check("key", dim, signed)?;
        value.check("value", dim, signed)?;
        let keys = key.codes.len();
        probability.check("probability", keys, |bits| 0..=bits.unsigned_limit() as i32)?;
        check_sums(
            "score_sums",
            &self.score_sums,
            &query.codes,
            keys,
            |j, c| key.codes[j][c],
        )?;
        let sums = &self.context_sums;
        check_sums("context_sums", sums, &probability.codes, dim, |c, j| {
            value.codes[j][c]
        })
    }
}

/// A computed token has a row at its tier's bits, another one at 4 bits or none.
fn check_bits(name: &str, bits: &[Tier], tiers: &[Tier]) -> Result<(), Misfit> {
    let field = || format!("{name}.bits");
    let Some((of_tokens, average)) = bits.split_at_checked(tiers.len()) else {
        let (own, tokens) = (bits.len(), tiers.len());
        return refuse(field(), format!("{own} digits for {tokens} tokens"));
    };
    if !matches!(average, [] | [Tier::Eight]) {
        let reason = "behind the tokens may only stand an 8, of their average";
        return refuse(field(), reason);
    }
    for (token, (bits, tier)) in of_tokens.iter().zip(tiers).enumerate() {
        let fits = match tier {
            Tier::Zero => *bits != Tier::Eight,
            _ => bits == tier,
        };
        if !fits {
            let (bits, tier) = (bits.bits(), tier.bits());
            let reason = format!("token {token} has {bits}, its tier is {tier}");
            return refuse(field(), reason);
        }
    }
    Ok(())
}

impl<C: Copy + Into<i32>> OperandRows<C> {
    fn check(
        &self,
        name: &str,
        width: usize,
        range: impl Fn(Bits) -> std::ops::RangeInclusive<i32>,
    ) -> Result<(), Misfit> {
        let widths = self.widths();
        let (rows, scales) = (widths.len(), self.scales.len());
        if scales != rows {
            let reason = format!("{scales} scales for {rows} rows");
            return refuse(format!("{name}.scales"), reason);
        }
        let fits = |scale: &f32| scale.is_finite() && *scale >= 0.0;
        if let Some(row) = self.scales.iter().position(|scale| !fits(scale)) {
            let reason = format!("{}: must be finite and not below 0", self.scales[row]);
            return refuse(format!("{name}.scales[{row}]"), reason);
        }
        check_shape(&format!("{name}.codes"), &self.codes, rows, width)?;
        for (row, (codes, bits)) in self.codes.iter().zip(widths).enumerate() {
            let range = range(bits);
            let outside = codes.iter().find(|&&code| !range.contains(&code.into()));
            if let Some(&code) = outside {
                let (code, bits) = (code.into(), bits.bits());
                let reason = format!("{code}: is no code of {bits} bits");
                return refuse(format!("{name}.codes[{row}]"), reason);
            }
        }
        Ok(())
    }
}

fn check_shape<T>(
    field: &str,
    matrix: &[Vec<T>],
    rows: usize,
    columns: usize,
) -> Result<(), Misfit> {
    if matrix.len() != rows {
        return refuse(field, format!("{} rows, not {rows}", matrix.len()));
    }
    match matrix.iter().position(|row| row.len() != columns) {
        None => Ok(()),
        Some(row) => {
            let reason = format!("{} numbers, not {columns}", matrix[row].len());
            refuse(format!("{field}[{row}]"), reason)
        }
    }
}

/// That sums are those of the rows of `left` with the columns that `right` (column,
/// step) gives; both have their sizes.
fn check_sums<L: Copy + Into<i64>>(
    field: &str,
    sums: &[Vec<i32>],
    left: &[Vec<L>],
    columns: usize,
    right: impl Fn(usize, usize) -> i8,
) -> Result<(), Misfit> {
    check_shape(field, sums, left.len(), columns)?;
    for (i, (sums, left)) in sums.iter().zip(left).enumerate() {
        for (column, &sum) in sums.iter().enumerate() {
            let products = left.iter().enumerate();
            let given: i64 = products
                .map(|(step, &code)| code.into() * i64::from(right(column, step)))
                .sum();
            if given != i64::from(sum) {
                let reason = format!("{sum}: the codes give {given}");
                return refuse(format!("{field}[{i}][{column}]"), reason);
            }
        }
    }
    Ok(())
}
