//! The properties of a dataset that do not depend on the type of its rows.

use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;

use super::sources::Sources;
use crate::aggregate::Slices;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::plan::bounded;

/// The input bytes per partition after an exchange. The number of partitions depends on the input alone,
/// never on slots or executors, because the output must not depend on them.
const BYTES_PER_PARTITION: u64 = 32 << 20;
/// The input bytes per sub-partition: small enough that hash tables of its keys stay in the cache.
const BYTES_PER_SLICE: u64 = 4 << 20;
/// The most partitions after an exchange, and the most sub-partitions of all of them together.
const MAX_PARTITIONS: u64 = 1024;

/// The number of partitions after the next exchanges of a dataset; it is decided only here.
///
/// A number set by the job takes precedence, as in Spark. A number set for the next exchange is exact. A
/// number that the rows have because the job chose it (`repartition`, `coalesce`, `partition_by`,
/// `parallelize_in`, an exchange with an exact number) is kept by later exchanges, unless another input has
/// more. Otherwise the number is derived from the bytes of the sources. Slots and executors never matter,
/// because results must not depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// As many as the size of the sources suggests, and at least this many.
    AtLeast(usize),
    /// As many as the rows have now.
    Kept(usize),
    /// Exactly this many after the next exchange; later exchanges keep the number.
    Exactly(usize),
}

/// The origin of a dataset's rows: their inputs, sources and partitioning.
#[derive(Clone)]
pub struct Origin {
    pub(crate) cx: Context,
    /// The plan nodes that are the chain's input: one, or none when the chain starts with a source.
    pub(crate) inputs: Vec<Arc<dyn ExecutionPlan>>,
    pub(crate) partitions: usize,
    /// All upstream sources, each once, with their estimated bytes.
    sources: Sources,
    /// The number of partitions that the job wants after exchanges.
    wanted: Wanted,
    /// The rows are pairs that are hash-partitioned by key into this many partitions.
    pub(crate) placed: Option<usize>,
    /// Why the source cannot be read. The first action returns the error, because nothing runs before it.
    error: Option<Error>,
}

impl Origin {
    /// A source with `partitions` partitions.
    pub(crate) fn source(cx: &Context, partitions: usize, bytes: u64) -> Origin {
        Origin {
            cx: cx.clone(),
            inputs: Vec::new(),
            partitions,
            sources: Sources::one(cx.new_source(), bytes),
            wanted: Wanted::AtLeast(1),
            placed: None,
            error: None,
        }
    }

    /// A source that cannot be read.
    pub(crate) fn broken(cx: &Context, error: Error) -> Origin {
        Origin { error: Some(error), ..Origin::source(cx, 1, 0) }
    }

    /// Makes actions fail with `error`, unless there is an earlier error.
    pub(crate) fn failing(self, error: impl Into<Option<Error>>) -> Origin {
        Origin { error: self.error.or(error.into()), ..self }
    }

    /// The same rows, produced by `plan`.
    pub(crate) fn over(self, plan: Arc<dyn ExecutionPlan>) -> Origin {
        let plan = bounded(plan, &self.cx);
        let partitions = plan.properties().partitioning.partition_count();
        Origin { inputs: vec![plan], partitions, ..self }
    }

    /// Drops the knowledge of how the rows are partitioned.
    pub(crate) fn moved(self) -> Origin {
        Origin { placed: None, ..self }
    }

    /// The rows are hash-partitioned by key into `partitions`.
    pub(crate) fn placed_by_key(self, partitions: usize) -> Origin {
        Origin { placed: Some(partitions), ..self.exchanged(partitions) }
    }

    /// After an exchange into `partitions`: an exact number is used up, and kept for later exchanges.
    pub(crate) fn exchanged(self, partitions: usize) -> Origin {
        match self.wanted {
            Wanted::Exactly(_) => self.keeping(partitions),
            _ => self.moved(),
        }
    }

    /// The job chose `partitions`, so later exchanges keep this number.
    pub(crate) fn keeping(self, partitions: usize) -> Origin {
        Origin { wanted: Wanted::Kept(partitions), ..self.moved() }
    }

    /// The next exchange has exactly `partitions`. Pairs that are hash-partitioned into another number are
    /// exchanged again.
    pub(crate) fn exactly(self, partitions: usize) -> Origin {
        let placed = self.placed.filter(|placed| *placed == partitions);
        Origin { wanted: Wanted::Exactly(partitions), placed, ..self }
    }

    /// Combines both; the first error is kept.
    pub(crate) fn with(self, other: &Origin) -> Origin {
        self.with_all([other])
    }

