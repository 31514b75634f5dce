//! What is to be run: a job as a list of stages, joined by exchanges.
//!
//! The planner makes it, the driver checks it once at the door: behind the door every input has a
//! producer that stands earlier in the list, so a walk over the stages cannot run in circles. What a
//! task of a stage does is not known here.

use std::collections::{HashMap, HashSet};

use super::ids::{ExchangeId, JobId, StageId};
use crate::error::{Error, Result};

/// The most partitions that a stage may have; the driver keeps a few dozen bytes for each.
pub const MAX_PARTITIONS: u32 = 1_000_000;

/// A job: its stages, producers first; the last one is the result stage.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// The id under which the job's end is reported.
    pub id: JobId,
    /// The stages, in topological order.
    pub stages: Vec<StageSpec>,
    /// Outputs of earlier jobs that the stages read. They must be complete; once one is not and a stage still
    /// has to read it, the job fails with a lost output, and whoever submitted it names the stages that
    /// compute it.
    pub kept: Vec<ExchangeId>,
}

/// A stage: the tasks that make one exchange out of others.
#[derive(Clone, Debug)]
pub struct StageSpec {
    /// Its id within the job.
    pub id: StageId,
    /// What it makes.
    pub output: ExchangeId,
    /// What it reads, all partitions of each.
    pub inputs: Vec<ExchangeId>,
    /// How many tasks it has.
    pub partitions: u32,
    /// Whether the output lies in shared storage (a sink's files): it survives its executor and is
    /// never forgotten there.
    pub durable: bool,
    /// Whether the output is kept after the job (`cache()`), until it is released.
    pub keep: bool,
}

impl JobSpec {
    /// The index of the producer of each input that is not kept, by stage.
    ///
    /// # Errors
    /// `Bug` if the list is empty, not in topological order, or names something twice; `Config` if a
    /// stage is too large.
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

/// The stages before `stage` that make its `inputs`.
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
