//! Changes to a machine file: `array.rows=64`.

use std::str::FromStr;

use crate::AccelError;

/// A key of a machine file, with its tables, and what shall stand there.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    keys: Vec<String>,
    value: toml::Value,
}

impl FromStr for Setting {
    type Err = AccelError;

    /// From `key=value` or `table.key=value`; the value as in TOML, where a word
    /// needs no quotes.
    fn from_str(text: &str) -> Result<Setting, AccelError> {
        let refuse = |reason: &str| {
            Err(AccelError::Setting {
                setting: text.to_owned(),
                reason: reason.to_owned(),
            })
        };
        let Some((path, value)) = text.split_once('=') else {
            return refuse("is not KEY=VALUE");
        };
        let keys: Vec<String> = path.split('.').map(|key| key.trim().to_owned()).collect();
        if keys.iter().any(String::is_empty) {
            return refuse("has an empty key");
        }
        let value = value.trim();
        let value = match toml::from_str::<toml::Table>(&format!("value = {value}")) {
            Ok(mut table) if table.len() == 1 => table.remove("value"),
            _ if !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || c == '-') => {
                Some(toml::Value::String(value.to_owned()))
            }
            _ => None,
        };
        match value {
            Some(value) => Ok(Setting { keys, value }),
            None => refuse("has a value that is not TOML"),
        }
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {}", self.keys.join("."), self.value)
    }
}

impl Setting {
    /// Sets the key in the tables of a machine file. Whether there is such a key is
    /// for the machine to say.
    pub(super) fn apply(&self, tables: &mut toml::Table) -> Result<(), AccelError> {
        let (last, path) = self.keys.split_last().expect("a setting has a key");
        let mut table = tables;
        for key in path {
            let entry = table.entry(key.clone());
            let inner = entry.or_insert_with(|| toml::Value::Table(toml::Table::new()));
            table = match inner {
                toml::Value::Table(inner) => inner,
                _ => {
                    return Err(AccelError::Setting {
                        setting: self.to_string(),
                        reason: format!("`{key}` is no table"),
                    });
                }
            };
        }
        table.insert(last.clone(), self.value.clone());
        Ok(())
    }
}
