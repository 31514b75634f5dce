//! `glom`: turns each partition into one row, the list of its rows.

use kiln_planner::Site;

use super::hashed::Room;
use crate::chain::{Chain, RowConsumer, Step};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::row::{ColumnBuilder, Items, ListView, Row, RowReader, to_batch};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::Task;

const NAME: &str = "glom";
/// Growth in bytes of the held rows between two memory requests.
const STEP_BYTES: usize = 64 << 10;
/// Upper limit of a list's items and bytes: the offsets of a list column are 32 bits wide.
const MAX_LIST: usize = i32::MAX as usize;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// One row per partition: the list of its rows, in order. An empty partition gives an empty list.
    ///
    /// The rows of a partition must fit in the memory of a task, or the job fails with a resource
    /// error. [`map_partitions`](Dataset::map_partitions) sees the rows one by one.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let lists = cx.parallelize_in(3, 0..4u64).glom();
    /// assert_eq!(lists.collect()?, [vec![0], vec![1], vec![2, 3]]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn glom(self) -> Dataset<Vec<T>, Glom<C>> {
        Dataset::over(Glom { chain: self.chain, site: Site::caller() }, self.origin.moved())
    }
}

/// The chain `C`, whose rows become one list.
#[derive(Clone)]
pub struct Glom<C> {
    chain: C,
    site: Site,
}

impl<C: Ship> Ship for Glom<C> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.chain.ship(params)?;
        params.put(&self.site)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let chain = C::rebuild(params)?;
        Ok(Glom { chain, site: params.take()? })
    }
}

impl<C: Chain> Chain for Glom<C> {
    type Out = Vec<C::Out>;

    fn drive<S: RowConsumer<Vec<C::Out>>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        if sink.is_full() {
            return Ok(());
        }
        let mut list = List::<C::Out>::new(Room::new(task, NAME));
        self.chain.drive(task, &mut list)?;
        if list.is_too_large {
            let error = Error::resource("glom: the rows of a partition do not fit what a task may hold");
            let help = "map_partitions sees the rows one by one; repartition makes partitions smaller; or raise \
                        KILN_MEMORY";
            return Err(error.at("partition", task.partition).at("line", &self.site).help(help));
        }
        let rows = Rows(RowReader::open(&to_batch::<C::Out>(&mut list.rows)?)?);
        sink.push(ListView::of(&rows, 0..rows.0.len()));
        Ok(())
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        self.chain.steps(steps);
        steps.push(Step::new(NAME, &self.site));
    }

    fn source_bytes(&self) -> u64 {
        self.chain.source_bytes()
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        self.chain.closures(closures);
    }
}

/// The rows of a partition, as long as there is memory for them.
struct List<T: Row> {
    rows: T::Builder,
    room: Room,
    /// Bytes reserved for the rows.
    held_bytes: usize,
    is_too_large: bool,
}

impl<T: Row> List<T> {
    fn new(room: Room) -> Self {
        List { rows: T::Builder::default(), room, held_bytes: 0, is_too_large: false }
    }
}

impl<T: Row> RowConsumer<T> for List<T> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        if self.is_too_large {
            return;
        }
        self.rows.push(row);
        let bytes = self.rows.size_bytes();
        if bytes > self.held_bytes || self.rows.len() == MAX_LIST {
            self.held_bytes = bytes + STEP_BYTES;
            self.is_too_large = bytes.max(self.rows.len()) >= MAX_LIST || !self.room.hold(self.held_bytes);
        }
    }
    fn is_full(&self) -> bool {
        self.is_too_large
    }
}

/// The rows of one batch as the items of a list.
struct Rows<T: Row>(RowReader<T>);

impl<T: Row> Items<T> for Rows<T> {
    #[inline]
    fn item(&self, index: usize) -> T::View<'_> {
        self.0.get(index)
    }
}
