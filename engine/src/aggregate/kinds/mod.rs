//! The aggregate functions: how the values of one key are folded.
//!
//! An [`Aggregate`] is the function that [`Combine`](super::Combine) and [`Merge`](super::Merge) apply.
//! It holds the user's closures and their shared value, if there is one. It does not depend on tables
//! or tasks.

mod calls;
mod from_first;
mod from_zero;
mod reduce;
mod sketch;

pub use calls::NoShared;
pub use from_first::FromFirst;
pub use from_zero::FromZero;
pub use reduce::Reduce;
pub use sketch::{CountDistinct, Sketch};

use kiln_planner::Site;

use crate::aggregate::table::Occupied;
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};

/// Folds values into an accumulator, and accumulators into each other.
pub trait Aggregate: Ship + Clone + Send + Sync + 'static {
    /// The type of the values.
    type Value: Row;
    /// The accumulator: the result for one key, which is sent through the exchange.
    type Acc: Row;

    /// The accumulator for a key's first value.
    fn start(&self, value: <Self::Value as Row>::View<'_>) -> Self::Acc;

    /// Adds a value to an accumulator in the hash table.
    fn add(&self, acc: Occupied<'_, Self::Acc>, value: <Self::Value as Row>::View<'_>);

    /// Merges the accumulator of another task.
    fn merge(&self, acc: Occupied<'_, Self::Acc>, other: <Self::Acc as Row>::View<'_>);

    /// Appends its closures to `closures`.
    fn closures(&self, closures: &mut Vec<Closure>);

    /// The operator's name and its line in the user's code.
    fn name(&self) -> (&'static str, &Site);
}

/// Names of the operators that share [`Reduce`].
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
pub enum Name {
    /// The user called `reduce_by_key`.
    ReduceByKey,
    /// The user called `count_by_value`.
    CountByValue,
    /// The user called `count_by_key`.
    CountByKey,
    /// The user called `fold_by_key`.
    FoldByKey,
    /// The user called `aggregate_by_key`.
    AggregateByKey,
    /// The user called `combine_by_key`.
    CombineByKey,
}

impl Name {
    /// The name of the operator's method.
    pub fn text(self) -> &'static str {
        match self {
            Name::ReduceByKey => "reduce_by_key",
            Name::CountByValue => "count_by_value",
            Name::CountByKey => "count_by_key",
            Name::FoldByKey => "fold_by_key",
            Name::AggregateByKey => "aggregate_by_key",
            Name::CombineByKey => "combine_by_key",
        }
    }
}

/// `distinct`: records only that a key occurred.
#[derive(Clone)]
pub struct Seen(pub Site);

impl Aggregate for Seen {
    type Value = bool;
    type Acc = bool;
    fn start(&self, _: bool) -> bool {
        true
    }
    fn add(&self, _: Occupied<'_, bool>, _: bool) {}
    fn merge(&self, _: Occupied<'_, bool>, _: bool) {}
    fn closures(&self, _: &mut Vec<Closure>) {}
    fn name(&self) -> (&'static str, &Site) {
        ("distinct", &self.0)
    }
}

impl Ship for Seen {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.0)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Seen(params.take()?))
    }
}
