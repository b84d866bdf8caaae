//! What is compared: machines and traces.

use maud::{Markup, html};

use crate::number;
use crate::section::{Section, scrolling};
use crate::view::{ComparedMachine, ComparedTrace, Comparison};

/// The section; `None` of no machines.
pub(crate) fn section(comparison: &Comparison) -> Option<Section> {
    if comparison.machines.is_empty() {
        return None;
    }
    Some(Section {
        id: "machines",
        title: "Machines and traces",
        short_title: "Machines",
        about: html! {
            p {
                "The peak is two operations for each element and cycle, on operands of the \
                 element's own width. Wider operands take an element longer and stay below it."
            }
            p {
                "Every machine runs the inputs of a trace one after the other."
            }
        },
        content: html! {
            (scrolling("Machines", &machines(&comparison.machines, &comparison.base)))
            (scrolling("Traces", &traces(&comparison.traces)))
        },
    })
}

fn machines(machines: &[ComparedMachine], base: &str) -> Markup {
    html! {
        table.numbers {
            thead {
                tr {
                    th scope="col" { "Machine" }
                    th scope="col" { "Elements" span.unit { "x bits" } }
                    th scope="col" { "Clock" span.unit { "GHz" } }
                    th scope="col" { "Peak, executed" span.unit { "GOP/s" } }
                    th.word scope="col" { "Peak at" }
                    th scope="col" { "DRAM, peak" span.unit { "GB/s" } }
                    th.word scope="col" { "Fed" }
                }
            }
            tbody {
                @for machine in machines {
                    tr.plan[machine.name == base] {
                        th scope="row" { (machine.name) }
                        td { (number::count(machine.elements)) " x " (machine.element_bits) }
                        td { (number::fixed(machine.clock_ghz, 2)) }
                        td { (number::fixed(machine.peak_executed_gops, 0)) }
                        td.word { (machine.element_bits) " b x " (machine.element_bits) " b" }
                        td { (number::fixed(machine.dram_gbps, 1)) }
                        td.word { (machine.fed) }
                    }
                }
            }
        }
    }
}

fn traces(traces: &[ComparedTrace]) -> Markup {
    html! {
        table.numbers {
            thead {
                tr {
                    th scope="col" { "Trace" }
                    th.word scope="col" { "Model" }
                    th.word scope="col" { "Plan" }
                    th scope="col" { "Inputs" }
                    th scope="col" { "Tokens" }
                    th scope="col" { "One by one" span.unit { "tokens" } }
                }
            }
            tbody {
                @for trace in traces {
                    tr {
                        th scope="row" { (trace.name) }
                        td.word {
                            (trace.model)
                            @if let Some(remark) = &trace.remark { span.unit { (remark) } }
                        }
                        td.word { (trace.plan) }
                        td { (number::count(trace.inputs)) }
                        td { (number::count(trace.tokens)) }
                        td { (number::count(trace.decoded_tokens)) }
                    }
                }
            }
        }
    }
}
