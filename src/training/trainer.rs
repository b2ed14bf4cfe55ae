//! The loop: batches, steps, epochs, validation, the best epoch, stopping with a reason.
//!
//! It prints nothing and opens no file: it reports to an [`Observer`], and its whole state is a value that can be saved
//! and taken up again at any step with the same bits. Everything drawn by chance is drawn from the seed, the epoch and
//! the place in it, never from what happened before.

use super::draw::draw;
use super::engine::{Batch, BatchResult, CpuEngine, GradientEngine, shifted_exp};
use super::error::{DeviceError, TrainError};
use super::optimizer::{Optimizer, average};
use super::recipe::Recipe;
use crate::domain::EpochRow;
use fastrand::Rng;
use rayon::prelude::*;
use std::time::Instant;

/// Where inputs come from.
pub trait TensorSource: Sync {
    /// Writes item `item` as the network's input; changed by chance where `random` is given, else plain.
    ///
    /// # Errors
    /// When it cannot be read any more.
    fn fill(&self, item: usize, random: Option<&mut Rng>, out: &mut [f32]) -> Result<(), TrainError>;
}

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepMetrics {
    /// From 1.
    pub epoch: usize,
    /// From 1, over all epochs.
    pub step: usize,
    /// Of all epochs.
    pub steps: usize,
    /// The batch's loss.
    pub loss: f64,
    /// Share of the batch that is right.
    pub accuracy: f64,
    pub images: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    Continue,
    /// Save and go on.
    Checkpoint,
    /// Stop; the best so far is kept.
    Stop,
}

/// Who hears how it goes, and may stop it.
pub trait Observer {
    /// After each step; also asked while the validation part is looked at. May block (a pause).
    fn step(&mut self, news: &StepMetrics) -> Control;
    /// After each epoch; `best` is whether it is the best so far.
    fn epoch(&mut self, row: &EpochRow, best: bool);
    /// The state should be saved. Where it cannot be (a full disk), training goes on.
    fn save(&mut self, state: &TrainState);
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    Finished,
    /// No better validation loss for as many epochs as the recipe allows.
    Early,
    Cancelled,
    /// The loss is not a number any more; says what to change.
    Diverged(String),
}

/// Everything that changes while training.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrainState {
    pub values: Vec<f32>,
    pub optimizer: Optimizer,
    /// Moving average of the trained numbers; empty where there is none.
    pub average: Vec<f32>,
    /// The kept epoch's numbers; empty before the first one.
    pub best: Vec<f32>,
    /// The kept epoch; 0 before the first one.
    pub best_epoch: usize,
    pub epoch: usize,
    /// Steps done of the present epoch.
    pub step: usize,
    /// Sums over the present epoch: loss × images, right ones, images.
    pub sums: [f64; 3],
    /// Seconds that the present epoch has taken before the last interruption.
    pub seconds: f64,
    pub history: Vec<EpochRow>,
}

pub struct Trainer<'a> {
    engine: CpuEngine,
    /// Computes the gradients in the processor's place.
    device: Option<Box<dyn GradientEngine>>,
    first: usize,
    /// All numbers of the network; the trained ones are a copy of the state's.
    all: Vec<f32>,
    recipe: Recipe,
    source: &'a dyn TensorSource,
    /// Item and class of each training and validation image.
    train: Vec<(usize, usize)>,
    validation: Vec<(usize, usize)>,
    /// The laboratory of each training image; empty where they are not told apart.
    sources: Vec<usize>,
    decays: Vec<bool>,
    state: TrainState,
}

impl<'a> Trainer<'a> {
    /// A run from the network's numbers `all`, layers `first..` trained.
    pub fn new(
        engine: CpuEngine,
        first: usize,
        all: Vec<f32>,
        recipe: Recipe,
        source: &'a dyn TensorSource,
        train: Vec<(usize, usize)>,
        validation: Vec<(usize, usize)>,
    ) -> Self {
        let base = engine.net().offset(first);
        let values = all[base..].to_vec();
        let state = TrainState {
            optimizer: Optimizer::new(values.len()),
            average: if recipe.average > 0.0 { values.clone() } else { Vec::new() },
            values,
            ..TrainState::default()
        };
        let decays = engine.net().decays(first);
        Self { engine, device: None, first, all, recipe, source, train, validation, sources: Vec::new(), decays, state }
    }

