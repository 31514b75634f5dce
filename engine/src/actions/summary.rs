//! Ends a chain in a few numbers per partition, which reach the driver in the tasks' reports.
//!
//! A report comes with the end of its task and stays with the driver, so nothing has to be fetched and
//! nothing is lost with an executor. Larger results go the way of all rows. Which numbers they are is
//! for `sum`, `mean` and `stats` to say.

use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;
use serde::{Serialize, de::DeserializeOwned};

use crate::chain::{Chain, RowConsumer, Step};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::plan::Terminal;
use crate::row::{Row, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::{Output, Task};

/// A few numbers about rows; the default is that of no rows.
pub(super) trait Summary<T: Row>: Serialize + DeserializeOwned + Default + Send + 'static {
    /// The action, as users call it.
    const NAME: &'static str;

    /// Takes in a row.
    fn add(&mut self, row: T::View<'_>);

    /// Takes in the numbers about later rows.
    fn join(&mut self, later: Self);
}

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The numbers about all rows, joined in the order of the partitions.
    pub(super) fn summarise<S: Summary<T>>(&self, site: Site) -> Result<S> {
        self.origin.check()?;
        let end = Summarise { site, _row: PhantomData::<fn() -> (T, S)> };
        let mut all = S::default();
        for report in self.origin.cx.act_with(&self.end_in(end), true)?.reports {
            let part = postcard::from_bytes(&report.payload);
            all.join(part.map_err(|e| Error::bug("a task's numbers cannot be read").because(e))?);
        }
        Ok(all)
    }
}

/// Summarises the rows of a partition.
struct Summarise<T, S> {
    site: Site,
    _row: PhantomData<fn() -> (T, S)>,
}

impl<T, S> Ship for Summarise<T, S> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.site)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Summarise { site: params.take()?, _row: PhantomData })
    }
}

impl<T: Row, S: Summary<T>> Terminal<T> for Summarise<T, S> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sink = SummarySink(S::default(), PhantomData::<fn() -> T>);
        chain.drive(task, &mut sink)?;
        let note = postcard::to_stdvec(&sink.0);
        out.note(note.map_err(|e| Error::bug("a task's numbers cannot be sent").because(e))?);
        Ok(())
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(S::NAME, &self.site));
    }
}

struct SummarySink<T, S>(S, PhantomData<fn() -> T>);

impl<T: Row, S: Summary<T>> RowConsumer<T> for SummarySink<T, S> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        self.0.add(row);
    }
}
