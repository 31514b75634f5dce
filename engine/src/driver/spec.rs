//! The input of the driver: a job as a list of stages, connected by exchanges.
//!
//! The planner creates it and the driver checks it once, on submission. After that check every input has a
//! producer earlier in the list, so a traversal of the stages cannot loop. What a task of a stage computes is
//! not known here.

use std::collections::{HashMap, HashSet};

use super::ids::{ExchangeId, JobId, StageId};
use crate::error::{Error, Result};

/// The most partitions that a stage may have; the driver needs a few dozen bytes for each.
pub const MAX_PARTITIONS: u32 = 1_000_000;

/// A job: its stages, producers first; the last one is the result stage.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// The id under which the end of the job is reported.
    pub id: JobId,
    /// The stages, in topological order.
    pub stages: Vec<StageSpec>,
    /// Outputs of earlier jobs that the stages read. They must be complete. If one is lost while a stage
    /// still has to read it, the job fails with a lost output, and the caller submits it again with the
    /// stages that compute the output.
    pub kept: Vec<ExchangeId>,
}

/// A stage: the tasks that compute one exchange from others.
#[derive(Clone, Debug)]
pub struct StageSpec {
    /// The id of the stage within the job.
    pub id: StageId,
    /// The exchange that it writes.
    pub output: ExchangeId,
    /// The exchanges that it reads, all partitions of each.
    pub inputs: Vec<ExchangeId>,
    /// The number of its tasks.
    pub partitions: u32,
    /// Whether the output is in shared storage (a sink's files): it survives the executors that wrote it, and
    /// the driver never asks them to delete it.
    pub durable: bool,
    /// Whether the output is kept after the job (`cache()`), until it is released.
    pub keep: bool,
}

impl JobSpec {
    /// By stage, the index of the producer of each input that is not kept.
    ///
    /// # Errors
    /// `Bug` if the list is empty, is not in topological order or contains a duplicate; `Config` if a stage
    /// has too many partitions.
    pub(super) fn producers(&self) -> Result<Vec<Vec<usize>>> {
        if self.stages.is_empty() {
            return Err(Error::bug("a job without stages was submitted"));
        }
        let kept: HashSet<&ExchangeId> = self.kept.iter().collect();
        let (mut ids, mut outputs) = (HashSet::new(), HashMap::new());
        let mut producers = Vec::with_capacity(self.stages.len());
        for (index, stage) in self.stages.iter().enumerate() {
            let inputs = stage.inputs.iter().filter(|input| !kept.contains(input));
            producers.push(producers_of(stage, inputs, &outputs)?);
            let is_first = ids.insert(stage.id) && outputs.insert(stage.output, index).is_none();
            if !is_first || kept.contains(&stage.output) {
                return Err(Error::bug("a stage or its output is named twice").at("stage", stage.id.0));
            }
        }
        Ok(producers)
    }
}

/// The earlier stages that produce the `inputs` of `stage`.
fn producers_of<'a>(
    stage: &StageSpec,
    inputs: impl Iterator<Item = &'a ExchangeId>,
    earlier: &HashMap<ExchangeId, usize>,
) -> Result<Vec<usize>> {
    if stage.partitions > MAX_PARTITIONS {
        let text = format!("{} partitions are more than {MAX_PARTITIONS}", stage.partitions);
        return Err(Error::config(text).at("stage", stage.id.0).help("ask for fewer partitions"));
    }
    let missing = || Error::bug("no earlier stage makes an input").at("stage", stage.id.0);
    inputs.map(|input| earlier.get(input).copied().ok_or_else(missing)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_finds_its_producers_by_exchange() {
        let job = JobSpec {
            id: JobId(1),
            stages: vec![stage(0, &[]), stage(1, &[]), stage(2, &[1, 0])],
            kept: vec![],
        };
        assert_eq!(job.producers().unwrap(), [vec![], vec![], vec![1, 0]]);
    }

    #[test]
    fn an_input_that_nobody_made_before_is_refused() {
        let job = JobSpec { id: JobId(1), stages: vec![stage(0, &[1]), stage(1, &[])], kept: vec![] };
        assert_eq!(job.producers().unwrap_err().to_string(), "no earlier stage makes an input, at stage 0");
    }

    fn stage(id: u32, inputs: &[u64]) -> StageSpec {
        let inputs = inputs.iter().copied().map(ExchangeId).collect();
        let output = ExchangeId(u64::from(id));
        StageSpec { id: StageId(id), output, inputs, partitions: 1, durable: false, keep: false }
    }
}
