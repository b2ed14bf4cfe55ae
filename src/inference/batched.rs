//! The shape for a graphics card: workers prepare images with everything that is asked about them, and one thread runs the one session in
//! batches. What becomes of an answer is decided in the pipeline.

use super::engine::{Engine, EngineError, Prediction};
use super::handed::{Facts, Handed, ImageAnswers};
use super::judge::Judge;
use super::look::{Found, Places, find_for_another, unjudged};
use super::pipeline::{Context, Done, failure};
use super::prepare::{Skip, own_of, read_entry, warn_of_background};
use super::provider::Provider;
use crate::domain::{Failure, Square};
use crate::imaging::CellSource;
use crossbeam_channel::{Receiver, Sender};
use std::panic::AssertUnwindSafe;

impl Context<'_> {
    pub(super) fn prepare_only(&self, take: &Receiver<usize>, give: &Sender<Done>, hand: &Sender<(usize, Handed)>) {
        let mut judge = self.judge();
        for index in take {
            if self.stopped() {
                break;
            }
            let ready = std::panic::catch_unwind(AssertUnwindSafe(|| self.handed(index, judge.as_mut())));
            let sent = match ready {
                Ok(Err(Skip)) => give.send(Done::Row(index, Err(Skip))).is_ok(),
                Ok(Ok(handed)) if handed.squares.is_empty() => {
                    let answers = handed.error.map_or_else(|| Ok((Vec::new(), handed.found.rejected)), Err);
                    give.send(Done::Row(index, Ok(self.row(index, handed.facts, answers, self.actual)))).is_ok()
                }
                Ok(Ok(handed)) => hand.send((index, handed)).is_ok(),
                Err(_) => give.send(Done::Row(index, Ok(self.internal_error(index)))).is_ok(),
            };
            if !sent {
                break;
            }
        }
    }

    /// An image with everything that the network is asked about it, in one go.
    fn handed(&self, index: usize, judge: Option<&mut Result<Judge, EngineError>>) -> Result<Handed, Skip> {
        let mut read = read_entry(&self.entries[index])?;
        let size = read.size();
        let image = std::mem::replace(&mut read.image, Err(String::new()));
        let mut handed = Handed {
            facts: Facts { digest: read.digest, size, warnings: Vec::new() },
            found: Found::default(),
            places: None,
            own: own_of(self.own, read.digest).to_vec(),
            squares: Vec::new(),
            tensors: Vec::new(),
            error: None,
        };
        match image {
            Err(why) => handed.error = Some(Failure::Image(why)),
            Ok(image) => {
                let others = || self.others(index, &image);
                let source = CellSource::new(&image, &self.model.card().preprocessing).among(&others);
                warn_of_background(&source, &mut read.warnings);
                let squares = self.asked(index, &source, &mut handed, judge);
                handed.tensors = self.tensors(&source, &squares);
                handed.squares = squares;
            }
        }
        handed.facts.warnings = read.warnings;
        Ok(handed)
    }

    /// The squares that the network is asked about, in the order of its answers.
    fn asked(
        &self,
        index: usize,
        source: &CellSource<'_>,
        handed: &mut Handed,
        judge: Option<&mut Result<Judge, EngineError>>,
    ) -> Vec<Square> {
        let wanted = self.wanted(index, handed.facts.digest);
        if let Some(squares) = unjudged(source, &wanted) {
            handed.found.cells = squares.into_iter().map(|(n, s)| (n, s, None)).collect();
            handed.own = Vec::new();
        } else if let Some(judge) = judge {
            let found = judge.as_mut().map_err(|e| e.clone());
            match found.and_then(|judge| find_for_another(source, &wanted, judge)) {
                Ok(found) => {
                    handed.found = found;
                    handed.own = Vec::new();
                }
                Err(e) => {
                    handed.error = Some(failure(&e));
                    return Vec::new();
                }
            }
        } else {
            let places = Places::everywhere(source, self.cells);
            let squares = places.places.iter().chain(&handed.own).map(|(_, square)| *square).collect();
            handed.places = Some(places);
            return squares;
        }
        handed.found.cells.iter().map(|c| c.1).collect()
    }

    /// What the answers about all squares of a group of images come to, and what further views say of those that the model is unsure of.
    /// `tensors` are those of the squares, in their order.
    fn answered(
        &self,
        engine: &mut Engine,
        group: Vec<(usize, Handed)>,
        results: Result<Vec<Prediction>, Failure>,
        tensors: &[f32],
    ) -> Vec<(usize, Facts, ImageAnswers)> {
        let per_cell = 3 * self.model.card().tensor.size * self.model.card().tensor.size;
        let asked: Vec<Vec<Square>> = group.iter().map(|(_, handed)| handed.squares.clone()).collect();
        let mut results = results.map(Vec::into_iter);
        let mut out = Vec::with_capacity(group.len());
        for (index, handed) in group {
            let answers = match &mut results {
                Ok(all) => Ok(all.by_ref().take(handed.squares.len()).collect()),
                Err(e) => Err(e.clone()),
            };
            let (facts, answers) = handed.answered(answers);
            out.push((index, facts, answers));
        }
        let mut before = 0;
        for ((_, _, answers), squares) in out.iter_mut().zip(&asked) {
            let own = &tensors[before * per_cell..(before + squares.len()) * per_cell];
            before += squares.len();
            let tensor_of = |square: Square| {
                let at = squares.iter().position(|s| *s == square).unwrap_or(0);
                own[at * per_cell..(at + 1) * per_cell].to_vec()
            };
            if let Ok((cells, _)) = answers {
                let unsure = cells.iter_mut().map(|(_, square, answer)| (*square, answer)).collect();
                if let Err(why) = self.look_again(engine, unsure, tensor_of) {
                    *answers = Err(why);
                }
            }
        }
        out
    }

    /// Takes what is ready, up to a batch, and runs it in one go.
    pub(super) fn batched(&self, mut engine: Engine, receive: &Receiver<(usize, Handed)>, give: &Sender<Done>) {
        let mut by = self.actual;
        let (mut runs, mut done, mut switched) = (0, 0, false);
        while let Ok(first) = receive.recv() {
            let mut group = vec![first];
            let mut cells = group[0].1.squares.len();
            while cells < self.batch {
                let Ok(more) = receive.try_recv() else { break };
                cells += more.1.squares.len();
                group.push(more);
            }
            let all: Vec<f32> = group.iter_mut().flat_map(|(_, p)| std::mem::take(&mut p.tensors)).collect();
            let injected = !switched && self.fails_after.is_some_and(|n| runs >= n);
            runs += 1;
            let mut results = if injected {
                Err(Failure::Image("injected failure".into()))
            } else {
                self.classify(&mut engine, &all)
            };
            // A driver that is reset, a card without memory: the rest goes on on the processor, and it is said.
            if let (Err(why), false) = (&results, switched)
                && (by != Provider::Cpu || injected)
                && let Ok(mut cpu) = Engine::load(self.model, Provider::Cpu, 1)
            {
                cpu.took_over(by, done, why.reason());
                switched = true;
                by = cpu.report().actual;
                if give.send(Done::Switched(Box::new(cpu.report().clone()))).is_err() {
                    return;
                }
                results = self.classify(&mut cpu, &all);
                engine = cpu;
            }
            done += group.len();
            for (index, facts, answers) in self.answered(&mut engine, group, results, &all) {
                if give.send(Done::Row(index, Ok(self.row(index, facts, answers, by)))).is_err() {
                    return;
                }
            }
        }
    }
}
