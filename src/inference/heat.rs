//! Where in its square the model looked for a class.
//!
//! Our own models: the class activation map through the head's Jacobian, exact for a pooled feature map (Zhou et al.,
//! "Learning deep features for discriminative localization", CVPR 2016; for two dense layers it is Grad-CAM, Selvaraju et al.,
//! ICCV 2017, whose gradient is the same at every place). Strangers' models: occlusion (Zeiler and Fergus, ECCV 2014), a grey
//! patch moved over the square, many runs.

use super::engine::{Engine, EngineError};
use crate::model::{Head, ModelCard};
use crate::task::{Cancel, Progress};

/// Patches a side of an occlusion.
const PATCHES: usize = 8;

/// Where the model looked: the higher the more the class was seen there.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    pub side: usize,
    /// Row after row, 0..=1; all 0 where nothing speaks for the class.
    pub values: Vec<f32>,
    /// How it was made, in words.
    pub how: &'static str,
}

impl HeatMap {
    /// Takes raw values: what speaks against the class is 0, the highest is 1.
    fn new(side: usize, raw: &[f32], how: &'static str) -> Self {
        let top = raw.iter().copied().fold(0.0f32, f32::max);
        let values = raw.iter().map(|v| if top > 0.0 { v.max(0.0) / top } else { 0.0 }).collect();
        Self { side, values, how }
    }

    /// The share of the heat within the middle half of the square (a quarter of its area), 0..=1.
    pub fn in_the_middle(&self) -> f32 {
        let (low, high) = (self.side / 4, self.side - self.side / 4);
        let inside = |i: usize| (low..high).contains(&(i / self.side)) && (low..high).contains(&(i % self.side));
        let all: f32 = self.values.iter().sum();
        let middle: f32 = self.values.iter().enumerate().filter(|(i, _)| inside(*i)).map(|(_, v)| v).sum();
        if all > 0.0 { middle / all } else { 0.0 }
    }
}

/// The class activation map of one tensor for one of the network's outputs, without any further run; `None` where the model gives no feature map or its head is
/// not known.
///
/// # Errors
/// As [`Engine::answers`].
pub fn activation_map(
    engine: &mut Engine,
    head: &Head,
    tensor: &[f32],
    output: usize,
) -> Result<Option<HeatMap>, EngineError> {
    let Some((map, channels_first)) = engine.feature_map(tensor.to_vec())? else { return Ok(None) };
    let channels = head.features();
    if channels == 0 || !map.len().is_multiple_of(channels) {
        return Ok(None);
    }
    let places = map.len() / channels;
    let side = places.isqrt();
    if side * side != places {
        return Ok(None);
    }
    let value = |channel: usize, place: usize| {
        if channels_first { map[channel * places + place] } else { map[place * channels + channel] }
    };
    let pooled: Vec<f32> =
        (0..channels).map(|c| (0..places).map(|p| value(c, p)).sum::<f32>() / places as f32).collect();
    let slope = head.slope(&pooled, output);
    let raw: Vec<f32> = (0..places).map(|p| slope.iter().enumerate().map(|(c, s)| s * value(c, p)).sum()).collect();
    Ok(Some(HeatMap::new(side, &raw, "class activation map")))
}

/// The map of a model of which nothing is known: how much the class' probability falls where a patch of the tensor's mean
/// colour lies. `None` when it was cancelled.
///
/// # Errors
/// As [`Engine::answers`].
pub fn occlusion_map(
    engine: &mut Engine,
    card: &ModelCard,
    tensor: &[f32],
    class: usize,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Option<HeatMap>, EngineError> {
    let (size, channels_first) = (card.tensor.size, card.tensor.channels_first);
    let of = |answers: Vec<crate::domain::Probabilities>| {
        answers.first().and_then(|p| p.values().get(class).copied()).unwrap_or(0.0)
    };
    let whole = of(engine.run(tensor.to_vec(), 1)?);
    let pixels = size * size;
    let at = |channel: usize, pixel: usize| if channels_first { channel * pixels + pixel } else { pixel * 3 + channel };
    let mean: [f32; 3] = std::array::from_fn(|c| (0..pixels).map(|p| tensor[at(c, p)]).sum::<f32>() / pixels as f32);
    progress.set_total(PATCHES * PATCHES);
    let mut raw = Vec::with_capacity(PATCHES * PATCHES);
    for patch in 0..PATCHES * PATCHES {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        // Patches overlap: each is two cells of the grid wide.
        let (row, column) = (patch / PATCHES, patch % PATCHES);
        let cell = size.div_ceil(PATCHES);
        let range = |i: usize| (i * cell).saturating_sub(cell / 2)..((i + 1) * cell + cell / 2).min(size);
        let mut hidden = tensor.to_vec();
        for y in range(row) {
            for x in range(column) {
                (0..3).for_each(|c| hidden[at(c, y * size + x)] = mean[c]);
            }
        }
        raw.push(whole - of(engine.run(hidden, 1)?));
        progress.step();
    }
    Ok(Some(HeatMap::new(PATCHES, &raw, "occlusion")))
}
