//! `cogroup`: the values of one key from two datasets, each side together.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use super::group_by_key::Group;
use super::hashed::{Held, Index, Room, Side, TooLarge, cut};
use crate::aggregate::{Part, Slices};
use crate::chain::{Chain, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::{Operator, OperatorExec};
use crate::row::{Key, Row, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::table;
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

const NAME: &str = "cogroup";

/// A key with its values of both sides.
type Cogrouped<K, V, W> = (K, (Vec<V>, Vec<W>));

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// For each key of either side its values on both, each in the order in which they were; a side
    /// without the key gives an empty list. The values of one key, of both sides together, must fit
    /// what a task may hold, or the job fails with an error of class resource.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let (ages, marks) = (cx.parallelize([(1u64, 30u64)]), cx.parallelize([(1u64, 5u8), (2, 3), (1, 4)]));
    /// let mut both = ages.cogroup(marks).collect()?;
    /// both.sort();
    /// assert_eq!(both, [(1, (vec![30], vec![5, 4])), (2, (vec![], vec![3]))]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn cogroup<W: Row, D: Chain<Out = (K, W)>>(
        self,
        other: Dataset<(K, W), D>,
    ) -> Dataset<(K, (Vec<V>, Vec<W>))>
    where
        K: Key,
    {
        let site = Site::caller();
        let (inputs, slices) = self.placed_with(&other, NAME, &site);
        let origin = self.origin.with(&other.origin);
        let cogroup = CogroupRows::<K, V, W>::operator(slices, site);
        let plan = Arc::new(OperatorExec::new(cogroup, inputs, slices.partitions()));
        Dataset::from_plan(plan, origin.placed_by_key(slices.partitions()))
    }
}

/// Groups the pairs of one partition of both sides.
struct CogroupRows<K, V, W> {
    slices: Slices,
    site: Site,
    _row: PhantomData<fn() -> (K, V, W)>,
}

impl<K: Key, V: Row, W: Row> CogroupRows<K, V, W> {
    fn operator(slices: Slices, site: Site) -> Arc<dyn Operator> {
        table::anchor::<Self>();
        Arc::new(CogroupRows::<K, V, W> { slices, site, _row: PhantomData })
    }

    /// Puts out the keys of one slice.
    fn slice(
        &self,
        slice: usize,
        task: &Task<'_>,
        writer: &mut PartitionedWriter<'_, Cogrouped<K, V, W>>,
    ) -> Result<()> {
        let mut sides = (Side::new(task, 0, slice), Side::new(task, 1, slice));
        let mut room = Room::new(task, NAME);
        let mut todo = vec![self.slices.part()];
        while let Some(part) = todo.pop().filter(|_| !writer.is_closed()) {
            match hold::<K, V, W>(&mut sides, part, &mut room)? {
                Ok((left, right)) => put(&left, &right, writer),
                Err(large) => cut(part, large, &room, (NAME, &self.site), &mut todo)?,
            }
        }
        Ok(())
    }
}

/// Holds the rows of `part` of both sides.
fn hold<K: Key, V: Row, W: Row>(
    sides: &mut (Side<'_, '_>, Side<'_, '_>),
    part: Part,
    room: &mut Room,
) -> Result<Result<(Index<K, V>, Index<K, W>), TooLarge>> {
    room.free();
    let (left, bytes) = match sides.0.hold::<K, V>(part, room, 0)? {
        Held::All(left, bytes) => (left, bytes),
        Held::TooLarge(large) => return Ok(Err(large)),
    };
    Ok(match sides.1.hold::<K, W>(part, room, bytes)? {
        Held::All(right, _) => Ok((left, right)),
        // While the left side has several keys, a cut may leave more room for the one on the right.
        Held::TooLarge(large) => {
            Err(TooLarge { is_one_key: large.is_one_key && left.keys().nth(1).is_none(), ..large })
        }
    })
}

/// Puts out all keys of both sides: first those of the left one.
fn put<K: Key, V: Row, W: Row>(
    left: &Index<K, V>,
    right: &Index<K, W>,
    writer: &mut PartitionedWriter<'_, Cogrouped<K, V, W>>,
) {
    let (mut lefts, mut rights) = (Group::new(left), Group::new(right));
    for (hash, key, rows) in left.keys() {
        let (values, others) = (lefts.of(Some(rows)), rights.of(right.find(hash, key)));
        writer.push(0, (K::narrow(key), (values, others)));
        if writer.is_closed() {
            return;
        }
    }
    for (hash, key, rows) in right.keys() {
        if left.find(hash, key).is_none() {
            writer.push(0, (K::narrow(key), (lefts.of(None), rights.of(Some(rows)))));
        }
    }
}

impl<K: Key, V: Row, W: Row> Operator for CogroupRows<K, V, W> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut writer = PartitionedWriter::<Cogrouped<K, V, W>>::new(1, out);
        self.slices.of(task.partition).try_for_each(|slice| self.slice(slice, task, &mut writer))?;
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<Cogrouped<K, V, W>>()
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
        Ok(CogroupRows { slices, site, _row: PhantomData })
    }
}
