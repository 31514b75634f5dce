//! One live job: its stages, the failures of each task, and the stages that still have to run.
//!
//! A job does not own outputs, it only needs them. Which stages it needs is derived from the outputs that
//! exist (`frontier`), so there is no list of pending stages that a loss would have to repair.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::frontier::{Frontier, Links};
use super::ids::{ExchangeId, JobId, Partition, StageId};
use super::outputs::Outputs;
use super::spec::{JobSpec, StageSpec};
use crate::error::Result;

/// A job that has not ended.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: JobId,
    /// Producers first; never empty.
    pub(super) stages: Vec<Stage>,
    pub(super) submitted: Duration,
    /// How many tasks were started beyond the first start of each partition.
    pub(super) retries: u32,
    links: Links,
    frontier: Frontier,
    /// The index of each stage, by its id and by its output.
    by_id: HashMap<StageId, usize>,
    by_output: HashMap<ExchangeId, usize>,
    /// The outputs of earlier jobs that this job reads, each with the stages that read it.
    kept: BTreeMap<ExchangeId, Vec<usize>>,
}

/// A stage of a live job.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) spec: StageSpec,
    /// Failed attempts, by partition.
    pub(super) tries: Vec<Tries>,
    /// How many inputs were found missing since the last success.
    pub(super) fetch_failures: u32,
    /// The number of finished partitions in the last progress report.
    pub(super) shown: u32,
}

/// How often this job has failed to compute one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Tries {
    /// Attempts that ended with a transient error.
    pub(super) failures: u32,
    /// Executors that were lost while they ran an attempt.
    pub(super) losses: u32,
}

impl Job {
    /// A job of which nothing has been attempted or computed.
    ///
    /// # Errors
    /// If the list of stages is not a valid job.
    pub(super) fn new(spec: JobSpec, submitted: Duration) -> Result<Job> {
        let links = Links::new(spec.producers()?);
        let readers = |kept: &ExchangeId| {
            let reads = |(_, stage): &(usize, &StageSpec)| stage.inputs.contains(kept);
            spec.stages.iter().enumerate().filter(reads).map(|(index, _)| index).collect()
        };
        let kept = spec.kept.iter().map(|kept| (*kept, readers(kept))).collect();
        let stages: Vec<Stage> = spec.stages.into_iter().map(Stage::new).collect();
        let by_id = stages.iter().enumerate().map(|(index, stage)| (stage.spec.id, index)).collect();
        let by_output = stages.iter().enumerate().map(|(index, stage)| (stage.spec.output, index)).collect();
        let frontier = Frontier::new(&links, vec![false; stages.len()]);
        Ok(Job { id: spec.id, stages, submitted, retries: 0, links, frontier, by_id, by_output, kept })
    }

    /// The output of the result stage.
    pub(super) fn result(&self) -> Option<ExchangeId> {
        self.stages.last().map(|stage| stage.spec.output)
    }

    pub(super) fn stage(&self, id: StageId) -> Option<&Stage> {
        self.stages.get(*self.by_id.get(&id)?)
    }

    pub(super) fn stage_mut(&mut self, id: StageId) -> Option<&mut Stage> {
        self.stages.get_mut(*self.by_id.get(&id)?)
    }

    /// The position of a stage in the list of stages.
    pub(super) fn index(&self, id: StageId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn stage_that_fills(&mut self, exchange: ExchangeId) -> Option<&mut Stage> {
        self.stages.get_mut(*self.by_output.get(&exchange)?)
    }

    /// The outputs that this job computes, and those of earlier jobs that it reads.
    pub(super) fn outputs_used(&self) -> impl Iterator<Item = ExchangeId> {
        self.stages.iter().map(|stage| stage.spec.output).chain(self.kept.keys().copied())
    }

    pub(super) fn uses(&self, exchange: ExchangeId) -> bool {
        self.by_output.contains_key(&exchange) || self.kept.contains_key(&exchange)
    }

    /// Updates the frontier from the state of all outputs.
    pub(super) fn look_at_all(&mut self, outputs: &Outputs) {
        self.frontier = self.fresh_frontier(outputs);
    }

    /// Updates the frontier after a possible change of one output.
    pub(super) fn look_at(&mut self, exchange: ExchangeId, outputs: &Outputs) {
        if let Some(index) = self.by_output.get(&exchange) {
            self.frontier.set(&self.links, *index, outputs.is_complete(exchange));
        }
    }

    fn fresh_frontier(&self, outputs: &Outputs) -> Frontier {
        let is_complete = |stage: &Stage| outputs.is_complete(stage.spec.output);
        Frontier::new(&self.links, self.stages.iter().map(is_complete).collect())
    }

    /// Whether the frontier matches the state of the outputs.
    pub(super) fn is_up_to_date(&self, outputs: &Outputs) -> bool {
        self.frontier == self.fresh_frontier(outputs)
    }

    /// Whether `output` has to be computed: it is incomplete, and so is every output on some path from it to
    /// the result.
    pub(super) fn wants(&self, output: ExchangeId) -> bool {
        self.by_output.get(&output).is_some_and(|index| self.frontier.is_wanted(*index))
    }

    /// Returns a kept output that is no longer complete although a wanted stage reads it.
    pub(super) fn lost_input(&self, outputs: &Outputs) -> Option<ExchangeId> {
        let is_lost = |kept: &ExchangeId, readers: &[usize]| {
            !outputs.is_complete(*kept) && readers.iter().any(|reader| self.frontier.is_wanted(*reader))
        };
        self.kept.iter().find(|(kept, readers)| is_lost(kept, readers)).map(|(kept, _)| *kept)
    }

    /// By stage: whether the counts of its tasks are new. A stage that runs again only because the output of
    /// a counted downstream stage was lost repeats its earlier counts.
    pub(super) fn counts_anew(&self, outputs: &Outputs) -> Vec<bool> {
        let mut anew = vec![false; self.stages.len()];
        if let Some(result) = anew.last_mut() {
            *result = true;
        }
        for consumer in (0..self.stages.len()).rev() {
            let output = outputs.find(self.stages[consumer].spec.output);
            anew[consumer] &= output.is_none_or(|output| !output.is_counted());
            if anew[consumer] {
                self.links.producers[consumer].iter().for_each(|producer| anew[*producer] = true);
            }
        }
        anew
    }

    /// The next task to start: the lowest partition of the earliest wanted stage whose inputs are complete.
    pub(super) fn next_ready(&self, outputs: &Outputs) -> Option<(StageId, Partition)> {
        self.frontier.ready().find_map(|index| {
            let stage = self.stages.get(index)?;
            let partition = *outputs.find(stage.spec.output)?.waiting().first()?;
            Some((stage.spec.id, partition))
        })
    }
}

impl Stage {
    fn new(spec: StageSpec) -> Stage {
        let tries = vec![Tries::default(); spec.partitions as usize];
        Stage { spec, tries, fetch_failures: 0, shown: 0 }
    }

    /// The failed attempts at one partition.
    pub(super) fn tries_mut(&mut self, partition: Partition) -> Option<&mut Tries> {
        self.tries.get_mut(partition.0 as usize)
    }
}
