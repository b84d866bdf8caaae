//! The traces of SpAtten's public release: what its own pruning and quantization
//! decided, head by head.
//!
//! A file of `spatten_hardware/hardware/workloads` (mit-han-lab/spatten): a header,
//! one row for each step of generation, layer and head, and at the end a line with
//! the name of the configuration that it came from. Text in, no input or output.

use crate::AccelError;

/// The columns that are read; others may stand beside them.
const COLUMNS: [&str; 12] = [
    "iteration_id",
    "layer_id",
    "head_id",
    "embedding_length_D",
    "sentence_length_L",
    "key_fetch_num",
    "quant_key_bit",
    "quant_query_bit",
    "if_requant",
    "auto_requant_incre",
    "value_fetch_num",
    "quant_value_bit",
];
/// Bits of what the trace says is not quantized, -1: single precision.
const UNQUANTIZED_BITS: u64 = 32;
/// The largest size that a trace may state, far above any of the release.
const MOST: u64 = 1 << 20;

/// One query of one head, as a row of the file states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Step of the generation.
    pub iteration: u64,
    /// Layer.
    pub layer: u64,
    /// Head.
    pub head: u64,
    /// Length of a query, key or value.
    pub head_dim: u64,
    /// Tokens so far.
    pub length: u64,
    /// Keys that the query meets.
    pub keys: u64,
    /// Bits of a key in DRAM; where they are `requantized`, of its high part.
    pub key_bits: u64,
    /// Bits of a query.
    pub query_bits: u64,
    /// Whether the low bits of the keys were fetched as well.
    pub requantized: bool,
    /// How many low bits those are.
    pub low_bits: u64,
    /// Values that the query keeps.
    pub values: u64,
    /// Bits of a value in DRAM.
    pub value_bits: u64,
}

/// A trace of the public release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicTrace {
    /// The requests, in order.
    pub requests: Vec<Request>,
    /// What the last line names, if there is one.
    pub configuration: Option<String>,
}

impl PublicTrace {
    /// Reads the text of a trace.
    ///
    /// # Errors
    /// [`AccelError::PublicTrace`] naming line and column of what is wrong.
    pub fn parse(text: &str) -> Result<PublicTrace, AccelError> {
        let mut lines = text.lines().map(str::trim).enumerate();
        let (header_line, header) = lines
            .find(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .ok_or_else(|| refuse(1, "iteration_id", "the file has no header".into()))?;
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        let place = |column: &'static str| {
            let place = names.iter().position(|&name| name == column);
            place.ok_or_else(|| refuse(header_line + 1, column, "the header lacks it".into()))
        };
        let mut places = COLUMNS.map(|column| (column, 0));
        for (column, found) in &mut places {
            *found = place(column)?;
        }
        let mut requests = Vec::new();
        let mut configuration = None;
        for (index, line) in lines {
            let number = index + 1;
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if configuration.is_some() {
                let reason = "a row behind the line that names the configuration";
                return Err(refuse(number, "iteration_id", reason.into()));
            }
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            if is_configuration(&fields) {
                configuration = Some(fields[0].to_owned());
                continue;
            }
            let row = Row {
                line: number,
                fields: &fields,
            };
            requests.push(row.request(&places)?);
        }
        if requests.is_empty() {
            let reason = "no row follows the header";
            return Err(refuse(header_line + 1, "iteration_id", reason.into()));
        }
        Ok(PublicTrace {
            requests,
            configuration,
        })
    }

    /// Steps of generation.
    pub fn iterations(&self) -> u64 {
        let ids: std::collections::BTreeSet<u64> =
            self.requests.iter().map(|row| row.iteration).collect();
        ids.len() as u64
    }

    /// Heads of the model, pruned ones included.
    pub fn heads(&self) -> u64 {
        1 + self.requests.iter().map(|row| row.head).max().unwrap_or(0)
    }

    /// Runs of requests of one step and layer, in order.
    pub fn layers(&self) -> impl Iterator<Item = &[Request]> {
        self.requests
            .chunk_by(|a, b| (a.iteration, a.layer) == (b.iteration, b.layer))
    }
}

/// Whether a line is the last one: a text with nothing behind it.
fn is_configuration(fields: &[&str]) -> bool {
    fields[0].parse::<f64>().is_err() && fields[1..].iter().all(|field| field.is_empty())
}

fn refuse(line: usize, column: &'static str, reason: String) -> AccelError {
    AccelError::PublicTrace {
        line,
        column,
        reason,
    }
}

/// A row while it is read.
struct Row<'a> {
    line: usize,
    fields: &'a [&'a str],
}

