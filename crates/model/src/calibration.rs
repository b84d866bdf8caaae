//! Calibrations as files: safetensors, one tensor a parameter.
//!
//! `layers.L.P.gain` and `.offset`, or `layers.L.P.down`, `.up` and `.offset`,
//! for each layer L and part P, `layer` or `feed_forward`, that has a map;
//! `prior`; and in the metadata the number of layers. All at f16.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use dtatrans_precision::Calibration;
use dtatrans_precision::calibration::{ChangeMap, LayerMaps};
use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::ModelError;

/// Shape and values.
type Tensor = (Vec<usize>, Vec<f32>);

/// The bytes of a calibration's file.
///
/// # Errors
/// [`ModelError::Calibration`] if a parameter is beyond f16.
pub fn to_bytes(calibration: &Calibration) -> Result<Vec<u8>, ModelError> {
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let mut add = |name: String, shape: Vec<usize>, values: &[f32]| {
        if values
            .iter()
            .any(|&value| !f16::from_f32(value).is_finite())
        {
            let reason = format!("`{name}` holds a number beyond f16");
            return Err(ModelError::Calibration(reason));
        }
        let bytes = values
            .iter()
            .flat_map(|&value| f16::from_f32(value).to_le_bytes());
        tensors.push((name, shape, bytes.collect()));
        Ok(())
    };
    for (prefix, map) in calibration
        .layers
        .iter()
        .enumerate()
        .flat_map(|(layer, maps)| {
            let parts = [("layer", &maps.layer), ("feed_forward", &maps.feed_forward)];
            parts.map(|(part, map)| (format!("layers.{layer}.{part}"), map))
        })
    {
        let name = |part: &str| format!("{prefix}.{part}");
        match map {
            None => {}
            Some(ChangeMap::Diagonal { gain, offset }) => {
                add(name("gain"), vec![gain.len()], gain)?;
                add(name("offset"), vec![offset.len()], offset)?;
            }
            Some(ChangeMap::LowRank { down, up, offset }) => {
                let channels = offset.len();
                let rank = up.len() / channels.max(1);
                add(name("down"), vec![rank, channels], down)?;
                add(name("up"), vec![channels, rank], up)?;
                add(name("offset"), vec![channels], offset)?;
            }
        }
    }
    if !calibration.prior.is_empty() {
        add(
            "prior".into(),
            vec![calibration.prior.len()],
            &calibration.prior,
        )?;
    }
    let fail = |error: safetensors::SafeTensorError| ModelError::Calibration(error.to_string());
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F16, shape.clone(), bytes)?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(fail)?;
    let layers = calibration.layers.len().to_string();
    let metadata = HashMap::from([("layers".into(), layers)]);
    safetensors::serialize(views, Some(metadata)).map_err(fail)
}

/// A calibration from the bytes of its file.
///
/// # Errors
/// [`ModelError::Format`], [`ModelError::Field`] or [`ModelError::Tensor`],
/// naming `file` and what is wrong there.
pub fn from_bytes(bytes: &[u8], file: &Path) -> Result<Calibration, ModelError> {
    let format = |reason: String| ModelError::Format {
        file: file.into(),
        reason,
    };
    let no_file = |error| format(format!("is no safetensors file: {error}"));
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(no_file)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(no_file)?;
    let stated = metadata
        .metadata()
        .as_ref()
        .and_then(|all| all.get("layers"));
    let layers = stated
        .and_then(|layers| layers.parse::<usize>().ok())
        .filter(|&layers| layers <= MOST_LAYERS)
        .ok_or_else(|| ModelError::Field {
            file: file.into(),
            field: "metadata.layers".into(),
            reason: format!("must be a number up to {MOST_LAYERS}"),
        })?;
    let refuse = |tensor: &str, reason: String| ModelError::Tensor {
        file: file.into(),
        tensor: tensor.into(),
        reason,
    };
    let mut read = HashSet::new();
    let mut values = |name: &str| -> Result<Option<Tensor>, ModelError> {
        let Ok(tensor) = tensors.tensor(name) else {
            return Ok(None);
        };
        if tensor.dtype() != Dtype::F16 {
            return Err(refuse(
                name,
                format!("is of type {:?}: must be F16", tensor.dtype()),
            ));
        }
        let (halves, _) = tensor.data().as_chunks();
        let values: Vec<f32> = halves
            .iter()
            .map(|&half| f16::from_le_bytes(half).to_f32())
            .collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(refuse(name, "holds a number that is not finite".into()));
        }
        read.insert(name.to_owned());
        Ok(Some((tensor.shape().to_vec(), values)))
    };
    let mut map = |prefix: String| -> Result<Option<ChangeMap>, ModelError> {
        let name = |part: &str| format!("{prefix}.{part}");
        let held = |part: &str| tensors.tensor(&name(part)).is_ok();
        if !["offset", "gain", "down", "up"].into_iter().any(held) {
            return Ok(None);
        }
        let Some((shape, offset)) = values(&name("offset"))? else {
            return Err(refuse(&name("offset"), "is missing".into()));
        };
        let [channels] = shape[..] else {
            return Err(refuse(&name("offset"), format!("has the shape {shape:?}")));
        };
        let mut part = |part: &str, fits: &dyn Fn(&[usize]) -> bool| {
            let name = name(part);
            match values(&name)? {
                None => Err(refuse(&name, "is missing".into())),
                Some((shape, _)) if !fits(&shape) => Err(refuse(
                    &name,
                    format!("has the shape {shape:?}, the offset {channels} channels"),
                )),
                Some((_, values)) => Ok(values),
            }
        };
        if held("gain") {
            let gain = part("gain", &|shape| shape == [channels])?;
            return Ok(Some(ChangeMap::Diagonal { gain, offset }));
        }
        let down = part("down", &|shape| shape.len() == 2 && shape[1] == channels)?;
        let rank = down.len() / channels.max(1);
        let up = part("up", &|shape| shape == [channels, rank])?;
        Ok(Some(ChangeMap::LowRank { down, up, offset }))
    };
    let mut maps = Vec::new();
    for layer in 0..layers {
        maps.push(LayerMaps {
            layer: map(format!("layers.{layer}.layer"))?,
            feed_forward: map(format!("layers.{layer}.feed_forward"))?,
        });
    }
    let prior = match values("prior")? {
        Some((shape, _)) if shape.len() != 1 => {
            return Err(refuse("prior", format!("has the shape {shape:?}")));
        }
        Some((_, prior)) => prior,
        None => Vec::new(),
    };
    let names = tensors.names().into_iter();
    if let Some(name) = names.filter(|&name| !read.contains(name)).min() {
        let reason = format!("has no place in a calibration of {layers} layers");
        return Err(refuse(name, reason));
    }
    Ok(Calibration {
        layers: maps,
        prior,
    })
}

/// More layers than any model has: a file cannot ask for more.
const MOST_LAYERS: usize = 1 << 12;
