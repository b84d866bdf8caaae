//! Reports as a table of comma-separated values: a row for each machine, scope, layer
//! and operation, with units in the names of columns.

use crate::report::{Cause, RunReport, ScopeReport};

/// The columns before the causes.
const COLUMNS: [&str; 20] = [
    "machine",
    "scope",
    "layer",
    "operation",
    "copies",
    "m_rows",
    "n_columns",
    "k_steps",
    "cycles",
    "time_us",
    "macs_executed",
    "utilisation",
    "dram_read_left_bytes",
    "dram_read_right_bytes",
    "dram_read_other_bytes",
    "dram_write_bytes",
    "sram_read_left_bytes",
    "sram_read_right_bytes",
    "mapping",
    "clock_ghz",
];

/// The table of several machines.
pub fn csv(reports: &[RunReport]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let causes = Cause::ALL.map(column);
    let columns = COLUMNS.iter().map(|name| (*name).to_owned());
    write(&mut writer, columns.chain(causes));
    for report in reports {
        let decoding = report.decoding.as_ref();
        let scopes = [
            ("attention", Some(&report.attention)),
            ("encoder", report.encoder.as_ref()),
            (
                "decoding attention",
                decoding.map(|decoding| &decoding.attention),
            ),
            (
                "decoding",
                decoding.and_then(|decoding| decoding.encoder.as_ref()),
            ),
        ];
        for (name, scope) in scopes {
            if let Some(scope) = scope {
                rows(&mut writer, &report.machine, name, scope);
            }
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// The column of the element-cycles of a cause.
pub fn column(cause: Cause) -> String {
    let name = cause.label().to_lowercase().replace(' ', "_");
    format!("{name}_element_cycles")
}

fn rows(writer: &mut csv::Writer<Vec<u8>>, machine: &str, name: &str, scope: &ScopeReport) {
    for ((layer, operation), product) in &scope.products {
        let causes = product.element_cycles;
        let utilisation = match causes.total() {
            0 => 0.0,
            total => causes.active as f64 / total as f64,
        };
        let fields = [
            machine.to_owned(),
            name.to_owned(),
            layer.to_string(),
            operation.label().to_owned(),
            product.copies.to_string(),
            product.m.to_string(),
            product.n.to_string(),
            product.k.to_string(),
            product.cycles.to_string(),
            format!("{:.3}", product.cycles as f64 / (scope.clock_ghz * 1e3)),
            product.macs.to_string(),
            format!("{utilisation:.6}"),
            product.dram_read_bytes[0].to_string(),
            product.dram_read_bytes[1].to_string(),
            product.dram_read_bytes[2].to_string(),
            product.dram_write_bytes.to_string(),
            product.sram_read_bytes[0].to_string(),
            product.sram_read_bytes[1].to_string(),
            product.mapping.clone().unwrap_or_default(),
            scope.clock_ghz.to_string(),
        ];
        let causes = Cause::ALL.map(|cause| causes.of(cause).to_string());
        write(writer, fields.into_iter().chain(causes));
    }
}

fn write(writer: &mut csv::Writer<Vec<u8>>, fields: impl Iterator<Item = String>) {
    // Into memory, and all rows have the same number of fields.
    let written = writer.write_record(fields.map(String::into_bytes));
    debug_assert!(written.is_ok());
}
