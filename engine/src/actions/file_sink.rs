//! Files as a sink: each task writes files of its attempt's, the commit publishes those that the driver counts.
//!
//! How files are laid out and published belongs to `publish`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::connect::{Begin, PartWriter, Sink, SinkRun, SinkTask};
use crate::error::{Error, Result};
use crate::publish::{self, Layout, OutputFile, PartFiles, Place, Publication, Request, Writer};

/// A folder or prefix of files, or a Delta table.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct FileSink {
    uri: String,
    layout: Layout,
    /// What is asked of the publish; only the driver asks.
    #[serde(skip)]
    request: Option<Request>,
}

/// What tasks must know of a publish: where their files go and, once it is known whether a table is made, how they look.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct FileStage {
    place: Place,
    layout: Layout,
}

impl FileSink {
    /// Files in `layout` below `uri`.
    pub(super) fn new(uri: &str, layout: Layout, request: Request) -> FileSink {
        FileSink { uri: uri.to_owned(), layout, request: Some(request) }
    }
}

impl Sink for FileSink {
    type Stage = FileStage;
    type Held = Publication;
    type Part = Vec<OutputFile>;

    fn address(&self) -> String {
        self.uri.clone()
    }

    fn label(&self) -> String {
        format!("write_{}", self.layout.format.name())
    }

    fn already_published(&self, run: &SinkRun) -> Result<bool> {
        if !publish::has_published(&self.uri, run.run())? {
            return Ok(false);
        }
        match self.begin(&Arc::new(Schema::empty()), run)? {
            Begin::Done => Ok(true),
            // Somebody has removed it since.
            Begin::Begun { .. } => {
                Err(Error::transient("the output was removed meanwhile").at("output", &self.uri))
            }
        }
    }

    fn begin(&self, _: &SchemaRef, run: &SinkRun) -> Result<Begin<Publication, FileStage>> {
        let request = self.request.clone().ok_or_else(|| Error::bug("a task cannot begin a publish"))?;
        match Publication::begin(&self.uri, request, run.run())? {
            publish::Begin::Begun(held) => {
                let layout = Layout { is_table: held.is_table(), ..self.layout.clone() };
                Ok(Begin::Begun { stage: FileStage { place: held.place(), layout }, held })
            }
            publish::Begin::Skipped(why) => {
                run.skip(&format!("{why}: {}", self.uri));
                Ok(Begin::Done)
            }
            publish::Begin::Published(done) => {
                log::info!("already published by this run: {}", self.uri);
                run.run().restore_counts(&done.counters);
                run.published(done.output.clone());
                run.run().published_version(done.version);
                Ok(Begin::Done)
            }
        }
    }

    fn open<'t>(
        &'t self,
        stage: &'t FileStage,
        task: &'t SinkTask<'t>,
    ) -> Result<Box<dyn PartWriter<Part = Vec<OutputFile>> + 't>> {
        let writer = Writer { partition: task.partition(), attempt: task.attempt() };
        let memory = task.task().reserve("write");
        let files = PartFiles::new(&stage.place, &stage.layout, writer, task.schema().clone(), memory)?;
        // The first partition makes a file even without rows, so that an output has its columns; a table's log has them.
        Ok(Box::new(Files { files, needs_one: task.partition() == 0 && !stage.layout.is_table }))
    }

    fn commit(&self, held: Publication, parts: Vec<Vec<OutputFile>>, run: &SinkRun) -> Result<()> {
        held.commit(run.run(), parts.len() as u64, parts.concat())
    }
}

struct Files<'t> {
    files: PartFiles<'t>,
    needs_one: bool,
}

impl PartWriter for Files<'_> {
    type Part = Vec<OutputFile>;

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.files.push(batch)
    }

    fn finish(self: Box<Self>) -> Result<Vec<OutputFile>> {
        self.files.finish(self.needs_one)
    }
}