    /// Lets another device compute the gradients; it must be made for the same network and cut.
    pub fn on(mut self, device: Option<Box<dyn GradientEngine>>) -> Self {
        self.device = device;
        self
    }

    /// Draws as many images of each laboratory, and of each laboratory by class: `sources` has a number for each training image. Only
    /// where the recipe draws by class at all.
    pub fn from_sources(mut self, sources: Vec<usize>) -> Self {
        self.sources = sources;
        self
    }

    /// Takes up a saved state.
    ///
    /// # Errors
    /// [`TrainError::OtherNetwork`].
    pub fn resume(&mut self, state: TrainState) -> Result<(), TrainError> {
        if state.values.len() != self.state.values.len() || state.average.len() != self.state.average.len() {
            return Err(TrainError::OtherNetwork);
        }
        self.state = state;
        Ok(())
    }

    pub fn state(&self) -> &TrainState {
        &self.state
    }

    pub fn steps_an_epoch(&self) -> usize {
        self.train.len().div_ceil(self.recipe.batch).max(1)
    }

    pub fn into_engine(self) -> CpuEngine {
        self.engine
    }

    /// All numbers of the network with the kept epoch's in their place; the starting ones before the first epoch.
    pub fn kept(&self) -> Vec<f32> {
        let mut all = self.all.clone();
        if !self.state.best.is_empty() {
            all[self.base()..].copy_from_slice(&self.state.best);
        }
        all
    }

