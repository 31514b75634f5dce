//! `map_batches`: maps Arrow batches to Arrow batches.
//!
//! For work that Arrow's kernels, or another library that takes Arrow data, do better than a closure
//! per row. The operator ends its chain in a plan node, so batches are not converted to rows in
//! between.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use super::columns::batches_of;
use crate::chain::{Chain, Func, FuncInfo, Plain, Step, With};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::plan::Terminal;
use crate::row::{Row, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};
use crate::task::{Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Maps each Arrow batch to another one, which must have the columns of `O`, in the same order;
    /// column names do not matter. Batch boundaries have no meaning: the closure must give the same
    /// rows however they are cut into batches.
    ///
    /// ```
    /// use kiln::arrow::{array::{AsArray, RecordBatch, UInt64Array}, datatypes::UInt64Type};
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let doubled = cx.range(0..3).map_batches::<u64>(|batch| {
    ///     let numbers = batch.column(0).as_primitive::<UInt64Type>();
    ///     let doubled: UInt64Array = numbers.unary(|n| n * 2);
    ///     Ok(RecordBatch::try_new(batch.schema(), vec![std::sync::Arc::new(doubled)])?)
    /// });
    /// assert_eq!(doubled.collect()?, [0, 2, 4]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The action fails with the errors of the closure, and with a bug error when the returned columns
    /// are not those of `O`.
    #[track_caller]
    pub fn map_batches<O: Row>(
        self,
        f: impl Fn(RecordBatch) -> Result<RecordBatch> + Send + Sync + 'static,
    ) -> Dataset<O> {
        self.ended_in_batches(Plain::new(f, Site::caller()))
    }

    /// `map_batches` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn map_batches_with<O: Row, P: Param>(
        self,
        shared: &Shared<P>,
        f: impl for<'a> Fn(&'a P, RecordBatch) -> Result<RecordBatch> + Send + Sync + 'static,
    ) -> Dataset<O> {
        self.ended_in_batches(With::new(shared, f, Site::caller()))
    }

    fn ended_in_batches<O: Row, G: BatchFunc>(self, func: G) -> Dataset<O> {
        let plan = self.end_in(MapBatches::<G, O> { func, _row: PhantomData });
        Dataset::from_plan(plan, self.origin.moved())
    }
}

/// A closure that maps batches.
trait BatchFunc: FuncInfo + for<'a> Func<'a, RecordBatch, Out = Result<RecordBatch>> {}
impl<G: FuncInfo + for<'a> Func<'a, RecordBatch, Out = Result<RecordBatch>>> BatchFunc for G {}

/// Applies a closure to each batch.
struct MapBatches<G, O> {
    func: G,
    _row: PhantomData<fn() -> O>,
}

impl<G: Ship, O> Ship for MapBatches<G, O> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.func.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(MapBatches { func: G::rebuild(params)?, _row: PhantomData })
    }
}

impl<T: Row, G: BatchFunc, O: Row> Terminal<T> for MapBatches<G, O> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let schema = schema::<O>();
        batches_of(chain, task, &mut |batch| {
            let made = checked(self.func.call(batch)?, &schema);
            out.push(0, made.map_err(|e| e.at("line", self.func.site()))?)
        })
    }

    fn schema(&self) -> SchemaRef {
        schema::<O>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new("map_batches", self.func.site()));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        closures.push(self.func.describe("map_batches"));
    }
}

/// `batch` with the schema of `O`, after a check of its columns.
fn checked(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let (found, expected) = (batch.num_columns(), schema.fields().len());
    if found != expected {
        return Err(Error::bug(format!("map_batches returned {found} columns, expected {expected}")));
    }
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        let wrong =
            |text: String| Err(Error::bug(format!("map_batches returned {text}")).at("column", field.name()));
        if column.data_type() != field.data_type() {
            return wrong(format!("the type {}, expected {}", column.data_type(), field.data_type()));
        }
        if !field.is_nullable() && column.null_count() > 0 {
            return wrong(format!("{} nulls, expected none", column.null_count()));
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options)?)
}
