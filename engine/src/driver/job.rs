//! One live job: its stages, how often each task was tried, and which stages it still needs.
//!
//! A job owns no outputs; it only says which it wants. What it wants follows from what exists, anew
//! at each step: there is no list of stages to run that a loss would have to repair.

use std::time::Duration;

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
    /// Task starts beyond the first of each partition of an output.
    pub(super) retries: u32,
}

/// A stage of a live job.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) spec: StageSpec,
    /// The indices of the stages that make its inputs; all are smaller than its own.
    producers: Vec<usize>,
    /// By partition.
    pub(super) tries: Vec<Tries>,
    /// Inputs found missing since the last success.
    pub(super) fetch_failures: u32,
    /// The number of finished partitions that was last reported.
    pub(super) shown: u32,
}

/// How often this job tried one partition in vain.
#[derive(Clone, Debug, Default)]
pub(super) struct Tries {
    /// Transient errors.
    pub(super) failures: u32,
    /// Executors lost while they ran it.
    pub(super) losses: u32,
}

impl Job {
    /// A job with nothing tried.
    ///
    /// # Errors
    /// If the list of stages is not one that can be run.
    pub(super) fn new(spec: JobSpec, submitted: Duration) -> Result<Job> {
        let producers = spec.producers()?;
        let stages = spec.stages.into_iter().zip(producers);
        let stages = stages.map(|(spec, producers)| Stage::new(spec, producers)).collect();
        Ok(Job { id: spec.id, stages, submitted, retries: 0 })
    }

    /// The output that the job is about.
    pub(super) fn result(&self) -> Option<ExchangeId> {
        self.stages.last().map(|stage| stage.spec.output)
    }

    pub(super) fn stage_mut(&mut self, id: StageId) -> Option<&mut Stage> {
        self.stages.iter_mut().find(|stage| stage.spec.id == id)
    }

    pub(super) fn uses(&self, exchange: ExchangeId) -> bool {
        self.stages.iter().any(|stage| stage.spec.output == exchange)
    }

    /// By stage: whether its output is incomplete and the way from there to the result is too.
    ///
    /// A walk back from the result that ends at every complete output; what lies behind one of those
    /// is not run, and not run again when it is lost.
    pub(super) fn wanted(&self, outputs: &Outputs) -> Vec<bool> {
        let is_missing = |stage: &Stage| !outputs.is_complete(stage.spec.output);
        let mut wanted = vec![false; self.stages.len()];
        if let Some((flag, stage)) = wanted.last_mut().zip(self.stages.last()) {
            *flag = is_missing(stage);
        }
        for consumer in (0..self.stages.len()).rev() {
            if wanted[consumer] {
                for producer in &self.stages[consumer].producers {
                    wanted[*producer] = is_missing(&self.stages[*producer]);
                }
            }
        }
        wanted
    }

    /// By stage: whether what its tasks count is new. A stage that runs only to make up for what was
    /// lost of counted stages behind it repeats itself.
    pub(super) fn counts_anew(&self, outputs: &Outputs) -> Vec<bool> {
        let mut anew = vec![false; self.stages.len()];
        if let Some(result) = anew.last_mut() {
            *result = true;
        }
        for consumer in (0..self.stages.len()).rev() {
            let output = outputs.find(self.stages[consumer].spec.output);
            anew[consumer] &= output.is_none_or(|output| !output.is_counted());
            if anew[consumer] {
                self.stages[consumer].producers.iter().for_each(|producer| anew[*producer] = true);
            }
        }
        anew
    }

    /// The next task to start: the earliest wanted stage whose inputs are complete, lowest partition.
    pub(super) fn next_ready(&self, outputs: &Outputs) -> Option<(StageId, Partition)> {
        let wanted = self.wanted(outputs);
        let mut stages = self.stages.iter().zip(wanted).filter(|(_, wanted)| *wanted);
        stages.find_map(|(stage, _)| {
            let partition = *outputs.find(stage.spec.output)?.waiting().first()?;
            let ready = stage.spec.inputs.iter().all(|input| outputs.is_complete(*input));
            ready.then_some((stage.spec.id, partition))
        })
    }
}

impl Stage {
    fn new(spec: StageSpec, producers: Vec<usize>) -> Stage {
        let tries = vec![Tries::default(); spec.partitions as usize];
        Stage { spec, producers, tries, fetch_failures: 0, shown: 0 }
    }

    /// The tries of one partition.
    pub(super) fn tries_mut(&mut self, partition: Partition) -> Option<&mut Tries> {
        self.tries.get_mut(partition.0 as usize)
    }
}
