//! What is trained from where: the network with its new head, the layers that learn, and what they see.

use super::outcome::{TrainMonitor, TrainOutcome, TrainProgress};
use super::plan::PreparedDataset;
use super::request::TrainOptions;
use crate::dataset::{CutCell, SplitPart};
use crate::domain::{Digest, label_key};
use crate::files::{digest_of, memory_available};
use crate::model::Network;
use crate::task::cores;
use crate::training::{
    Activations, AugmentedCells, CpuEngine, GradientEngine, InputScaling, Net, Recipe, RecipeKind, Stop, TrainState,
    TrainingDevice, fitting_batch, gpu_engine,
};
use crate::workflow::{Phase, UserError};
use std::collections::BTreeMap;

/// What trained numbers are known by.
pub(super) fn weights_digest(weights: &[f32]) -> Digest {
    digest_of(&weights.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
}

/// What is trained from where.
pub(super) struct Run<'a> {
    pub(super) prepared: &'a PreparedDataset,
    pub(super) options: &'a TrainOptions,
    pub(super) network: Network,
    /// Weights before training.
    pub(super) values: Vec<f32>,
    /// Layers before this one are frozen.
    pub(super) first: usize,
    pub(super) net: Net,
    pub(super) threads: usize,
    cuts: Vec<CutCell>,
}

impl<'a> Run<'a> {
    pub(super) fn new(prepared: &'a PreparedDataset, options: &'a TrainOptions) -> Result<Self, UserError> {
        let recipe = &options.recipe;
        let new_head = recipe.kind == RecipeKind::Head && recipe.epochs > 0;
        let (network, values) = prepared.start.with_head(&prepared.labels, new_head, recipe.seed);
        let first = match recipe.kind {
            RecipeKind::Head => network.layers.len(),
            RecipeKind::Full => 0,
            RecipeKind::Blocks(k) => {
                let starts = network.block_starts();
                starts[starts.len().saturating_sub(k.max(1))]
            }
        };
        let net = Net::new(&network, prepared.start.spec.size);
        let threads = if options.threads == 0 { cores() } else { options.threads };
        fitting_batch(&net, first, recipe.batch, threads, memory_available()).map_err(|fits| {
            UserError::new(format!(
                "a batch of {} images needs more memory than this machine has free; {fits} images fit (--batch {fits})",
                recipe.batch
            ))
        })?;
        let cuts = prepared.cells.iter().map(|c| c.cut).collect();
        Ok(Self { prepared, options, network, values, first, net, threads, cuts })
    }

    /// Cells of a part and their classes.
    pub(super) fn examples(&self, part: SplitPart) -> Vec<(usize, usize)> {
        let cells = self.prepared.cells.iter().enumerate();
        cells.filter(|(_, c)| c.part == Some(part)).map(|(i, c)| (i, c.class)).collect()
    }

    /// A number for the laboratory of each training cell; empty where the dataset names fewer than two.
    pub(super) fn sources(&self) -> Vec<usize> {
        let mut numbers = BTreeMap::new();
        let cells = self.prepared.cells.iter().filter(|c| c.part == Some(SplitPart::Train));
        let sources = cells.map(|c| {
            let next = numbers.len();
            *numbers.entry(c.item.source.as_deref().map(label_key)).or_insert(next)
        });
        let sources: Vec<usize> = sources.collect();
        if numbers.len() > 1 { sources } else { Vec::new() }
    }

    pub(super) fn cells(&self) -> AugmentedCells<'_> {
        AugmentedCells {
            cache: &self.prepared.cache,
            cells: &self.cuts,
            scaling: InputScaling::new(&self.prepared.start.spec),
            augmentation: self.options.recipe.augmentation,
        }
    }

    /// What the frozen layers make of the cells. `None` when cancelled.
    pub(super) fn activations(
        &self,
        cells: &AugmentedCells<'_>,
        monitor: &mut TrainMonitor<'_>,
    ) -> Result<Option<Activations>, UserError> {
        monitor.event(TrainProgress::Phase(Phase::FrozenLayers));
        let engine = CpuEngine::new(self.net.clone(), 0, self.options.threads)?;
        let recipe = &self.options.recipe;
        // Only training sees changed copies; the test part is not touched before the end, and then as images.
        let views = |part| match part {
            Some(SplitPart::Train) => recipe.views.max(1),
            Some(SplitPart::Validation) => 1,
            Some(SplitPart::Test) | None => 0,
        };
        let views: Vec<usize> = self.prepared.cells.iter().map(|c| views(c.part)).collect();
        Activations::compute(
            &engine,
            &self.values,
            self.first,
            cells,
            (&views, recipe.seed),
            self.prepared.request.cache.as_deref(),
            monitor.cancel,
            monitor.progress,
        )
        .map_err(UserError::from)
    }

    /// The graphics card that computes the gradients; none on the processor.
    pub(super) fn device(&self) -> Result<Option<Box<dyn GradientEngine>>, UserError> {
        match self.options.device {
            TrainingDevice::Cpu => Ok(None),
            TrainingDevice::Gpu => gpu_engine(&self.net, self.first, true).map(Some).map_err(UserError::from),
            TrainingDevice::Auto => Ok(gpu_engine(&self.net, self.first, false).ok()),
        }
    }

    /// What a run came to before its model is verified and written.
    pub(super) fn outcome(&self, stop: Stop, state: &TrainState, weights: &[f32]) -> TrainOutcome {
        TrainOutcome {
            stop,
            history: state.history.clone(),
            best_epoch: state.best_epoch,
            model: None,
            weights: weights_digest(weights),
            validation: None,
            held_out: None,
            difference: 0.0,
            labels: self.prepared.labels.labels().to_vec(),
        }
    }

    /// What a checkpoint belongs to, line by line.
    pub(super) fn identity(&self, recipe: &Recipe) -> String {
        let p = self.prepared;
        let drawn = if self.sources().is_empty() { "" } else { "\nlaboratories drawn equally" };
        format!(
            "data {}\nsplit {}\nlabels {}\nstart {}\nimage {}\nfirst layer {}\nrecipe {}{drawn}",
            p.data_digest,
            p.split_digest,
            p.labels.labels().join(","),
            p.start.digest,
            p.cache.view().name(),
            self.first,
            recipe.identity()
        )
    }
}