type Place = (&'static str, usize);

impl Row<'_> {
    fn field(&self, (column, place): Place) -> Result<&str, AccelError> {
        let field = self
            .fields
            .get(place)
            .copied()
            .filter(|text| !text.is_empty());
        field.ok_or_else(|| refuse(self.line, column, "is missing".into()))
    }

    /// A whole number, which may be written as `64.0`; `None` for -1.
    fn number(&self, place: Place) -> Result<Option<u64>, AccelError> {
        let text = self.field(place)?;
        match text.parse::<f64>() {
            Ok(-1.0) => Ok(None),
            Ok(number) if number.fract() == 0.0 && (0.0..=MOST as f64).contains(&number) => {
                Ok(Some(number as u64))
            }
            _ => {
                let reason = format!("`{text}` is no whole number from 0 to {MOST}");
                Err(refuse(self.line, place.0, reason))
            }
        }
    }

    fn count(&self, place: Place, least: u64, most: u64) -> Result<u64, AccelError> {
        let number = self.number(place)?;
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| {
                let text = self.field(place).unwrap_or_default();
                let reason = format!("`{text}` must be {least} to {most}");
                refuse(self.line, place.0, reason)
            })
    }

    fn bits(&self, place: Place) -> Result<u64, AccelError> {
        match self.number(place)? {
            None => Ok(UNQUANTIZED_BITS),
            Some(_) => self.count(place, 1, UNQUANTIZED_BITS),
        }
    }

    fn flag(&self, place: Place) -> Result<bool, AccelError> {
        match self.field(place)? {
            "True" => Ok(true),
            "False" => Ok(false),
            other => {
                let reason = format!("`{other}` must be True or False");
                Err(refuse(self.line, place.0, reason))
            }
        }
    }

    fn request(&self, places: &[Place; 12]) -> Result<Request, AccelError> {
        let [
            iteration,
            layer,
            head,
            head_dim,
            length,
            keys,
            key_bits,
            query_bits,
            requantized,
            low_bits,
            values,
            value_bits,
        ] = *places;
        let length = self.count(length, 1, MOST)?;
        let keys = self.count(keys, 1, length)?;
        let requantized = self.flag(requantized)?;
        Ok(Request {
            iteration: self.count(iteration, 0, MOST)?,
            layer: self.count(layer, 0, MOST)?,
            head: self.count(head, 0, MOST)?,
            head_dim: self.count(head_dim, 1, 1 << 12)?,
            length,
            keys,
            key_bits: self.bits(key_bits)?,
            query_bits: self.bits(query_bits)?,
            requantized,
            low_bits: match requantized {
                true => self.count(low_bits, 1, UNQUANTIZED_BITS)?,
                false => 0,
            },
            values: self.count(values, 1, keys)?,
            value_bits: self.bits(value_bits)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "iteration_id,layer_id,head_id,embedding_length_D,sentence_length_L,\
        key_fetch_num,quant_key_bit,quant_query_bit,auto_requant_thres,if_requant,\
        auto_requant_incre,value_fetch_num,quant_value_bit,if_accumulate_importance,\
        if_rescale_previous_importance,if_topk,topk";

    fn parse(rows: &str) -> Result<PublicTrace, AccelError> {
        PublicTrace::parse(&format!("{HEADER}\n{rows}"))
    }

    #[test]
    fn a_row_and_the_configuration_are_read() {
        let rows = "3,1,2,64.0,996,716,6,16,0.05,True,4,143,6,True,False,False,-1\n\
                    3,2,0,64.0,996,996,-1,-1,-1,False,-1,996,-1,True,False,False,-1\n\
                    configs/gpt2.yml,,,,,,,,,,,,,,,,\n";
        let trace = parse(rows).unwrap();
        assert_eq!(trace.configuration.as_deref(), Some("configs/gpt2.yml"));
        let first = Request {
            iteration: 3,
            layer: 1,
            head: 2,
            head_dim: 64,
            length: 996,
            keys: 716,
            key_bits: 6,
            query_bits: 16,
            requantized: true,
            low_bits: 4,
            values: 143,
            value_bits: 6,
        };
        assert_eq!(trace.requests[0], first);
        let second = trace.requests[1];
        assert_eq!((second.key_bits, second.value_bits), (32, 32));
        assert_eq!((trace.iterations(), trace.heads()), (1, 3));
        assert_eq!(trace.layers().count(), 2);
    }

    #[test]
    fn what_cannot_be_is_refused_by_line_and_column() {
        let good = "0,0,0,64.0,993,993,6,16,0.05,True,4,204,6,True,False,False,-1";
        assert!(parse(good).is_ok());
        for (from, to, column) in [
            ("64.0", "64.5", "embedding_length_D"),
            ("993,993", "993,994", "key_fetch_num"),
            ("993,993", "many,993", "sentence_length_L"),
            ("True,4", "yes,4", "if_requant"),
            ("True,4", "True,-1", "auto_requant_incre"),
            (",204,", ",0,", "value_fetch_num"),
            (",204,", ",994,", "value_fetch_num"),
            (",204,6", ",204,33", "quant_value_bit"),
            ("993,6,16", "993,,16", "quant_key_bit"),
            ("0,0,0,", "1e300,0,0,", "iteration_id"),
            ("0,0,0,", "0,-2,0,", "layer_id"),
        ] {
            let text = format!("{good}\n{}", good.replacen(from, to, 1));
            match parse(&text) {
                Err(AccelError::PublicTrace {
                    line: 3,
                    column: found,
                    ..
                }) => assert_eq!(found, column, "{to}"),
                other => panic!("{to}: {other:?}"),
            }
        }
        for text in [
            "",
            "# only a comment",
            HEADER,
            "layer_id\n0",
            "iteration_id",
        ] {
            assert!(PublicTrace::parse(text).is_err(), "{text}");
        }
        let late = format!("{good}\nconfig.yml,,\n{good}");
        let error = parse(&late).unwrap_err().to_string();
        assert!(error.starts_with("line 4: iteration_id"), "{error}");
    }
}
