//! What a dataset knows about its rows without their type.

use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;

use super::sources::Sources;
use crate::aggregate::Slices;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::plan::bounded;

/// Input bytes that one partition after an exchange should stand for. It depends on the input
/// alone, never on slots or executors, because the output must not depend on them.
const BYTES_PER_PARTITION: u64 = 32 << 20;
/// Input bytes that one slice of a partition should stand for: tables of its keys lie in the cache.
const BYTES_PER_SLICE: u64 = 4 << 20;
/// Partitions after an exchange at most, and slices of all of them.
const MAX_PARTITIONS: u64 = 1024;

/// Where the rows of a dataset come from.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) cx: Context,
    /// The plan nodes that feed the chain: one, or none when the chain starts with a source.
    pub(crate) inputs: Vec<Arc<dyn ExecutionPlan>>,
    pub(crate) partitions: usize,
    /// The sources behind it, each once, with their estimated bytes.
    sources: Sources,
    /// Partitions that an exchange should have at least, as the job has said.
    least: usize,
    /// The rows are pairs that lie by the hash of their key among so many partitions.
    pub(crate) placed: Option<usize>,
    /// Why the source cannot be read: said by the first action, as nothing runs before.
    error: Option<Error>,
}

impl Origin {
    /// A source of `partitions`.
    pub(crate) fn source(cx: &Context, partitions: usize, bytes: u64) -> Origin {
        Origin {
            cx: cx.clone(),
            inputs: Vec::new(),
            partitions,
            sources: Sources::one(cx.new_source(), bytes),
            least: 1,
            placed: None,
            error: None,
        }
    }

    /// A source that cannot be read.
    pub(crate) fn broken(cx: &Context, error: Error) -> Origin {
        Origin { error: Some(error), ..Origin::source(cx, 1, 0) }
    }

    /// The same, but an action fails with `error` unless there was one before.
    pub(crate) fn failing(self, error: impl Into<Option<Error>>) -> Origin {
        Origin { error: self.error.or(error.into()), ..self }
    }

    /// The same rows, out of `plan`.
    pub(crate) fn over(self, plan: Arc<dyn ExecutionPlan>) -> Origin {
        let plan = bounded(plan, &self.cx);
        let partitions = plan.properties().partitioning.partition_count();
        Origin { inputs: vec![plan], partitions, ..self }
    }

    /// The same, but nothing is known of where keys lie.
    pub(crate) fn moved(self) -> Origin {
        Origin { placed: None, ..self }
    }

    /// The same, with pairs that lie by the hash of their key among `partitions`.
    pub(crate) fn placed_by_key(self, partitions: usize) -> Origin {
        Origin { placed: Some(partitions), ..self }
    }

    /// Both together; the first error of the two stays.
    pub(crate) fn with(self, other: &Origin) -> Origin {
        let foreign = || Error::config("datasets of two contexts cannot be combined");
        let strange = (!self.cx.is(&other.cx)).then(foreign);
        let error = self.error.or_else(|| other.error.clone()).or(strange);
        let (sources, least) = (self.sources.with(&other.sources), self.least.max(other.least));
        Origin { sources, least, error, ..self }
    }

    /// The same, but exchanges have at least so many partitions.
    pub(crate) fn at_least(self, partitions: usize) -> Origin {
        Origin { least: self.least.max(partitions), ..self }
    }

    /// Partitions that rows should have after an exchange.
    pub(crate) fn exchange_partitions(&self) -> usize {
        if let Some(partitions) = self.cx.config().exchange_partitions {
            return partitions.max(1);
        }
        let estimated = self.sources.bytes().div_ceil(BYTES_PER_PARTITION).clamp(1, MAX_PARTITIONS) as usize;
        estimated.max(self.least)
    }

    /// The partitions in which pairs lie by their key, or should lie after an exchange, and the slices that each
    /// should have.
    pub(crate) fn slices(&self) -> Slices {
        let partitions = self.placed.unwrap_or_else(|| self.exchange_partitions());
        let slices = self.sources.bytes().div_ceil(BYTES_PER_SLICE).clamp(1, MAX_PARTITIONS) as usize;
        Slices::new(partitions, self.cx.config().exchange_slices.unwrap_or(slices / partitions))
    }

    /// Fails when the source cannot be read.
    pub(crate) fn check(&self) -> Result<()> {
        self.error.clone().map_or(Ok(()), Err)
    }
}
