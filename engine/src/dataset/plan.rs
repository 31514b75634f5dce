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

/// How many partitions exchanges after a dataset have: the one place where this is decided.
///
/// A count that the job gives holds, as it does in Spark. A count for the next exchange is exact. A count that rows
/// have because the job chose it (`repartition`, `coalesce`, `partition_by`, `parallelize_in`, an exchange of an
/// exact count) is kept by later exchanges, unless another input has more. Else the count follows from the
/// bytes of the sources. Slots and executors never count, because results must not depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// As many as the sources ask for, and at least this many.
    AtLeast(usize),
    /// As many as the rows have now.
    Kept(usize),
    /// Exactly this many after the next exchange; then they are kept.
    Exactly(usize),
}

/// Where the rows of a dataset come from.
#[derive(Clone)]
pub struct Origin {
    pub(crate) cx: Context,
    /// The plan nodes that feed the chain: one, or none when the chain starts with a source.
    pub(crate) inputs: Vec<Arc<dyn ExecutionPlan>>,
    pub(crate) partitions: usize,
    /// The sources behind it, each once, with their estimated bytes.
    sources: Sources,
    /// The partitions that the job wants after exchanges.
    wanted: Wanted,
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
            wanted: Wanted::AtLeast(1),
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
        Origin { placed: Some(partitions), ..self.exchanged(partitions) }
    }

    /// The same, after an exchange into `partitions`: an exact count is used up, and kept.
    pub(crate) fn exchanged(self, partitions: usize) -> Origin {
        match self.wanted {
            Wanted::Exactly(_) => self.keeping(partitions),
            _ => self.moved(),
        }
    }

    /// The same, in `partitions` that the job chose, so that later exchanges keep the count.
    pub(crate) fn keeping(self, partitions: usize) -> Origin {
        Origin { wanted: Wanted::Kept(partitions), ..self.moved() }
    }

    /// The same, but the next exchange has exactly `partitions`. Pairs that are hash-partitioned into
    /// another number move once more.
    pub(crate) fn exactly(self, partitions: usize) -> Origin {
        let placed = self.placed.filter(|placed| *placed == partitions);
        Origin { wanted: Wanted::Exactly(partitions), placed, ..self }
    }

    /// Both together; the first error of the two stays.
    pub(crate) fn with(self, other: &Origin) -> Origin {
        self.with_all([other])
    }

    /// This one and `others` together; the first error of them stays.
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

    /// What holds for an exchange of the rows of both.
    fn wanted_with(&self, other: &Origin) -> Wanted {
        use Wanted::{AtLeast, Exactly};
        match (self.wanted, other.wanted) {
            (Exactly(one), Exactly(two)) => Exactly(one.max(two)),
            (Exactly(one), _) | (_, Exactly(one)) => Exactly(one),
            (AtLeast(one), AtLeast(two)) => AtLeast(one.max(two)),
            _ => Wanted::Kept(self.unconfigured().max(other.unconfigured())),
        }
    }

    /// The same, but exchanges have at least so many partitions.
    pub(crate) fn at_least(self, partitions: usize) -> Origin {
        let wanted = match self.wanted {
            Wanted::AtLeast(n) => Wanted::AtLeast(n.max(partitions)),
            Wanted::Kept(n) => Wanted::Kept(n.max(partitions)),
            Wanted::Exactly(n) => Wanted::Exactly(n.max(partitions)),
        };
        Origin { wanted, ..self }
    }

    /// Partitions that rows should have after an exchange.
    pub(crate) fn exchange_partitions(&self) -> usize {
        match (self.wanted, self.cx.config().exchange_partitions) {
            (Wanted::Exactly(partitions), _) => partitions,
            (_, Some(partitions)) => partitions.max(1),
            _ => self.unconfigured(),
        }
    }

    /// Whether pairs that are hash-partitioned into `partitions` may stay where they are.
    pub(crate) fn allows(&self, partitions: usize) -> bool {
        !matches!(self.wanted, Wanted::Exactly(wanted) if wanted != partitions)
    }

    /// Partitions after an exchange, as the rows and the job ask for them.
    fn unconfigured(&self) -> usize {
        match self.wanted {
            Wanted::AtLeast(least) => {
                let estimated = self.sources.bytes().div_ceil(BYTES_PER_PARTITION).clamp(1, MAX_PARTITIONS);
                least.max(estimated as usize)
            }
            Wanted::Kept(partitions) | Wanted::Exactly(partitions) => partitions,
        }
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
        // A narrow operator that may change keys: the count is still exact.
        assert_eq!(placed.clone().exactly(4).moved().with(&source(GIB)).exchange_partitions(), 4);
        let both = source(1).exactly(5).with(&placed);
        assert!(both.allows(5) && !both.allows(4) && placed.allows(4));
    }
}
