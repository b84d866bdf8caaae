//! Lists of matrix products, one a line: SCALE-Sim's GEMM files.
//!
//! ```csv
//! Layer, M, N, K,
//! query, 128, 768, 768,
//! up, 128, 3072, 768,
//! ```
//!
//! An M x K matrix times a K x N one, in SCALE-Sim's order of columns. A header may
//! name them in any order, in any case; without one they stand as above. Two more may
//! follow: `Batch`, equal products on operands of their own, and SCALE-Sim's
//! `Sparsity`, N:M, which must be dense. Without a header a fifth column is the
//! sparsity where it has a colon, and the batch where it has none. Blank lines, spaces,
//! commas at the end, CRLF and a byte-order mark are let pass.

use std::num::IntErrorKind;

use thiserror::Error;

/// The most scalar products of a line: far above any model, far below what could
/// overflow a count.
const MOST_MACS: u128 = 1 << 50;

/// Equal products of an M x K and a K x N matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gemm {
    /// Its name, which need not be its own only.
    pub name: String,
    /// Rows of the left matrix.
    pub m: u64,
    /// Columns of the right matrix.
    pub n: u64,
    /// Length of the reduction.
    pub k: u64,
    /// How many such products.
    pub batch: u64,
}

/// Why a list of products was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GemmError {
    /// A list without products.
    #[error("has no products")]
    Empty,
    /// A line that is not CSV.
    #[error("{0}")]
    Csv(String),
    /// A header that lacks a column.
    #[error("line {line}: the header has no column {column}: must have Layer, M, N and K")]
    NoColumn {
        /// Number of the line, from 1.
        line: u64,
        /// The column that is not there.
        column: &'static str,
    },
    /// A header with a column that is not known, or is there twice.
    #[error("line {line}: column `{column}` is {what}: there are Layer, M, N, K, Batch, Sparsity")]
    Column {
        /// Number of the line, from 1.
        line: u64,
        /// What stands there.
        column: String,
        /// `not known` or `there twice`.
        what: &'static str,
    },
    /// A line with more fields than there are columns.
    #[error("line {line}: has {found} fields, more than the {columns} columns")]
    Fields {
        /// Number of the line, from 1.
        line: u64,
        /// Its fields.
        found: usize,
        /// Columns that there are.
        columns: usize,
    },
    /// A field that cannot be.
    #[error("line {line}: {column} = `{value}`: must be {allowed}")]
    Value {
        /// Number of the line, from 1.
        line: u64,
        /// Its column.
        column: &'static str,
        /// What stands there.
        value: String,
        /// What may stand there.
        allowed: &'static str,
    },
    /// A product beyond what is simulated.
    #[error(
        "line {line}: `{name}` has {macs} scalar products: must be at most {}",
        MOST_MACS
    )]
    TooLarge {
        /// Number of the line, from 1.
        line: u64,
        /// The product.
        name: String,
        /// Batch x M x N x K.
        macs: u128,
    },
}

/// The columns that there are, as messages name them.
const COLUMNS: [&str; 6] = ["Layer", "M", "N", "K", "Batch", "Sparsity"];
const LAYER: usize = 0;
const M: usize = 1;
const N: usize = 2;
const K: usize = 3;
const BATCH: usize = 4;
const SPARSITY: usize = 5;

/// The products of a list, in order.
///
/// # Errors
/// A [`GemmError`] that names line and column.
pub fn parse(text: &str) -> Result<Vec<Gemm>, GemmError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut header = None;
    let mut gemms = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| GemmError::Csv(error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut fields: Vec<&str> = record.iter().collect();
        while fields.last().is_some_and(|field| field.is_empty()) {
            fields.pop();
        }
        if fields.is_empty() {
            continue;
        }
        let begins = header.is_none() && gemms.is_empty();
        if begins && !fields.iter().any(|field| is_number(field)) {
            header = Some(Columns::named(&fields, line)?);
            continue;
        }
        let columns = match &header {
            Some(columns) => columns,
            None => &Columns::unnamed(&fields),
        };
        gemms.push(columns.gemm(&fields, line)?);
    }
    match gemms.is_empty() {
        true => Err(GemmError::Empty),
        false => Ok(gemms),
    }
}

/// Whether a field is meant as a number.
fn is_number(field: &str) -> bool {
    field.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
}

/// Which field is which column.
struct Columns {
    places: [Option<usize>; 6],
    number: usize,
}

impl Columns {
    /// As a header names them.
    fn named(fields: &[&str], line: u64) -> Result<Columns, GemmError> {
        let mut places = [None; 6];
        for (place, field) in fields.iter().enumerate() {
            let name = field.to_ascii_lowercase();
            let column = match name.as_str() {
                "layer" | "layer name" | "name" => Some(LAYER),
                _ if name.starts_with("sparsity") => Some(SPARSITY),
                _ => COLUMNS
                    .iter()
                    .position(|&known| known.eq_ignore_ascii_case(field)),
            };
            let refuse = |what| GemmError::Column {
                line,
                column: (*field).to_owned(),
                what,
            };
            let column = column.ok_or_else(|| refuse("not known"))?;
            if places[column].replace(place).is_some() {
                return Err(refuse("there twice"));
            }
        }
        for column in [LAYER, M, N, K] {
            if places[column].is_none() {
                let column = COLUMNS[column];
                return Err(GemmError::NoColumn { line, column });
            }
        }
        let number = fields.len();
        Ok(Columns { places, number })
    }