    /// Combines this one with `others`; the first error is kept.
    pub(crate) fn with_all<'a>(mut self, others: impl IntoIterator<Item = &'a Origin>) -> Origin {
        let foreign = || Error::config("datasets of two contexts cannot be combined");
        for other in others {
            self.wanted = self.wanted_with(other);
            let strange = (!self.cx.is(&other.cx)).then(foreign);
            self.error = self.error.or_else(|| other.error.clone()).or(strange);
            self.sources = self.sources.with(&other.sources);
        }
        self
    }

    /// The number of partitions for an exchange of both inputs' rows.
    fn wanted_with(&self, other: &Origin) -> Wanted {
        use Wanted::{AtLeast, Exactly};
        match (self.wanted, other.wanted) {
            (Exactly(one), Exactly(two)) => Exactly(one.max(two)),
            (Exactly(one), _) | (_, Exactly(one)) => Exactly(one),
            (AtLeast(one), AtLeast(two)) => AtLeast(one.max(two)),
            _ => Wanted::Kept(self.unconfigured().max(other.unconfigured())),
        }
    }

    /// Exchanges have at least `partitions`.
    pub(crate) fn at_least(self, partitions: usize) -> Origin {
        let wanted = match self.wanted {
            Wanted::AtLeast(n) => Wanted::AtLeast(n.max(partitions)),
            Wanted::Kept(n) => Wanted::Kept(n.max(partitions)),
            Wanted::Exactly(n) => Wanted::Exactly(n.max(partitions)),
        };
        Origin { wanted, ..self }
    }

    /// The number of partitions after an exchange.
    pub(crate) fn exchange_partitions(&self) -> usize {
        match (self.wanted, self.cx.config().exchange_partitions) {
            (Wanted::Exactly(partitions), _) => partitions,
            (_, Some(partitions)) => partitions.max(1),
            _ => self.unconfigured(),
        }
    }

    /// Whether pairs that are hash-partitioned into `partitions` need no further exchange.
    pub(crate) fn allows(&self, partitions: usize) -> bool {
        !matches!(self.wanted, Wanted::Exactly(wanted) if wanted != partitions)
    }

    /// The sub-partitions in which several sides meet, whose combined properties these are. A side that is already
    /// hash-partitioned does not move, unless the user has asked for another number of partitions.
    pub(crate) fn common_slices(&self, placed: impl IntoIterator<Item = Option<usize>>) -> Slices {
        let kept = placed.into_iter().flatten().find(|partitions| self.allows(*partitions));
        kept.map_or_else(|| self.slices(), Slices::whole)
    }

    /// The number of partitions after an exchange, without the setting in the configuration.
    fn unconfigured(&self) -> usize {
        match self.wanted {
            Wanted::AtLeast(least) => {
                let estimated = self.sources.bytes().div_ceil(BYTES_PER_PARTITION).clamp(1, MAX_PARTITIONS);
                least.max(estimated as usize)
            }
            Wanted::Kept(partitions) | Wanted::Exactly(partitions) => partitions,
        }
    }

    /// The number of partitions in which pairs are hash-partitioned, or would be after an exchange, and the
    /// number of sub-partitions of each.
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

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn source(bytes: u64) -> Origin {
        Origin::source(&Context::local(3), 5, bytes)
    }

    #[test]
    fn an_exact_count_holds_for_one_exchange_and_is_kept_after_it() {
        let asked = source(64 * GIB).exactly(7);
        assert_eq!(asked.clone().moved().exchange_partitions(), 7, "a narrow operator changes nothing");
        assert_eq!(asked.clone().with(&source(GIB)).exchange_partitions(), 7);
        assert_eq!(source(GIB).with(&asked).exchange_partitions(), 7);
        for after in [asked.clone().exchanged(7), asked.placed_by_key(7)] {
            assert_eq!(after.exchange_partitions(), 7);
            assert_eq!(after.with(&source(GIB)).exchange_partitions(), 32, "another input has more");
        }
    }

    #[test]
    fn a_chosen_count_is_kept_unless_another_input_has_more() {
        assert_eq!(source(64 * GIB).keeping(3).exchange_partitions(), 3);
        assert_eq!(source(64 * GIB).keeping(3).at_least(5).exchange_partitions(), 5);
        assert_eq!(source(64 * GIB).keeping(3).with(&source(1)).exchange_partitions(), 3);
        assert_eq!(source(1).keeping(3).with(&source(GIB)).exchange_partitions(), 32);
        assert_eq!(source(1).keeping(3).with(&source(GIB).keeping(4)).exchange_partitions(), 4);
        assert_eq!(source(GIB).at_least(2).with(&source(1).at_least(40)).exchange_partitions(), 40);
    }

    #[test]
    fn hash_partitioned_pairs_stay_only_at_the_count_that_was_asked_for() {
        let placed = source(1).placed_by_key(4);
        assert_eq!(placed.clone().exactly(4).placed, Some(4));
        assert_eq!(placed.clone().exactly(5).placed, None);
        // A narrow operator that may change keys: the number of partitions is still exact.
        assert_eq!(placed.clone().exactly(4).moved().with(&source(GIB)).exchange_partitions(), 4);
        let both = source(1).exactly(5).with(&placed);
        assert!(both.allows(5) && !both.allows(4) && placed.allows(4));
    }
}
