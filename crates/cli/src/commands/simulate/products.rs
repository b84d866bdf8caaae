//! `dtatrans simulate --gemm`: products of a list on machines' arrays.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use dtatrans_accel::{GemmReport, Machine};
use dtatrans_precision::workload::gemm;
use serde::Serialize;

use crate::args::SimulateArguments;
use crate::{console, output, texts};

#[derive(Serialize)]
struct Lists {
    machines: Vec<List>,
}

#[derive(Serialize)]
struct List {
    machine: String,
    kind: &'static str,
    products: Vec<GemmReport>,
}

pub(super) fn run(
    arguments: &SimulateArguments,
    file: &Path,
    machines: &[Machine],
    json: bool,
) -> Result<()> {
    let what = || file.display().to_string();
    let text = texts::read_utf8(file).with_context(what)?;
    let gemms = gemm::parse(&text).with_context(what)?;
    let (left, right) = (arguments.left_bits.into(), arguments.right_bits.into());
    let list = |machine: &Machine| -> Result<List> {
        Ok(List {
            machine: machine.name().to_owned(),
            kind: machine.kind(),
            products: machine.simulate_products(&gemms, left, right)?,
        })
    };
    let machines = machines.iter().map(list).collect::<Result<_>>()?;
    let lists = Lists { machines };
    if let Some(file) = &arguments.csv {
        output::write_file(file, |out| write_csv(&lists, out))?;
    }
    match json {
        true => output::print_json(&lists),
        false => print_tables(&lists),
    }
}

/// A row for each machine and product, units in the names of columns.
fn write_csv(lists: &Lists, out: &mut dyn Write) -> Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    let columns = [
        "machine",
        "product",
        "m_rows",
        "n_columns",
        "k_steps",
        "batch",
        "macs",
        "cycles",
        "time_us",
        "utilisation",
        "active_element_cycles",
        "speed_mismatch_element_cycles",
        "partial_tiles_element_cycles",
        "fill_element_cycles",
        "drain_element_cycles",
    ];
    writer.write_record(columns)?;
    for list in &lists.machines {
        for product in &list.products {
            let spent = product.element_cycles;
            let numbers = [product.m, product.n, product.k, product.batch, product.macs];
            let numbers = numbers.iter().chain([&product.cycles]).map(u64::to_string);
            let rates = [product.time_us.to_string(), product.utilisation.to_string()];
            let causes = [
                spent.active,
                spent.speed_mismatch,
                spent.tail,
                spent.fill,
                spent.drain,
            ];
            let names = [list.machine.clone(), product.name.clone()];
            let fields = names.into_iter().chain(numbers).chain(rates);
            writer.write_record(fields.chain(causes.iter().map(u64::to_string)))?;
        }
    }
    Ok(writer.flush()?)
}

fn print_tables(lists: &Lists) -> Result<()> {
    for list in &lists.machines {
        let titles = [
            list.machine.as_str(),
            "batch",
            "M",
            "N",
            "K",
            "cycles",
            "time, ms",
            "utilisation",
        ];
        let mut table = console::table(&titles);
        for product in &list.products {
            table.add_row([
                product.name.clone(),
                product.batch.to_string(),
                product.m.to_string(),
                product.n.to_string(),
                product.k.to_string(),
                product.cycles.to_string(),
                format!("{:.3}", product.time_us / 1e3),
                format!("{:.0} %", 100.0 * product.utilisation),
            ]);
        }
        output::print_line(table)?;
    }
    Ok(())
}
