//! After the exchange: the rows of all tasks for one partition in, one row per key out.
//!
//! Tasks' rows are added in the order of the tasks, so that sums of floats come out the same
//! however many slots and executors there were.

use std::any::Any;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::combine::Combined;
use super::kinds::Aggregate;
use super::table::Table;
use crate::chain::Step;
use crate::error::Result;
use crate::plan::Operator;
use crate::row::{Key, Row, RowReader, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::table::{self, Shipped};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

/// Merges the combined rows of one partition.
pub struct Merge<K, G> {
    aggregate: G,
    partitions: usize,
    _key: PhantomData<fn() -> K>,
}

impl<K: Key, G: Aggregate> Merge<K, G> {
    /// The operator behind an exchange into `partitions`, registered in the link-time table.
    pub fn operator(aggregate: G, partitions: usize) -> Arc<dyn Operator> {
        table::anchor::<Self>();
        Arc::new(Merge::<K, G> { aggregate, partitions, _key: PhantomData })
    }

    fn merge(&self, batches: Vec<RecordBatch>) -> Result<Table<K, G::Acc>> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        // Keys that came from every task count once; half is a fair first guess, and it may grow.
        let mut table = Table::new(rows / 2, self.partitions);
        for batch in batches {
            let rows = RowReader::<Combined<K, G::Acc>>::open(&batch)?;
            for (hash, key, acc) in rows.iter() {
                let aggregate = &self.aggregate;
                table.upsert(hash, key, || G::Acc::own(acc), |held| aggregate.merge(held, acc));
            }
        }
        Ok(table)
    }
}

impl<K: Key, G: Aggregate> Operator for Merge<K, G> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut batches = Vec::new();
        task.read_input(0, &mut |batch| {
            task.check()?;
            batches.push(batch);
            Ok(ControlFlow::Continue(()))
        })?;
        let table = self.merge(batches)?;
        let mut writer = PartitionedWriter::<(K, G::Acc)>::new(1, out);
        for (_, key, acc) in table.iter() {
            writer.push(0, (key, acc.view()));
            if writer.is_closed() {
                break;
            }
        }
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(K, G::Acc)>()
    }

    fn steps(&self) -> Vec<Step> {
        let (name, site) = self.aggregate.name();
        vec![Step::new(name, site)]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new() // the combine before the exchange has listed them
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.partitions)?;
        self.aggregate.ship(params)
    }

    fn entry(&self) -> Option<u32> {
        table::position::<Self>()
    }
}

impl<K: Key, G: Aggregate> Shipped for Merge<K, G> {
    fn rebuild(params: &[u8]) -> Box<dyn Any> {
        let mut params = ParamReader::new(params);
        let merge: Result<Arc<dyn Operator>> = (|| {
            let partitions = params.take()?;
            let aggregate = G::rebuild(&mut params)?;
            Ok(Arc::new(Merge::<K, G> { aggregate, partitions, _key: PhantomData }) as Arc<dyn Operator>)
        })();
        Box::new(merge)
    }
}
