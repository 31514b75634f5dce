//! `cartesian`: pairs every row of one dataset with every row of another.
//!
//! The right side is broadcast, and each task pairs it with its partition of the left side. A task
//! holds as many right rows as it has memory for. If that is not all of them, it processes them in
//! chunks and reads its left rows once per chunk.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use kiln_planner::{Movement, Site};

use super::columns::Columns;
use super::hashed::{Gathered, Replay, Room, Size};
use crate::chain::{Chain, Step};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::plan::{Operator, OperatorExec};
use crate::row::{Row, RowReader, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::table;
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

const NAME: &str = "cartesian";
/// Pairs between two checks for cancellation.
const LOOK_ROWS: usize = 1 << 16;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Pairs every row of this dataset with every row of `right`. The partitions are those of this
    /// dataset. Put the smaller dataset on the right: every task reads all of it, several times if it
    /// does not fit in the memory of a task. In that case the order of the rows depends on
    /// `KILN_MEMORY`.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let pairs = cx.range(0..2).cartesian(cx.range(5..7));
    /// assert_eq!(pairs.collect()?, [(0, 5), (0, 6), (1, 5), (1, 6)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn cartesian<U: Row, D: Chain<Out = U>>(self, right: Dataset<U, D>) -> Dataset<(T, U)> {
        let (site, partitions) = (Site::caller(), self.origin.partitions);
        let origin = self.origin.clone().with(&right.origin).moved();
        let why = "cartesian reads all right rows in every task";
        let all = right.exchange(Columns::new(), Movement::Everywhere, why, site.clone());
        table::anchor::<Cartesian<T, U>>();
        let operator = Cartesian::<T, U> { site, _rows: PhantomData };
        let plan = OperatorExec::new(Arc::new(operator), vec![self.to_plan(), all], partitions);
        Dataset::from_plan(Arc::new(plan), origin)
    }
}

/// Pairs one partition of the left side with the whole right side.
struct Cartesian<T, U> {
    site: Site,
    _rows: PhantomData<fn() -> (T, U)>,
}

/// Pairs a batch of left rows with a chunk of the right side.
fn pair<T: Row, U: Row>(
    left: &RecordBatch,
    right: &[RowReader<U>],
    task: &Task<'_>,
    writer: &mut PartitionedWriter<'_, (T, U)>,
) -> Result<ControlFlow<()>> {
    let mut pairs = 0;
    for row in RowReader::<T>::open(left)?.iter() {
        for other in right {
            other.iter().for_each(|other| writer.push(0, (T::narrow(row), U::narrow(other))));
            if writer.is_closed() {
                return Ok(ControlFlow::Break(()));
            }
            pairs += other.len();
            if pairs > LOOK_ROWS {
                task.check()?;
                pairs = 0;
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

impl<T: Row, U: Row> Operator for Cartesian<T, U> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let (mut left, mut right) = (Replay::new(task, 0), Replay::at(task, 1, 0));
        let mut writer = PartitionedWriter::<(T, U)>::new(1, out);
        let mut room = Room::new(task, NAME);
        if let Gathered::Whole(batches, _) = right.gather(&mut room, |size| size.bytes)? {
            let rows = batches.iter().map(RowReader::open).collect::<Result<Vec<_>>>()?;
            left.read_once(&mut |batch| pair(&batch, &rows, task, &mut writer))?;
            return writer.finish();
        }
        room.free();
        let mut piece = Vec::new();
        let mut size = Size::default();
        right.read(&mut |batch| {
            size.add(&batch);
            piece.push(RowReader::open(&batch)?);
            if !room.hold(size.bytes) {
                left.read(&mut |batch| pair(&batch, &piece, task, &mut writer))?;
                piece.clear();
                size = Size::default();
            }
            Ok(if writer.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if !writer.is_closed() {
            left.read(&mut |batch| pair(&batch, &piece, task, &mut writer))?;
        }
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(T, U)>()
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step::new(NAME, &self.site)]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new()
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.site)
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Cartesian { site: params.take()?, _rows: PhantomData })
    }
}