    /// Trains to the end, or until stopped.
    ///
    /// # Errors
    /// When an input cannot be read any more, or a device fails; the state stays as it was at the last step.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Stop, TrainError> {
        let steps = self.steps_an_epoch();
        let mut gradient = vec![0f32; self.state.values.len()];
        let (base, mut values) = (self.base(), self.all.clone());
        while self.state.epoch < self.recipe.epochs {
            let begun = Instant::now();
            let before = self.state.seconds;
            let order = self.order(self.state.epoch);
            while self.state.step < steps {
                let batch = self.batch(&order)?;
                values[base..].copy_from_slice(&self.state.values);
                let result = self.gradients(&values, &batch, &mut gradient)?;
                if !result.loss.is_finite() {
                    return Ok(self.diverged());
                }
                let Some(metrics) = self.step(&result, &batch, &gradient, steps) else { return Ok(self.diverged()) };
                self.state.seconds = before + begun.elapsed().as_secs_f64();
                match observer.step(&metrics) {
                    Control::Continue => {}
                    Control::Checkpoint => observer.save(&self.state),
                    Control::Stop => {
                        observer.save(&self.state);
                        return Ok(Stop::Cancelled);
                    }
                }
            }
            let kept = if self.state.average.is_empty() { &self.state.values } else { &self.state.average };
            values[base..].copy_from_slice(kept);
            let (val_loss, val_accuracy) = self.look(&values, &self.validation)?;
            let state = &mut self.state;
            state.epoch += 1;
            let n = state.sums[2].max(1.0);
            let row = EpochRow {
                epoch: state.epoch,
                train_loss: state.sums[0] / n,
                train_accuracy: state.sums[1] / n,
                val_loss,
                val_accuracy,
                seconds: before + begun.elapsed().as_secs_f64(),
            };
            if !val_loss.is_finite() {
                return Ok(self.diverged());
            }
            let best_before = state.history.iter().min_by(|a, b| a.val_loss.total_cmp(&b.val_loss));
            let better = best_before.is_none_or(|b| val_loss < b.val_loss);
            let best_at = if better { row.epoch } else { best_before.map_or(0, |b| b.epoch) };
            if better || !self.recipe.keep_best {
                state.best = if state.average.is_empty() { state.values.clone() } else { state.average.clone() };
                state.best_epoch = state.epoch;
            }
            state.history.push(row);
            (state.step, state.sums, state.seconds) = (0, [0.0; 3], 0.0);
            observer.epoch(&row, better);
            observer.save(&self.state);
            if self.recipe.patience.is_some_and(|p| row.epoch - best_at >= p) {
                return Ok(Stop::Early);
            }
        }
        Ok(Stop::Finished)
    }

    /// Moves the weights by a gradient, and counts the step; `None` where that is not finite.
    fn step(&mut self, result: &BatchResult, batch: &Batch, gradient: &[f32], steps: usize) -> Option<StepMetrics> {
        let images = batch.targets.len() / self.classes();
        let right = right(&result.logits, &batch.targets, self.classes());
        let total = steps * self.recipe.epochs;
        let state = &mut self.state;
        let length = self.engine.pool().install(|| {
            let length = state.optimizer.step(&mut state.values, gradient, &self.decays, &self.recipe.optimizer, total);
            if !state.average.is_empty() {
                // A young average would be all starting weights: it keeps less in its first steps.
                let young = (1.0 + state.optimizer.steps as f32) / (10.0 + state.optimizer.steps as f32);
                average(&mut state.average, &state.values, self.recipe.average.min(young));
            }
            length
        });
        if !length.is_finite() {
            return None;
        }
        let (n, hits) = (images as f64, right as f64);
        state.sums[0] += result.loss * n;
        state.sums[1] += hits;
        state.sums[2] += n;
        state.step += 1;
        Some(StepMetrics {
            epoch: state.epoch + 1,
            step: state.epoch * steps + state.step,
            steps: total,
            loss: result.loss,
            accuracy: hits / n,
            images,
        })
    }

    fn gradients(&mut self, values: &[f32], batch: &Batch, gradient: &mut [f32]) -> Result<BatchResult, TrainError> {
        match &mut self.device {
            Some(device) => {
                let result = device.gradients(values, batch, gradient);
                result.map_err(|e| failed(device.as_ref(), e))
            }
            None => Ok(self.engine.gradients(values, batch, gradient)),
        }
    }

    /// Where the trained numbers begin.
    fn base(&self) -> usize {
        self.engine.net().offset(self.first)
    }

    fn classes(&self) -> usize {
        self.engine.net().network().classes
    }

    fn diverged(&self) -> Stop {
        let rate = self.recipe.optimizer.rate;
        Stop::Diverged(format!(
            "the loss is not a number any more in epoch {}; the last good epoch is kept. Start again with a smaller learning rate (--lr {})",
            self.state.epoch + 1,
            rate / 10.0
        ))
    }

    /// Training positions of an epoch: all of them in a new order, or drawn by class, as many of each laboratory.
    fn order(&self, epoch: usize) -> Vec<usize> {
        draw(&self.train, &self.sources, self.recipe.balance, &mut random(self.recipe.seed, epoch, usize::MAX))
    }

    fn batch(&self, order: &[usize]) -> Result<Batch, TrainError> {
        let (epoch, from) = (self.state.epoch, self.state.step * self.recipe.batch);
        let places: Vec<usize> = (from..(from + self.recipe.batch).min(order.len())).collect();
        let (one, classes) = (self.engine.net().input_len(self.first), self.classes());
        let mut inputs = vec![0f32; places.len() * one];
        let (source, train, seed) = (self.source, &self.train, self.recipe.seed);
        self.engine.pool().install(|| {
            inputs.par_chunks_mut(one).zip(&places).try_for_each(|(out, &place)| {
                source.fill(train[order[place]].0, Some(&mut random(seed, epoch, place)), out)
            })
        })?;
        let smooth = self.recipe.label_smoothing;
        let mut targets = vec![smooth / classes as f32; places.len() * classes];
        for (row, &place) in targets.chunks_exact_mut(classes).zip(&places) {
            row[self.train[order[place]].1] += 1.0 - smooth;
        }
        let mut random = random(seed, epoch, from ^ (usize::MAX / 2));
        if self.recipe.mixup > 0.0 && places.len() > 1 {
            mix(&mut inputs, &mut targets, one, classes, self.recipe.mixup, &mut random);
        }
        let features = self.engine.net().network().features();
        let (drop, mut keep) = (self.recipe.dropout, Vec::new());
        if drop > 0.0 {
            keep.extend(
                (0..places.len() * features).map(|_| if random.f32() < drop { 0.0 } else { 1.0 / (1.0 - drop) }),
            );
        }
        Ok(Batch { inputs, targets, keep })
    }

    /// Mean loss and share right on plain images.
    fn look(&self, values: &[f32], items: &[(usize, usize)]) -> Result<(f64, f64), TrainError> {
        let items_of = items.iter().map(|(i, _)| *i);
        let logits = match &self.device {
            Some(device) => each_input(&self.engine, self.first, self.source, items_of, |inputs| {
                device.logits(values, inputs).map_err(|e| failed(device.as_ref(), e))
            })?,
            None => logits_of(&self.engine, self.first, values, self.source, items_of)?,
        };
        let classes = self.classes();
        let (mut loss, mut hits) = (0.0, 0usize);
        for (row, (_, class)) in logits.chunks_exact(classes).zip(items) {
            let (top, _, sum) = shifted_exp(row);
            loss += sum.ln() - f64::from(row[*class] - top);
            hits += usize::from(argmax(row) == *class);
        }
        let n = items.len().max(1) as f64;
        let hits = hits as f64;
        Ok((loss / n, hits / n))
    }
}

