//! The rows of a point: one for each scope that the machine and the trace have.

use dtatrans_accel::report::Cause;
use dtatrans_accel::{RunReport, ScopeReport, table};

use crate::points::Recording;

/// The columns before those of the causes.
pub const COLUMNS: [&str; 18] = [
    "point",
    "machine",
    "settings",
    "trace",
    "plan",
    "tiers",
    "model",
    "inputs",
    "tokens",
    "scope",
    "cycles",
    "time_us",
    "effective_gops",
    "utilisation",
    "energy_on_chip_uj",
    "energy_uj",
    "dram_read_bytes",
    "dram_write_bytes",
];

/// How many of them say which point it is.
pub(crate) const IDENTITY: usize = 5;

/// The scopes that rows can have.
pub const SCOPES: [&str; 6] = [
    "attention",
    "encoder",
    "model",
    "decoding attention",
    "decoding encoder",
    "decoding model",
];

/// The line with the names of the columns, and its end.
pub(crate) fn heading() -> String {
    let columns = COLUMNS.map(str::to_owned).into_iter();
    line(columns.chain(Cause::ALL.map(table::column))) + "\n"
}

/// How many columns there are.
pub(crate) fn width() -> usize {
    COLUMNS.len() + Cause::ALL.len()
}

/// Fields as they stand in a line, without its end.
pub(crate) fn line(fields: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Into memory, which cannot fail.
    let written = writer.write_record(fields);
    debug_assert!(written.is_ok());
    let bytes = writer.into_inner().unwrap_or_default();
    let mut line = String::from_utf8(bytes).unwrap_or_default();
    line.truncate(line.trim_end_matches('\n').len());
    line
}

/// The fields of a line; `None` if it is none of a table.
pub(crate) fn fields(line: &str) -> Option<csv::StringRecord> {
    let mut reader = csv::ReaderBuilder::new();
    let mut records = reader.has_headers(false).from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    let read = records.read_record(&mut record);
    (matches!(read, Ok(true)) && record.len() == width()).then_some(record)
}

/// The first columns of a line, as they stand in it.
pub(crate) fn identity_of(fields: &csv::StringRecord) -> String {
    line(fields.iter().take(IDENTITY))
}

/// The lines of a point.
pub(crate) fn rows(identity: &str, recording: &Recording, report: &RunReport) -> String {
    let decoding = report.decoding.as_ref();
    let scopes = [
        Some(&report.attention),
        report.encoder.as_ref(),
        report.model.as_ref(),
        decoding.map(|decoding| &decoding.attention),
        decoding.and_then(|decoding| decoding.encoder.as_ref()),
        decoding.and_then(|decoding| decoding.model.as_ref()),
    ];
    let mut rows = String::new();
    for (name, scope) in SCOPES.iter().zip(scopes) {
        let Some(scope) = scope else { continue };
        let tokens = match decoding {
            Some(decoding) if name.starts_with("decoding") => decoding.tokens,
            Some(decoding) => report.tokens - decoding.tokens,
            None => report.tokens,
        };
        let about = [
            recording.tiers.to_owned(),
            recording.header.model.name.clone(),
            report.inputs.to_string(),
            tokens.to_string(),
            (*name).to_owned(),
        ];
        let fields = about.into_iter().chain(figures(scope));
        rows += identity;
        rows.push(',');
        rows += &line(fields);
        rows.push('\n');
    }
    rows
}

/// The figures of a scope, from `cycles` on.
fn figures(scope: &ScopeReport) -> impl Iterator<Item = String> + use<> {
    let figures = [
        scope.cycles.to_string(),
        format!("{:.3}", scope.time_us()),
        format!("{:.3}", scope.effective_gops()),
        format!("{:.6}", scope.utilisation()),
        format!("{:.6}", scope.energy.on_chip_pj() / 1e6),
        format!("{:.6}", scope.energy.total_pj() / 1e6),
        scope.dram_read_bytes.to_string(),
        scope.dram_write_bytes.to_string(),
    ];
    let causes = Cause::ALL.map(|cause| scope.element_cycles.of(cause).to_string());
    figures.into_iter().chain(causes)
}
