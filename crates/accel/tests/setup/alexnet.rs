//! AlexNet on Eyeriss: what is published, and what the model makes of it.

use dtatrans_accel::eyeriss::chip::Chip;
use dtatrans_accel::eyeriss::layer::Layer;
use dtatrans_accel::eyeriss::mapping::{Mapping, Parameters};
use dtatrans_accel::eyeriss::silicon::{Clocks, Measured, Zeros};
use serde::Deserialize;

/// The clocks of the measurements.
pub(crate) const CLOCKS: Clocks = Clocks {
    core_ghz: 0.2,
    link_gbps: 0.48,
};

/// A layer of the chip's table.
#[derive(Debug, Deserialize)]
pub(crate) struct OnChip {
    pub(crate) layer: String,
    groups: u64,
    channels: u64,
    filters: u64,
    size: u64,
    padding: u64,
    filter: u64,
    stride: u64,
    m: u64,
    n: u64,
    e: u64,
    p: u64,
    q: u64,
    r: u64,
    t: u64,
    pub(crate) power_mw: f64,
    pub(crate) total_ms: f64,
    pub(crate) processing_ms: f64,
    pub(crate) active_elements: u64,
    zeros: f64,
    pub(crate) buffer_mb: f64,
    pub(crate) dram_mb: f64,
}

impl OnChip {
    pub(crate) fn shape(&self) -> Layer {
        Layer {
            images: 4,
            groups: self.groups,
            channels: self.channels,
            filters: self.filters,
            height: self.size,
            width: self.size,
            filter_rows: self.filter,
            filter_columns: self.filter,
            stride: self.stride,
            padding: self.padding,
        }
    }

    /// The chip's own mapping.
    pub(crate) fn mapping(&self) -> Mapping {
        let &OnChip {
            m,
            n,
            e,
            p,
            q,
            r,
            t,
            ..
        } = self;
        Mapping::of_chip(Parameters {
            m,
            n,
            e,
            p,
            q,
            r,
            t,
        })
    }
}

/// The layers of the chip's table, each with what the model makes of it.
///
/// The zeros of a layer's output are not published: those of the next layer's input stand
/// for them, although pooling lies between some, and the last layer's own.
pub(crate) fn on_chip() -> Vec<(OnChip, Measured)> {
    let layers: Vec<OnChip> = rows(include_str!("../data/eyeriss_alexnet.csv"));
    let inputs: Vec<f64> = layers.iter().map(|layer| layer.zeros / 100.0).collect();
    let measured = |(index, layer): (usize, OnChip)| {
        let zeros = Zeros {
            input: inputs[index],
            output: *inputs.get(index + 1).unwrap_or(&inputs[index]),
            coded_input: index > 0,
        };
        let (shape, mapping) = (layer.shape(), layer.mapping());
        let ours = Measured::of(&Chip::JSSC17, &CLOCKS, &shape, &mapping, &zeros);
        (layer, ours)
    };
    layers.into_iter().enumerate().map(measured).collect()
}

/// A layer of the study's figure.
#[derive(Debug, Deserialize)]
pub(crate) struct InStudy {
    pub(crate) layer: String,
    groups: u64,
    channels: u64,
    filters: u64,
    size: u64,
    padding: u64,
    filter: u64,
    stride: u64,
    pub(crate) alu: f64,
    pub(crate) dram: f64,
    pub(crate) pads: f64,
}

impl InStudy {
    pub(crate) fn shape(&self) -> Layer {
        Layer {
            images: 16,
            groups: self.groups,
            channels: self.channels,
            filters: self.filters,
            height: self.size,
            width: self.size,
            filter_rows: self.filter,
            filter_columns: self.filter,
            stride: self.stride,
            padding: self.padding,
        }
    }
}

/// The layers of the study's figure.
pub(crate) fn in_study() -> Vec<InStudy> {
    rows(include_str!("../data/eyeriss_isca16.csv"))
}

fn rows<T: for<'a> Deserialize<'a>>(text: &str) -> Vec<T> {
    csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(text.as_bytes())
        .into_deserialize()
        .collect::<Result<_, _>>()
        .expect("the tables of the tests are well-formed")
}