    /// As they stand without a header.
    fn unnamed(fields: &[&str]) -> Columns {
        let mut places = [Some(LAYER), Some(M), Some(N), Some(K), None, None];
        match fields.get(4) {
            Some(field) if field.contains(':') => places[SPARSITY] = Some(4),
            _ => places[BATCH] = Some(4),
        }
        Columns { places, number: 5 }
    }

    fn gemm(&self, fields: &[&str], line: u64) -> Result<Gemm, GemmError> {
        if fields.len() > self.number {
            return Err(GemmError::Fields {
                line,
                found: fields.len(),
                columns: self.number,
            });
        }
        let field = |column: usize| {
            let field = self.places[column].and_then(|place| fields.get(place));
            field.copied().filter(|field| !field.is_empty())
        };
        let refuse = |column: usize, allowed| GemmError::Value {
            line,
            column: COLUMNS[column],
            value: field(column).unwrap_or_default().to_owned(),
            allowed,
        };
        let size = |column: usize| match field(column).unwrap_or_default().parse::<u64>() {
            Ok(size @ 1..) => Ok(size),
            Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
                Err(refuse(column, "smaller"))
            }
            _ => Err(refuse(column, "a whole number above 0")),
        };
        let [m, n, k] = [size(M)?, size(N)?, size(K)?];
        let batch = match field(BATCH) {
            None => 1,
            Some(_) => size(BATCH)?,
        };
        if let Some(sparsity) = field(SPARSITY) {
            let dense = match sparsity.split_once(':') {
                Some((kept, block)) => kept.trim() == block.trim() && is_number(kept),
                None => false,
            };
            if !dense {
                return Err(refuse(SPARSITY, "dense, 1:1"));
            }
        }
        let name = field(LAYER).unwrap_or_default().to_owned();
        let macs = [m, n, k, batch].map(u128::from);
        let macs = macs.into_iter().fold(1_u128, u128::saturating_mul);
        match macs <= MOST_MACS {
            true => Ok(Gemm {
                name,
                m,
                n,
                k,
                batch,
            }),
            false => Err(GemmError::TooLarge { line, name, macs }),
        }
    }
}

impl Gemm {
    /// Scalar products of the batch.
    pub fn macs(&self) -> u64 {
        self.batch * self.m * self.n * self.k
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gemm(name: &str, [m, n, k, batch]: [u64; 4]) -> Gemm {
        let name = name.to_owned();
        Gemm {
            name,
            m,
            n,
            k,
            batch,
        }
    }

    #[test]
    fn lists_are_read_as_people_write_them() {
        let want = [
            gemm("query", [128, 768, 64, 1]),
            gemm("query", [5, 6, 7, 1]),
        ];
        for text in [
            "Layer, M, N, K,\nquery, 128, 768, 64,\nquery, 5, 6, 7,\n",
            "\u{feff}Layer,M,N,K\r\nquery,128,768,64\r\nquery,5,6,7",
            "query,128,768,64\nquery,5,6,7,,,\n\n",
            "layer name, k, n, m, sparsity ratio,\n\n query , 64 ,768,128, 1:1,\n ,, \nquery,7,6,5,",
            "query, 128, 768, 64, 1:1\nquery, 5, 6, 7, 1\n",
            "\"query\", 128, 768, 64, 2:2,\nquery, 5, 6, 7",
        ] {
            assert_eq!(parse(text).unwrap(), want, "{text:?}");
        }
        let batched = "Layer, M, N, K, Batch\nscore, 128, 128, 64, 12\n";
        assert_eq!(parse(batched).unwrap(), [gemm("score", [128, 128, 64, 12])]);
    }

    #[test]
    fn counts_pass_32_bits() {
        let [one] = parse("large, 4294967296, 3, 5")
            .unwrap()
            .try_into()
            .unwrap();
        assert_eq!(one.macs(), 15 << 32);
    }

    #[test]
    fn what_cannot_be_is_refused_by_line_and_column() {
        for (text, want) in [
            ("", "has no products"),
            ("Layer, M, N, K,\n", "has no products"),
            (
                "a, b, c, d\n",
                "line 1: column `a` is not known: there are Layer, M, N, K, Batch, Sparsity",
            ),
            (
                "Layer, M, N,\na, 1, 2,",
                "line 1: the header has no column K: must have Layer, M, N and K",
            ),
            (
                "Layer, M, N, K, M\n",
                "line 1: column `M` is there twice: there are Layer, M, N, K, Batch, Sparsity",
            ),
            (
                "a, 1, 0, 3",
                "line 1: N = `0`: must be a whole number above 0",
            ),
            (
                "\na, 1, 2, 3\nb, -1, 2, 3",
                "line 3: M = `-1`: must be a whole number above 0",
            ),
            ("a, 1, 2", "line 1: K = ``: must be a whole number above 0"),
            (
                "a, 1.5, 2, 3",
                "line 1: M = `1.5`: must be a whole number above 0",
            ),
            (
                "a, 1, 2, 3x",
                "line 1: K = `3x`: must be a whole number above 0",
            ),
            (
                "a, 1, 2, 3, 0",
                "line 1: Batch = `0`: must be a whole number above 0",
            ),
            (
                "a, 1, 2, 3, 2:4",
                "line 1: Sparsity = `2:4`: must be dense, 1:1",
            ),
            (
                "a, 1, 2, 3, 1, 5",
                "line 1: has 6 fields, more than the 5 columns",
            ),
            (
                "a, 1000000000000000000, 2, 3",
                "line 1: `a` has 6000000000000000000 scalar products: must be at most 1125899906842624",
            ),
            (
                "a, 99999999999999999999, 2, 3",
                "line 1: M = `99999999999999999999`: must be smaller",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), want, "{text:?}");
        }
    }
}
