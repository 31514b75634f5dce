//! `cogroup`: groups the values of each key from two, three or four datasets.
//!
//! All inputs are hash-partitioned by key. A task builds a hash table of each side, one hash range at a
//! time if they do not fit in memory at once (`hashed`), and writes the lists of each key directly into
//! the output columns. Only [`Sides`] depends on the number of sides.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::Site;

use super::group_by_key::Group;
use super::hashed::{Held, Index, Room, Rows, Side, TooLarge, cut};
use crate::aggregate::{Part, Slices};
use crate::chain::{Chain, Step};
use crate::dataset::{Dataset, Origin};
use crate::error::Result;
use crate::plan::{Operator, OperatorExec};
use crate::row::{Key, Row, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::table;
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// For each key of either side, lists its values on both sides, each in their original order. A
    /// side without the key gives an empty list. The values of one key, on both sides together, must
    /// fit in the memory of a task, or the job fails with a resource error.
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
        let (site, name) = (Site::caller(), <(K, (V, W))>::NAME);
        let (origin, slices) = together([&self.origin, &other.origin]);
        let inputs = vec![self.placed(slices, name, &site), other.placed(slices, name, &site)];
        grouped::<(K, (V, W))>(inputs, slices, origin, site)
    }

    /// [`cogroup`](Dataset::cogroup) of three datasets: for each key of any of them, its values in
    /// each.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let ages = cx.parallelize([(1u64, 30u64)]);
    /// let (marks, names) = (cx.parallelize([(1u64, 5u8), (1, 4)]), cx.parallelize([(2u64, "Ada".to_owned())]));
    /// let mut all = ages.cogroup3(marks, names).collect()?;
    /// all.sort();
    /// assert_eq!(all, [(1, (vec![30], vec![5, 4], vec![])), (2, (vec![], vec![], vec!["Ada".to_owned()]))]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn cogroup3<W: Row, X: Row, D: Chain<Out = (K, W)>, E: Chain<Out = (K, X)>>(
        self,
        second: Dataset<(K, W), D>,
        third: Dataset<(K, X), E>,
    ) -> Dataset<(K, (Vec<V>, Vec<W>, Vec<X>))>
    where
        K: Key,
    {
        let (site, name) = (Site::caller(), <(K, (V, W, X))>::NAME);
        let (origin, slices) = together([&self.origin, &second.origin, &third.origin]);
        let inputs = vec![
            self.placed(slices, name, &site),
            second.placed(slices, name, &site),
            third.placed(slices, name, &site),
        ];
        grouped::<(K, (V, W, X))>(inputs, slices, origin, site)
    }

    /// [`cogroup`](Dataset::cogroup) of four datasets: for each key of any of them, its values in each.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let quarter = |sales: u64| cx.parallelize([("north".to_owned(), sales)]);
    /// let year = quarter(3).cogroup4(quarter(1), quarter(4), quarter(1)).collect()?;
    /// assert_eq!(year, [("north".to_owned(), (vec![3], vec![1], vec![4], vec![1]))]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn cogroup4<W: Row, X: Row, Y: Row, D, E, G>(
        self,
        second: Dataset<(K, W), D>,
        third: Dataset<(K, X), E>,
        fourth: Dataset<(K, Y), G>,
    ) -> Dataset<(K, (Vec<V>, Vec<W>, Vec<X>, Vec<Y>))>
    where
        K: Key,
        D: Chain<Out = (K, W)>,
        E: Chain<Out = (K, X)>,
        G: Chain<Out = (K, Y)>,
    {
        let (site, name) = (Site::caller(), <(K, (V, W, X, Y))>::NAME);
        let (origin, slices) = together([&self.origin, &second.origin, &third.origin, &fourth.origin]);
        let inputs = vec![
            self.placed(slices, name, &site),
            second.placed(slices, name, &site),
            third.placed(slices, name, &site),
            fourth.placed(slices, name, &site),
        ];
        grouped::<(K, (V, W, X, Y))>(inputs, slices, origin, site)
    }
}

/// The combined properties of all sides, and the sub-partitions in which they meet. If one side is
/// already hash-partitioned, the others use its partitions, so that this side does not move.
fn together<const SIDES: usize>(origins: [&Origin; SIDES]) -> (Origin, Slices) {
    let all = origins[0].clone().with_all(origins[1..].iter().copied());
    let slices = all.common_slices(origins.map(|origin| origin.placed));
    (all, slices)
}

fn grouped<S: Sides>(
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    slices: Slices,
    origin: Origin,
    site: Site,
) -> Dataset<S::Out> {
    table::anchor::<Cogroup<S>>();
    let operator = Arc::new(Cogroup::<S> { slices, site, _sides: PhantomData });
    let plan = Arc::new(OperatorExec::new(operator, inputs, slices.partitions()));
    Dataset::from_plan(plan, origin.placed_by_key(slices.partitions()))
}

