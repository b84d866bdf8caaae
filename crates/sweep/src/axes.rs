//! The settings of a machine, crossed.

use dtatrans_accel::machine::Setting;
use toml::{Table, Value};

use crate::points::MOST_POINTS;

/// All combinations of the values that the keys of a table have, in the order of the
/// keys' names, those of the last key changing fastest. A list has the values to try, and
/// a table in a list changes its keys together; anything else is a list of one.
///
/// As the error it gives a key and what is wrong with it.
pub(crate) fn combinations(set: &Table) -> Result<Vec<Vec<Setting>>, (String, String)> {
    let mut combinations = vec![Vec::new()];
    for axis in Setting::all_of(set) {
        let values = match axis.value() {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        let key = || axis.keys().join(".");
        if values.is_empty() {
            return Err((key(), "has no values".into()));
        }
        if combinations.len().saturating_mul(values.len()) > MOST_POINTS {
            return Err((key(), format!("makes more than {MOST_POINTS} machines")));
        }
        combinations = combinations
            .iter()
            .flat_map(|settings: &Vec<Setting>| {
                values.iter().map(|value| {
                    let mut settings = settings.clone();
                    settings.extend(axis.with_value(value));
                    settings
                })
            })
            .collect();
    }
    Ok(combinations)
}

/// Settings as they stand in a table's column.
pub(crate) fn label(settings: &[Setting]) -> String {
    let settings: Vec<String> = settings.iter().map(Setting::to_string).collect();
    settings.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<String> {
        let set: Table = toml::from_str(text).unwrap();
        let combinations = combinations(&set).unwrap();
        combinations
            .iter()
            .map(|settings| label(settings))
            .collect()
    }

    #[test]
    fn lists_are_crossed_and_tables_change_together() {
        assert_eq!(labels(""), [""]);
        assert_eq!(
            labels("b.c = [1, 2]\na = [\"x\", \"y\"]\nd = 3"),
            [
                "a = \"x\"; b.c = 1; d = 3",
                "a = \"x\"; b.c = 2; d = 3",
                "a = \"y\"; b.c = 1; d = 3",
                "a = \"y\"; b.c = 2; d = 3",
            ]
        );
        assert_eq!(
            labels("array = [{ rows = 8, columns = 16 }, { rows = 4, columns = 32 }]"),
            [
                "array.columns = 16; array.rows = 8",
                "array.columns = 32; array.rows = 4"
            ]
        );
    }

    #[test]
    fn lists_without_values_or_with_too_many_are_named() {
        let key = |text: &str| combinations(&toml::from_str(text).unwrap()).unwrap_err().0;
        assert_eq!(key("array.rows = []"), "array.rows");
        let many: Vec<u32> = (0..2000).collect();
        assert_eq!(key(&format!("a = {many:?}\nb = {many:?}")), "b");
    }
}
