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
    /// The settings that the keys of a table ask for, those of tables within it
    /// included, in the order of their names.
    pub fn all_of(table: &toml::Table) -> Vec<Setting> {
        let mut settings = Vec::new();
        collect(table, &mut Vec::new(), &mut settings);
        settings.sort_by(|a, b| a.keys.cmp(&b.keys));
        settings
    }

    /// The key with its tables, outermost first.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// What shall stand there.
    pub fn value(&self) -> &toml::Value {
        &self.value
    }

    /// The same key with another value; a table sets each of its keys.
    pub fn with_value(&self, value: &toml::Value) -> Vec<Setting> {
        match value {
            toml::Value::Table(table) => {
                let mut settings = Vec::new();
                collect(table, &mut self.keys.clone(), &mut settings);
                settings.sort_by(|a, b| a.keys.cmp(&b.keys));
                settings
            }
            value => vec![Setting {
                keys: self.keys.clone(),
                value: value.clone(),
            }],
        }
    }

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

/// Adds what a table sets, whose own keys are `path`.
fn collect(table: &toml::Table, path: &mut Vec<String>, settings: &mut Vec<Setting>) {
    for (key, value) in table {
        path.push(key.clone());
        match value {
            toml::Value::Table(inner) => collect(inner, path, settings),
            value => settings.push(Setting {
                keys: path.clone(),
                value: value.clone(),
            }),
        }
        path.pop();
    }
}