/// The key and value types of all sides.
trait Sides: Send + Sync + 'static {
    /// A key with its values on all sides.
    type Out: Row;
    /// The rows of one hash range on all sides.
    type Held;
    /// Number of sides.
    const COUNT: usize;
    /// Name of the operator's method.
    const NAME: &'static str;

    /// Builds hash tables of the rows of `part` on all sides.
    fn hold(
        sides: &mut [Side<'_, '_>],
        part: Part,
        room: &mut Room,
    ) -> Result<std::result::Result<Self::Held, TooLarge>>;

    /// Writes all keys: those of the first side, then those that are only on the second side and later
    /// ones, and so on.
    fn put(held: &Self::Held, writer: &mut PartitionedWriter<'_, Self::Out>);
}

macro_rules! sides {
    ($name:literal, $($v:ident $index:ident $group:ident $at:tt),*) => {
        impl<K: Key, $($v: Row),*> Sides for (K, ($($v,)*)) {
            type Out = (K, ($(Vec<$v>,)*));
            type Held = ($(Index<K, $v>,)*);
            const COUNT: usize = [$($at),*].len();
            const NAME: &'static str = $name;

            fn hold(
                sides: &mut [Side<'_, '_>],
                part: Part,
                room: &mut Room,
            ) -> Result<std::result::Result<Self::Held, TooLarge>> {
                room.free();
                let (mut bytes, mut hashes) = (0, Vec::new());
                $(
                    let $index = match sides[$at].hold::<K, $v>(part, room, bytes)? {
                        Held::All(index, all) => {
                            bytes = all;
                            index
                        }
                        // If the tables of other sides hold other keys, a narrower range may leave
                        // enough memory for this key.
                        Held::TooLarge(large) => {
                            let is_one_key = large.is_one_key && hashes.iter().all(|hash| *hash == large.hash);
                            return Ok(Err(TooLarge { is_one_key, ..large }));
                        }
                    };
                    hashes.extend($index.keys().take(2).map(|(hash, ..)| hash));
                )*
                let _ = (bytes, hashes);
                Ok(Ok(($($index,)*)))
            }

            fn put(($($index,)*): &Self::Held, writer: &mut PartitionedWriter<'_, Self::Out>) {
                $(let mut $group = Group::new($index);)*
                let mut put = |side: usize, hash: u64, key: K::View<'_>, rows: Rows| {
                    let found = [$(if $at == side { Some(rows) } else { $index.find(hash, key) }),*];
                    if found.iter().position(Option::is_some) == Some(side) {
                        writer.push(0, (K::narrow(key), ($($group.of(found[$at]),)*)));
                    }
                    writer.is_closed()
                };
                $(
                    for (hash, key, rows) in $index.keys() {
                        if put($at, hash, key, rows) {
                            return;
                        }
                    }
                )*
            }
        }
    };
}

sides!("cogroup", V lefts left 0, W rights right 1);
sides!("cogroup3", V firsts first 0, W seconds second 1, X thirds third 2);
sides!("cogroup4", V firsts first 0, W seconds second 1, X thirds third 2, Y fourths fourth 3);

/// Groups the pairs of one partition of all sides.
struct Cogroup<S> {
    slices: Slices,
    site: Site,
    _sides: PhantomData<fn() -> S>,
}

impl<S: Sides> Cogroup<S> {
    /// Writes the keys of one sub-partition.
    fn slice(&self, slice: usize, task: &Task<'_>, writer: &mut PartitionedWriter<'_, S::Out>) -> Result<()> {
        let mut sides: Vec<Side<'_, '_>> = (0..S::COUNT).map(|at| Side::new(task, at, slice)).collect();
        let mut room = Room::new(task, S::NAME);
        let mut todo = vec![self.slices.part()];
        while let Some(part) = todo.pop().filter(|_| !writer.is_closed()) {
            match S::hold(&mut sides, part, &mut room)? {
                Ok(held) => S::put(&held, writer),
                Err(large) => cut(part, large, &room, (S::NAME, &self.site), &mut todo)?,
            }
        }
        Ok(())
    }
}

impl<S: Sides> Operator for Cogroup<S> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut writer = PartitionedWriter::<S::Out>::new(1, out);
        self.slices.of(task.partition).try_for_each(|slice| self.slice(slice, task, &mut writer))?;
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<S::Out>()
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step::new(S::NAME, &self.site)]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new()
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.slices, &self.site))
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (slices, site) = params.take()?;
        Ok(Cogroup { slices, site, _sides: PhantomData })
    }
}