/// What place `place` of epoch `epoch` draws from.
fn random(seed: u64, epoch: usize, place: usize) -> Rng {
    let mix = |a: u64, b: u64| (a ^ b).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    Rng::with_seed(mix(mix(mix(seed, 0x4c6b), epoch as u64), place as u64))
}

/// Logits of plain items, `[n, classes]`, a few at a time so that memory stays small.
///
/// # Errors
/// When an input cannot be read any more.
pub fn logits_of(
    engine: &CpuEngine,
    first: usize,
    values: &[f32],
    source: &dyn TensorSource,
    items: impl Iterator<Item = usize>,
) -> Result<Vec<f32>, TrainError> {
    each_input(engine, first, source, items, |inputs| Ok(engine.logits(values, inputs)))
}

fn failed(device: &dyn GradientEngine, why: DeviceError) -> TrainError {
    TrainError::Device(device.name().to_owned(), why)
}

fn each_input(
    engine: &CpuEngine,
    first: usize,
    source: &dyn TensorSource,
    items: impl Iterator<Item = usize>,
    answer: impl Fn(&[f32]) -> Result<Vec<f32>, TrainError>,
) -> Result<Vec<f32>, TrainError> {
    let one = engine.net().input_len(first);
    let items: Vec<usize> = items.collect();
    let mut logits = Vec::with_capacity(items.len() * engine.net().network().classes);
    for part in items.chunks(64) {
        let mut inputs = vec![0f32; part.len() * one];
        engine.pool().install(|| {
            inputs.par_chunks_mut(one).zip(part).try_for_each(|(out, &item)| source.fill(item, None, out))
        })?;
        logits.extend(answer(&inputs)?);
    }
    Ok(logits)
}

fn argmax(row: &[f32]) -> usize {
    row.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (i, v)| if *v > best.1 { (i, *v) } else { best }).0
}

fn right(logits: &[f32], targets: &[f32], classes: usize) -> usize {
    logits.chunks_exact(classes).zip(targets.chunks_exact(classes)).filter(|(l, t)| argmax(l) == argmax(t)).count()
}

/// Mixup: each input becomes λ of itself and 1 − λ of another one of the batch, targets likewise; λ ~ Beta(a, a).
fn mix(inputs: &mut [f32], targets: &mut [f32], one: usize, classes: usize, a: f32, random: &mut Rng) {
    let n = targets.len() / classes;
    let mut partner: Vec<usize> = (0..n).collect();
    random.shuffle(&mut partner);
    let lambdas: Vec<f32> = (0..n).map(|_| beta(a, random)).collect();
    let (old_inputs, old_targets) = (inputs.to_vec(), targets.to_vec());
    inputs.par_chunks_mut(one).enumerate().for_each(|(i, row)| {
        let other = &old_inputs[partner[i] * one..][..one];
        row.iter_mut().zip(other).for_each(|(v, o)| *v = lambdas[i] * *v + (1.0 - lambdas[i]) * o);
    });
    for (i, row) in targets.chunks_exact_mut(classes).enumerate() {
        let other = &old_targets[partner[i] * classes..][..classes];
        row.iter_mut().zip(other).for_each(|(v, o)| *v = lambdas[i] * *v + (1.0 - lambdas[i]) * o);
    }
}

