//! The files of one task: begun when their first rows come, ended when they are large enough.
//!
//! Batches enter, a list of [`OutputFile`]s leaves. With `partition_by` each row goes to the file of its
//! folder. The number of open files is bounded, and so is what they hold: the task's share of the
//! memory is asked for it, and when it refuses, the file that holds most gives way. Which file gives
//! way to a new one follows from the rows alone, so that the same rows make the same files however
//! many slots there are, as long as the row groups of the open files fit the share of a task.

use std::collections::{BTreeMap, HashMap};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion_execution::memory_pool::MemoryReservation;

use super::layout::{Format, Layout};
use super::part_file::{OutputFile, PartFile};
use super::place::Place;
use super::{delta, dictionaries, hive};
use crate::error::{Error, Result};

/// Files that one task has open at most.
const MAX_OPEN_FILES: usize = 64;
/// Rows after which sizes and memory are looked at.
const SLICE_ROWS: usize = 8192;

/// Which task writes: its partition, and which attempt at it.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    pub partition: usize,
    pub attempt: u32,
}

/// The files that a task writes.
pub struct PartFiles<'a> {
    place: &'a Place,
    layout: &'a Layout,
    writer: Writer,
    /// The columns of the rows, those that become folders included.
    table: SchemaRef,
    /// The columns of a file.
    schema: SchemaRef,
    file_columns: Vec<usize>,
    folder_columns: Vec<usize>,
    /// The columns of a Parquet file that go without a dictionary, once there were rows.
    plain: Option<Vec<String>>,
    folders: Folders,
    /// By the number of their folder.
    open: BTreeMap<usize, PartFile>,
    memory: MemoryReservation,
    done: Vec<OutputFile>,
}

/// The folders seen so far, in the order of their first rows.
#[derive(Default)]
struct Folders {
    numbers: HashMap<String, usize>,
    names: Vec<String>,
    /// How many files each has.
    files: Vec<u32>,
}

