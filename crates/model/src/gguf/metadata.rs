//! The header's primitives: a cursor over bytes that may end anywhere, and the
//! typed values of the metadata.

/// One value of the metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An integer of any width.
    Integer(i64),
    /// An integer beyond `i64`.
    Unsigned(u64),
    /// A number of either width.
    Float(f64),
    /// True or false.
    Flag(bool),
    /// Text.
    String(String),
    /// Values of one type, still in the file.
    Array(Array),
}

/// Where the values of an array lie in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array {
    kind: u32,
    count: usize,
    begin: usize,
}

const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// The bytes of a value of fixed width; `None` of other kinds.
fn width(kind: u32) -> Option<usize> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

impl Value {
    /// An integer that is not negative.
    pub fn integer(&self) -> Option<u64> {
        match self {
            Value::Integer(value) => u64::try_from(*value).ok(),
            Value::Unsigned(value) => Some(*value),
            _ => None,
        }
    }

    /// A number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Float(value) => Some(*value),
            Value::Integer(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// True or false.
    pub fn flag(&self) -> Option<bool> {
        match self {
            Value::Flag(value) => Some(*value),
            _ => None,
        }
    }

    /// Text.
    pub fn string(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// An array.
    pub fn array(&self) -> Option<Array> {
        match self {
            Value::Array(array) => Some(*array),
            _ => None,
        }
    }
}

impl Array {
    /// The strings of an array of them.
    pub(super) fn strings<'a>(&self, file: &'a [u8]) -> Result<Vec<&'a str>, String> {
        if self.kind != STRING {
            return Err("must be an array of strings".into());
        }
        let mut cursor = Cursor {
            bytes: file,
            place: self.begin,
        };
        let mut strings = Vec::new();
        for index in 0..self.count {
            let string = cursor.string();
            strings.push(string.map_err(|reason| format!("string {index}: {reason}"))?);
        }
        Ok(strings)
    }

    /// The integers of an array of them.
    pub(super) fn integers(&self, file: &[u8]) -> Result<Vec<i64>, String> {
        let mut cursor = Cursor {
            bytes: file,
            place: self.begin,
        };
        let mut integers = Vec::new();
        for _ in 0..self.count {
            match cursor.scalar(self.kind)? {
                Value::Integer(integer) => integers.push(integer),
                _ => return Err("must be an array of integers".into()),
            }
        }
        Ok(integers)
    }
}

/// Reads bytes one after the other.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, place: 0 }
    }

    /// How many bytes were read.
    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// The next bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], String> {
        let left = &self.bytes[self.place..];
        if count > left.len() {
            return Err(format!(
                "is cut short: {count} bytes at byte {}, {} are left",
                self.place,
                left.len()
            ));
        }
        self.place += count;
        Ok(&left[..count])
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let bytes = self.bytes(N)?;
        Ok(bytes.try_into().expect("as many as asked for"))
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, String> {
        let bytes = self.fixed();
        bytes
            .map(u32::from_le_bytes)
            .map_err(|reason| format!("{what}: {reason}"))
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, String> {
        let bytes = self.fixed();
        bytes
            .map(u64::from_le_bytes)
            .map_err(|reason| format!("{what}: {reason}"))
    }

    /// A length, which cannot be more than the bytes that are left.
    fn length(&mut self, unit: usize) -> Result<usize, String> {
        let length = self.u64("length")?;
        let left = (self.bytes.len() - self.place) / unit;
        match usize::try_from(length) {
            Ok(length) if length <= left => Ok(length),
            _ => Err(format!(
                "is cut short: length {length} at byte {}",
                self.place
            )),
        }
    }

    /// A string.
    pub(super) fn string(&mut self) -> Result<&'a str, String> {
        let length = self.length(1)?;
        let begin = self.place;
        let bytes = self.bytes(length)?;
        std::str::from_utf8(bytes)
            .map_err(|error| format!("is not UTF-8 at byte {}", begin + error.valid_up_to()))
    }

    /// A value with its type in front.
    pub(super) fn value(&mut self) -> Result<Value, String> {
        match self.u32("type")? {
            STRING => self.string().map(|text| Value::String(text.to_owned())),
            ARRAY => self.array().map(Value::Array),
            kind => self.scalar(kind),
        }
    }

    /// A value of a type of fixed width.
    fn scalar(&mut self, kind: u32) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::Integer(u8::from_le_bytes(self.fixed()?).into()),
            1 => Value::Integer(i8::from_le_bytes(self.fixed()?).into()),
            2 => Value::Integer(u16::from_le_bytes(self.fixed()?).into()),
            3 => Value::Integer(i16::from_le_bytes(self.fixed()?).into()),
            4 => Value::Integer(u32::from_le_bytes(self.fixed()?).into()),
            5 => Value::Integer(i32::from_le_bytes(self.fixed()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.fixed()?).into()),
            7 => match self.fixed::<1>()? {
                [0] => Value::Flag(false),
                [1] => Value::Flag(true),
                [other] => return Err(format!("a bool of {other}: must be 0 or 1")),
            },
            10 => {
                let value = u64::from_le_bytes(self.fixed()?);
                i64::try_from(value).map_or(Value::Unsigned(value), Value::Integer)
            }
            11 => Value::Integer(i64::from_le_bytes(self.fixed()?)),
            12 => Value::Float(f64::from_le_bytes(self.fixed()?)),
            other => return Err(format!("type {other}: is not known")),
        })
    }

    /// Passes over an array; what its strings hold is checked when they are
    /// asked for.
    fn array(&mut self) -> Result<Array, String> {
        let kind = self.u32("type of the array")?;
        // A string takes at least its length.
        let unit = match kind {
            STRING => 8,
            ARRAY => return Err("an array of arrays: is not supported".into()),
            kind => width(kind).ok_or_else(|| format!("an array of type {kind}: is not known"))?,
        };
        let count = self.length(unit)?;
        let begin = self.place;
        match kind {
            STRING => {
                for _ in 0..count {
                    let length = self.length(1)?;
                    self.bytes(length)?;
                }
            }
            _ => {
                self.bytes(count * unit)?;
            }
        }
        Ok(Array { kind, count, begin })
    }
}