/// Beta(a, a) by Jöhnk's method (1964), good for a < 1; at least ½, so that the first image stays the leading one.
fn beta(a: f32, random: &mut Rng) -> f32 {
    for _ in 0..64 {
        let (u, v) = (random.f32().powf(1.0 / a), random.f32().powf(1.0 / a));
        if u + v > 0.0 && u + v <= 1.0 {
            let x = u / (u + v);
            return x.max(1.0 - x);
        }
    }
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{embedded_bytes, read_network, vet_graph};
    use crate::training::{Net, RecipeKind};

    /// Three classes of features that a head can tell apart.
    struct Blobs;

    impl TensorSource for Blobs {
        fn fill(&self, item: usize, random: Option<&mut Rng>, out: &mut [f32]) -> Result<(), TrainError> {
            let mut fixed = Rng::with_seed(item as u64);
            let random = random.unwrap_or(&mut fixed);
            for (i, o) in out.iter_mut().enumerate() {
                *o = random.f32() + if i % 3 == item % 3 { 0.5 } else { 0.0 };
            }
            Ok(())
        }
    }

    struct Watch {
        stop_at: usize,
        saved: Option<TrainState>,
        rows: Vec<EpochRow>,
    }

    impl Observer for Watch {
        fn step(&mut self, news: &StepMetrics) -> Control {
            if news.step == self.stop_at { Control::Stop } else { Control::Continue }
        }
        fn epoch(&mut self, row: &EpochRow, _: bool) {
            self.rows.push(*row);
        }
        fn save(&mut self, state: &TrainState) {
            self.saved = Some(state.clone());
        }
    }

    fn trainer(recipe: &Recipe, threads: usize) -> Trainer<'static> {
        let read = read_network(&vet_graph(embedded_bytes()).expect("vets")).expect("reads");
        let mut network = read.network;
        network.classes = 3;
        let mut values = read.values[..network.backbone_len()].to_vec();
        let mut random = Rng::with_seed(3);
        values.extend((0..network.head_lens().iter().sum::<usize>()).map(|_| random.f32() * 0.1 - 0.05));
        let first = network.layers.len();
        let engine = CpuEngine::new(Net::new(&network, 128), first, threads).expect("threads");
        let items: Vec<(usize, usize)> = (0..50).map(|i| (i, i % 3)).collect();
        Trainer::new(engine, first, values, recipe.clone(), &Blobs, items[..40].to_vec(), items[40..].to_vec())
    }

    fn recipe() -> Recipe {
        Recipe {
            epochs: 4,
            batch: 8,
            mixup: 0.3,
            dropout: 0.1,
            average: 0.9,
            balance: 0.5,
            ..Recipe::new(RecipeKind::Head, 40)
        }
    }

    fn watch(stop_at: usize) -> Watch {
        Watch { stop_at, saved: None, rows: Vec::new() }
    }

    /// Without the clock.
    fn bits(t: &Trainer<'_>) -> (Vec<f32>, Vec<f32>, Vec<(f64, f64)>) {
        let rows = t.state().history.iter().map(|r| (r.train_loss, r.val_loss)).collect();
        (t.kept(), t.state().optimizer.second.clone(), rows)
    }

    #[test]
    fn it_learns_and_a_stopped_run_resumes_to_the_same_bits_on_any_number_of_threads() {
        let mut whole = trainer(&recipe(), 1);
        assert_eq!(whole.run(&mut watch(0)).expect("runs"), Stop::Finished);
        assert!(whole.state().history[3].val_accuracy > 0.9, "{:?}", whole.state().history);
        for at in [1, 5, 13] {
            let mut first = trainer(&recipe(), 2);
            let mut observer = watch(at);
            assert_eq!(first.run(&mut observer).expect("runs"), Stop::Cancelled);
            let mut second = trainer(&recipe(), 3);
            second.resume(observer.saved.expect("saved")).expect("fits");
            assert_eq!(second.run(&mut watch(0)).expect("runs"), Stop::Finished);
            assert_eq!(bits(&whole), bits(&second), "stopped at {at}");
        }
    }

    #[test]
    fn a_loss_that_is_no_number_stops_and_keeps_the_last_good_epoch() {
        let mut recipe = recipe();
        recipe.optimizer.rate = 1e30;
        let mut t = trainer(&recipe, 1);
        let start = t.kept();
        let stop = t.run(&mut watch(0)).expect("a reason");
        assert!(matches!(&stop, Stop::Diverged(why) if why.contains("--lr")), "{stop:?}");
        assert!(t.kept().iter().all(|v| v.is_finite()) && t.kept() == start);
    }

    #[test]
    fn patience_ends_it() {
        let mut recipe = recipe();
        (recipe.patience, recipe.epochs, recipe.optimizer.rate) = (Some(2), 50, 0.0);
        let mut t = trainer(&recipe, 1);
        assert_eq!(t.run(&mut watch(0)).expect("runs"), Stop::Early);
        assert!(t.state().epoch < 10, "{}", t.state().epoch);
    }
}
