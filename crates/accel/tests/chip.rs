//! What are the chips made of, what do they draw, and how does that compare with what is
//! published? `cargo test --test chip -- --nocapture` prints the tables of
//! `docs/comparison.md`.

mod setup;

use dtatrans_accel::Machine;
use dtatrans_accel::area::Component;
use dtatrans_accel::energy::{Kind, Part};
use dtatrans_accel::node::{Cells, Technology};
use dtatrans_precision::{ModelShape, Tier};

/// DTATrans in SOFA (MICRO 2024), table II.
const PUBLISHED_MM2: f64 = 1.49;
const PUBLISHED_W: f64 = 0.734;

const PARTS: [Part; 4] = [Part::Array, Part::Buffer, Part::Vector, Part::Sort];

fn at(name: &str, node_nm: u32, supply_v: f64) -> Machine {
    let technology = Technology {
        node_nm,
        cells: Cells::HighPerformance,
        supply_v,
    };
    let machine = Machine::builtin(name).unwrap();
    machine.with_technology(technology).unwrap()
}

#[test]
fn area_of_the_chip_against_the_published_one() {
    let [at_45, at_40] = [45, 40].map(|node| at("vssa-512", node, 1.1));
    println!("| part | 45 nm, mm2 | 40 nm, mm2 | share | kind |");
    for part in PARTS {
        let area = at_40.area();
        let kind = area.components().iter().find(|own| own.part == part);
        println!(
            "| {} | {:.3} | {:.3} | {:.0} % | {} |",
            part.label(),
            at_45.area().of_mm2(part),
            area.of_mm2(part),
            100.0 * area.of_mm2(part) / area.total_mm2(),
            kind.unwrap().kind.name(),
        );
    }
    let (large, small) = (at_45.area().total_mm2(), at_40.area().total_mm2());
    println!("| all | {large:.3} | {small:.3} | | published {PUBLISHED_MM2} |");
    let parts: f64 = PARTS.iter().map(|&part| at_40.area().of_mm2(part)).sum();
    assert!((parts / small - 1.0).abs() < 1e-12);
    // Near enough that the chip may be the one that was published.
    let ratio = small / PUBLISHED_MM2;
    assert!((0.67..1.5).contains(&ratio), "{ratio}");
    for own in at_40.area().components() {
        let Component {
            name,
            count,
            area_um2,
            delay_ps,
            ..
        } = own;
        println!("{name}: {count:.0} x {area_um2:.1} um2, {delay_ps:?} ps");
    }
    println!("longest path: {:.0} ps", at_40.area().longest_path_ps());
}

#[test]
fn power_of_the_chip_against_the_published_one() {
    let header = setup::header_tier_probabilities(ModelShape::bert_base());
    let inputs = [
        ("4 bits", setup::uniform(&header, 384, Tier::Four)),
        (
            "20 % 8, 40 % 4 bits",
            setup::scattered(&header, 384, 20, 40),
        ),
        ("8 bits", setup::uniform(&header, 384, Tier::Eight)),
    ];
    println!("| W | supply | array | buffer | vector | ranking | chip | leakage | DRAM |");
    for supply_v in [1.1, 0.9] {
        let machine = at("vssa-512", 40, supply_v);
        for (name, input) in &inputs {
            let scope = machine.simulate(&header, input).unwrap().attention;
            // pJ in us are uW.
            let watts = |pj: f64| pj / scope.time_us() * 1e-6;
            let parts = PARTS.map(|part| format!("{:.3}", watts(scope.energy.of_pj(part))));
            let chip = watts(scope.energy.on_chip_pj());
            println!(
                "| {name} | {supply_v} V | {} | {chip:.3} | {:.3} | {:.3} |",
                parts.join(" | "),
                watts(scope.energy.leakage_pj()),
                watts(scope.energy.of_pj(Part::Dram)),
            );
            let ratio = chip / PUBLISHED_W;
            assert!((0.5..4.0).contains(&ratio), "{name} {supply_v}: {ratio}");
            assert!(scope.energy.leakage_pj() > 0.0);
        }
    }
}

#[test]
fn elements_of_equal_area() {
    let eyeriss = at("eyeriss", 45, 1.1);
    println!("| chip | elements | mm2 | Eyeriss elements on it | of the array alone |");
    for name in ["vssa-512", "vssa-4096", "systolic-128", "spatten-eighth"] {
        let own = at(name, 45, 1.1);
        let total = own.area().total_mm2();
        let equal = eyeriss.elements_for(total);
        let array = |machine: &Machine| -> f64 {
            let area = machine.area();
            let parts = area.parts().filter(|part| part.is_of_elements());
            parts.map(|part| area.of_mm2(part)).sum()
        };
        let arrays = array(&own) / array(&eyeriss) * eyeriss.elements() as f64;
        println!(
            "| {name} | {} | {total:.3} | {equal:.0} | {arrays:.0} |",
            own.elements()
        );
        assert!(equal >= 0.0);
    }
    // As many as it has, on its own area; and the field's pair, as ours would have it.
    let total = eyeriss.area().total_mm2();
    assert!((eyeriss.elements_for(total) - 168.0).abs() < 1e-6);
    let vssa = at("vssa-512", 45, 1.1);
    let equal = vssa.elements_for(total);
    println!("eyeriss: 168 elements, {total:.3} mm2; vssa-512 would have {equal:.0} there");
    for part in [
        Part::Arithmetic,
        Part::Registers,
        Part::Buffer,
        Part::Vector,
    ] {
        println!(
            "eyeriss {}: {:.3} mm2",
            part.label(),
            eyeriss.area().of_mm2(part)
        );
    }
    assert!(equal > 512.0 && equal < 4096.0, "{equal}");
}

#[test]
fn the_machine_on_the_area_of_eyeriss_fits_it() {
    let eyeriss = at("eyeriss-1ghz", 45, 1.1).area().total_mm2();
    let own = at("vssa-1280", 45, 1.1).area().total_mm2();
    println!("vssa-1280: {own:.3} mm2, eyeriss: {eyeriss:.3} mm2");
    assert!(
        own <= eyeriss && own > 0.95 * eyeriss,
        "{own} and {eyeriss}"
    );
}

#[test]
fn every_machine_says_what_it_is_made_of_and_how_that_was_found() {
    for name in Machine::builtin_names() {
        let machine = Machine::builtin(name).unwrap();
        let area = machine.area();
        assert!(area.total_mm2() > 0.1 && area.leakage_mw() > 0.0, "{name}");
        for own in area.components() {
            assert!(own.area_um2 > 0.0 && !own.source.is_empty(), "{own:?}");
        }
        let netlists = area.components().iter();
        assert!(netlists.filter(|own| own.kind == Kind::Netlist).count() > 0);
        assert!(area.parts().any(Part::is_of_elements), "{name}");
    }
}

#[test]
fn a_buffer_too_small_for_cacti_is_noted() {
    let machine = setup::edited("vssa-512", "bytes = 131072", "bytes = 32768");
    let noted = |machine: &Machine| {
        let mut components = machine.area().components().iter();
        components.any(|own| own.name.contains("register file"))
    };
    assert!(noted(&machine));
    assert!(!noted(&Machine::builtin("vssa-512").unwrap()));
    let header = setup::header(setup::minilm());
    let input = setup::uniform(&header, 25, Tier::Four);
    let report = machine.simulate(&header, &input).unwrap();
    let kinds: Vec<Kind> = report
        .attention
        .energy
        .kinds_pj(Part::Buffer)
        .map(|(kind, _)| kind)
        .collect();
    assert_eq!(kinds, [Kind::Netlist]);
}