impl<'a> PartFiles<'a> {
    /// Files as `layout` says for rows of the columns `table`.
    pub fn new(
        place: &'a Place,
        layout: &'a Layout,
        writer: Writer,
        table: SchemaRef,
        memory: MemoryReservation,
    ) -> Result<PartFiles<'a>> {
        let file_columns = layout.file_columns(&table);
        let folder_columns = layout.partition_by.iter().map(|name| table.index_of(name));
        let folder_columns = folder_columns.collect::<Result<Vec<usize>, _>>()?;
        let columns = table.project(&file_columns)?;
        let schema = if layout.is_table { delta::file_schema(&columns)? } else { columns.into() };
        let (folders, open, done) = (Folders::default(), BTreeMap::new(), Vec::new());
        Ok(PartFiles {
            place,
            layout,
            writer,
            table,
            schema,
            file_columns,
            folder_columns,
            plain: None,
            folders,
            open,
            memory,
            done,
        })
    }

    /// Adds rows, whose columns may have other names.
    ///
    /// # Errors
    /// Data when the rows are not sorted as they should be or a value cannot name a folder; else by
    /// the failing operation.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = RecordBatch::try_new(self.table.clone(), batch.columns().to_vec())?;
        (0..batch.num_rows())
            .step_by(SLICE_ROWS)
            .try_for_each(|from| self.push_slice(&batch.slice(from, SLICE_ROWS.min(batch.num_rows() - from))))
    }

    fn push_slice(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = batch.project(&self.file_columns)?;
        let rows = if self.layout.is_table { delta::to_file(&rows, &self.schema)? } else { rows };
        if self.plain.is_none() && self.layout.format == Format::Parquet {
            self.plain = Some(dictionaries::useless(&rows)?);
        }
        if self.folder_columns.is_empty() {
            let folder = self.folders.number(String::new());
            self.opened(folder)?.write(&rows)?;
        } else {
            self.split(batch, &rows)?;
        }
        self.end_large_files()?;
        self.fit_memory()
    }

    /// Ends all files. `needs_one` asks for a file even when there was no row.
    pub fn finish(mut self, needs_one: bool) -> Result<Vec<OutputFile>> {
        if needs_one && self.folder_columns.is_empty() && self.folders.names.is_empty() {
            let folder = self.folders.number(String::new());
            self.opened(folder)?;
        }
        while let Some((_, open)) = self.open.pop_first() {
            self.done.push(open.finish()?);
        }
        self.done.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(self.done)
    }

    /// Sends each row to the file of its folder, one row after the other: which file gives way must
    /// not depend on where a batch ends.
    fn split(&mut self, batch: &RecordBatch, rows: &RecordBatch) -> Result<()> {
        let mut last: Option<(String, usize)> = None;
        for at in 0..batch.num_rows() {
            let name = hive::folder(batch, &self.folder_columns, at)?;
            let folder = match &last {
                Some((known, folder)) if *known == name => *folder,
                _ => self.folders.number(name.clone()),
            };
            last = Some((name, folder));
            if !self.open.contains_key(&folder) && self.open.len() == MAX_OPEN_FILES {
                self.end_longest(rows)?;
            }
            let open = self.opened(folder)?;
            open.add(at);
        }
        self.open.values_mut().try_for_each(|open| open.write_pending(rows))
    }

    /// Ends the file with the most rows, those of the batch at hand included.
    fn end_longest(&mut self, rows: &RecordBatch) -> Result<()> {
        let longest = self.open.iter().rev().max_by_key(|(_, open)| open.rows());
        let Some(mut open) = longest.map(|(folder, _)| *folder).and_then(|folder| self.open.remove(&folder))
        else {
            return Ok(());
        };
        open.write_pending(rows)?;
        self.done.push(open.finish()?);
        Ok(())
    }

    fn end_large_files(&mut self) -> Result<()> {
        let is_large = |open: &PartFile| open.written() >= self.layout.file_bytes;
        let large: Vec<usize> = self.open.iter().filter(|(_, o)| is_large(o)).map(|(f, _)| *f).collect();
        large.into_iter().try_for_each(|folder| self.end(folder))
    }

    /// Lets go of what the task's share of the memory has no room for.
    fn fit_memory(&mut self) -> Result<()> {
        loop {
            let count = self.open.len();
            if self.memory.try_resize(self.open.values().map(PartFile::held).sum()).is_ok() {
                return Ok(());
            }
            let Some((folder, open)) = self.open.iter_mut().max_by_key(|(_, open)| open.held()) else {
                return Ok(());
            };
            let folder = *folder;
            // A file that cannot let go of a row group, and is the only one, needs what it holds in any case.
            match open.end_group()? {
                true => {}
                false if count == 1 => return Ok(()),
                false => self.end(folder)?,
            }
        }
    }

    fn end(&mut self, folder: usize) -> Result<()> {
        if let Some(open) = self.open.remove(&folder) {
            self.done.push(open.finish()?);
        }
        Ok(())
    }

    /// The open file of a folder, begun if there is none.
    fn opened(&mut self, folder: usize) -> Result<&mut PartFile> {
        if !self.open.contains_key(&folder) {
            let open = self.begin(folder)?;
            self.open.insert(folder, open);
        }
        self.open.get_mut(&folder).ok_or_else(|| Error::bug("a file is not open"))
    }

    fn begin(&mut self, folder: usize) -> Result<PartFile> {
        let partition = self.writer.partition;
        let (count, extension) = (self.folders.files[folder], self.layout.extension());
        self.folders.files[folder] += 1;
        let number = if count == 0 { String::new() } else { format!("-{count}") };
        let slash = if self.folders.names[folder].is_empty() { "" } else { "/" };
        let name = format!("{}{slash}part-{partition:05}{number}{extension}", self.folders.names[folder]);
        let begun: u32 = self.folders.files.iter().sum();
        let (staged, name) = self.place.names(self.writer, begun, name);
        let plain = self.plain.as_deref().unwrap_or_default();
        PartFile::begin(self.place, self.layout, (&self.schema, plain), staged, name)
    }
}

impl Folders {
    fn number(&mut self, name: String) -> usize {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        self.names.push(name.clone());
        self.files.push(0);
        self.numbers.insert(name, self.names.len() - 1);
        self.names.len() - 1
    }
}
