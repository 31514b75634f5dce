//! `write_parquet`: the rows as Parquet files, published in one commit.

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use kiln_planner::Site;

use crate::chain::{Chain, Step};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::operators::Columns;
use crate::plan::Terminal;
use crate::publish::{ParquetPart, Part, Publication};
use crate::row::{Row, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::{BatchLimits, Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Writes the rows as Parquet files below `uri`, one per partition that has rows, and publishes
    /// them in one step: a reader sees all of them or nothing, whatever is killed or run twice.
    ///
    /// A struct's fields and a tuple's parts become columns. The same rows give the same files,
    /// however many slots and executors there are.
    ///
    /// # Errors
    /// Config when the output exists; else whatever stops the job, and then nothing is published.
    #[track_caller]
    pub fn write_parquet(&self, uri: &str) -> Result<()> {
        let names = T::columns().iter().map(|column| column.name().clone()).collect();
        self.publish_parquet(uri, names, Site::caller())
    }

    /// [`write_parquet`](Dataset::write_parquet) with other column names, for rows whose type does
    /// not name them: `counts.write_parquet_as(uri, ["word", "count"])`.
    ///
    /// # Errors
    /// Config when the number of names is not that of the columns; else as `write_parquet`.
    #[track_caller]
    pub fn write_parquet_as<'n>(&self, uri: &str, names: impl IntoIterator<Item = &'n str>) -> Result<()> {
        let (names, columns): (Vec<String>, _) =
            (names.into_iter().map(String::from).collect(), T::columns());
        if names.len() != columns.len() {
            let text = format!("{} names for {} columns", names.len(), columns.len());
            return Err(Error::config(text).at("line", Site::caller()));
        }
        self.publish_parquet(uri, names, Site::caller())
    }

    fn publish_parquet(&self, uri: &str, names: Vec<String>, site: Site) -> Result<()> {
        self.origin.check()?;
        let run = Arc::clone(self.origin.cx.job_run());
        let publication = Publication::begin(uri, &run)?;
        let end = WriteParquet::<T> { folder: publication.parts(), names, site, _row: PhantomData };
        let outcome = self.origin.cx.act_with(&self.end_in(end), true)?;
        if run.cancel.is_requested() {
            return Err(Error::job_stopped());
        }
        let parts = outcome.reports.iter().map(|report| note_to_part(&report.payload));
        let parts: Vec<Part> = parts.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        run.published(publication.commit(outcome.reports.len() as u64, &parts)?);
        Ok(())
    }
}

fn note_to_part(note: &[u8]) -> Result<Option<Part>> {
    postcard::from_bytes(note).map_err(|e| Error::bug("a task's list of files cannot be read").because(e))
}

/// Writes the rows of a partition to a file of this attempt's.
struct WriteParquet<T> {
    folder: PathBuf,
    names: Vec<String>,
    site: Site,
    _row: PhantomData<fn() -> T>,
}

impl<T> Ship for WriteParquet<T> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(&self.folder, &self.names, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (folder, names, site) = params.take()?;
        Ok(WriteParquet { folder, names, site, _row: PhantomData })
    }
}

impl<T: Row> WriteParquet<T> {
    fn file_schema(&self) -> SchemaRef {
        let named = T::columns().into_iter().zip(&self.names).map(|(column, name)| column.with_name(name));
        Arc::new(Schema::new(named.collect::<Vec<Field>>()))
    }

    fn create(&self, task: &Task<'_>) -> Result<ParquetPart> {
        let (name, staged) = task.part_names("parquet");
        ParquetPart::create(&self.folder, staged, name, self.file_schema())
    }
}

impl<T: Row> Terminal<T> for WriteParquet<T> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        // The first partition makes a file even without rows, so that an output has its schema.
        let first = if task.partition == 0 { Some(self.create(task)?) } else { None };
        let (make, limits) = (|| self.create(task), out.limits());
        let mut file = PartFile { make, limits, schema: self.file_schema(), part: first };
        Columns::<T>::new().run(chain, task, &mut file)?;
        let part = file.part.map(ParquetPart::finish).transpose()?;
        let note = postcard::to_stdvec(&part)
            .map_err(|e| Error::bug("a list of files cannot be sent").because(e))?;
        out.note(note);
        Ok(())
    }

    fn schema(&self) -> SchemaRef {
        schema::<T>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new("write_parquet", &self.site));
    }
}

/// The file of a partition, made when its first rows come.
struct PartFile<F> {
    make: F,
    limits: BatchLimits,
    schema: SchemaRef,
    part: Option<ParquetPart>,
}

impl<F: Fn() -> Result<ParquetPart>> Output for PartFile<F> {
    fn limits(&self) -> BatchLimits {
        self.limits
    }

    fn push(&mut self, _: usize, batch: RecordBatch) -> Result<ControlFlow<()>> {
        let part = match &mut self.part {
            Some(part) => part,
            none => none.insert((self.make)()?),
        };
        part.write(&RecordBatch::try_new(Arc::clone(&self.schema), batch.columns().to_vec())?)?;
        Ok(ControlFlow::Continue(()))
    }

    fn note(&mut self, _: Vec<u8>) {}
}
