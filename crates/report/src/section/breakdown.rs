//! Where the cycles and the energy go.

use maud::{Markup, html};

use super::Section;
use super::split::{self, Split, Whole};
use crate::view::{Machine, Simulation};

/// The section; `None` of no machines in either scope.
pub(crate) fn section(attention: &Simulation, encoder: &Simulation) -> Option<Section> {
    if attention.machines.is_empty() && encoder.machines.is_empty() {
        return None;
    }
    let scopes = |whole| {
        vec![
            ("Attention", wholes(attention, whole)),
            ("Encoder", wholes(encoder, whole)),
        ]
    };
    let cycles = Split {
        title: "Cycles by cause",
        unit: split::cycles,
        scopes: scopes(|machine| {
            Whole::new(
                &machine.name,
                machine.cycles as f64,
                &machine.cycles_by_cause,
            )
        }),
    };
    let energy = Split {
        title: "Energy by part",
        unit: split::energy_uj,
        scopes: scopes(|machine| {
            Whole::new(&machine.name, machine.energy_uj, &machine.energy_parts_uj)
        }),
    };
    Some(Section {
        id: "cycles",
        title: "Where cycles and energy go",
        short_title: "Cycles and energy",
        about: about(),
        content: html! { (cycles.show()) (energy.show()) },
    })
}

fn wholes<'a>(simulation: &'a Simulation, whole: fn(&'a Machine) -> Whole<'a>) -> Vec<Whole<'a>> {
    simulation.machines.iter().map(whole).collect()
}

/// How to read the bars.
pub(super) fn about() -> Markup {
    html! {
        p {
            "Bars are shares of each machine's own cycles or energy: they tell how well a \
             machine is used, not how fast it is."
        }
        p {
            "Active is work on products; every other colour is a reason why elements stood \
             idle, by elements and cycles."
        }
    }
}
