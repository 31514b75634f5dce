//! `group_by_key`: groups the values of each key.
//!
//! A group cannot be reduced before the exchange, so all rows move. After the exchange a task builds a
//! hash table of its pairs, one hash range at a time if they do not fit in memory at once, and writes
//! each group directly into the output columns. Only a single group must fit.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use super::hashed::{Held, Index, Room, Rows, Side, cut};
use crate::aggregate::Slices;
use crate::chain::{Chain, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::{Operator, OperatorExec};
use crate::row::{Items, Key, ListView, Row, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::table;
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

const NAME: &str = "group_by_key";

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Groups the values of each key, in their original order.
    ///
    /// If the values of a key are reduced to one afterwards, `reduce_by_key`, `fold_by_key` and
    /// `aggregate_by_key` are better, because they move only one row per key and task. Here every row
    /// moves, and the values of one key must fit in the memory of a task, or the job fails with a
    /// resource error.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let mut groups = cx.range(0..5).key_by(|n| n % 2).group_by_key().collect()?;
    /// groups.sort();
    /// assert_eq!(groups, [(0, vec![0, 2, 4]), (1, vec![1, 3])]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn group_by_key(self) -> Dataset<(K, Vec<V>)>
    where
        K: Key,
    {
        let site = Site::caller();
        let slices = self.origin.placed.map_or_else(|| self.origin.slices(), Slices::whole);
        let inputs = vec![self.placed(slices, NAME, &site)];
        let group = GroupRows::<K, V>::operator(slices, site);
        let plan = Arc::new(OperatorExec::new(group, inputs, slices.partitions()));
        Dataset::from_plan(plan, self.origin.placed_by_key(slices.partitions()))
    }
}

/// Groups the pairs of one partition.
struct GroupRows<K, V> {
    slices: Slices,
    site: Site,
    _row: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Row> GroupRows<K, V> {
    fn operator(slices: Slices, site: Site) -> Arc<dyn Operator> {
        table::anchor::<Self>();
        Arc::new(GroupRows::<K, V> { slices, site, _row: PhantomData })
    }

    /// Writes the groups of one sub-partition.
    fn slice(
        &self,
        slice: usize,
        task: &Task<'_>,
        writer: &mut PartitionedWriter<'_, (K, Vec<V>)>,
    ) -> Result<()> {
        let (mut side, mut room) = (Side::new(task, 0, slice), Room::new(task, NAME));
        let mut todo = vec![self.slices.part()];
        while let Some(part) = todo.pop().filter(|_| !writer.is_closed()) {
            room.free();
            match side.hold::<K, V>(part, &mut room, 0)? {
                Held::All(index, _) => put(&index, writer),
                Held::TooLarge(large) => cut(part, large, &room, (NAME, &self.site), &mut todo)?,
            }
        }
        Ok(())
    }
}

fn put<K: Key, V: Row>(index: &Index<K, V>, writer: &mut PartitionedWriter<'_, (K, Vec<V>)>) {
    let mut group = Group::new(index);
    for (_, key, rows) in index.keys() {
        writer.push(0, (K::narrow(key), group.of(Some(rows))));
        if writer.is_closed() {
            break;
        }
    }
}

/// The values of one key, read in place and never owned.
pub(super) struct Group<'a, K: Key, V: Row> {
    index: &'a Index<K, V>,
    places: Vec<(usize, usize)>,
}

impl<'a, K: Key, V: Row> Group<'a, K, V> {
    /// A group without values yet.
    pub(super) fn new(index: &'a Index<K, V>) -> Self {
        Group { index, places: Vec::new() }
    }

    /// The values of a key; empty if there are none.
    pub(super) fn of(&mut self, rows: Option<Rows>) -> ListView<'_, V> {
        self.places.clear();
        self.places.extend(rows.into_iter().flat_map(|rows| self.index.places(rows)));
        ListView::of(self, 0..self.places.len())
    }
}

impl<K: Key, V: Row> Items<V> for Group<'_, K, V> {
    #[inline]
    fn item(&self, index: usize) -> V::View<'_> {
        V::narrow(self.index.get(self.places[index]).1)
    }
}

impl<K: Key, V: Row> Operator for GroupRows<K, V> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut writer = PartitionedWriter::<(K, Vec<V>)>::new(1, out);
        self.slices.of(task.partition).try_for_each(|slice| self.slice(slice, task, &mut writer))?;
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(K, Vec<V>)>()
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step::new(NAME, &self.site)]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new()
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.slices, &self.site))
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (slices, site) = params.take()?;
        Ok(GroupRows { slices, site, _row: PhantomData })
    }
}
