//! What all sources over files with columns share: a scan over the pieces of files.
//!
//! A source says how its format plans and opens files ([`Format`]); here is the loop over a task's pieces. How files are
//! found and decoded is the business of `source`; how batches become rows, that of `scan`.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use kiln_planner::Site;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::scan::{self, Scanned};
use super::skipped::Skipped;
use super::table_files::{self, Table, TableValues};
use crate::connect::{PlannedSplit, Scan, ScanBatches, ScanPlan, ScanTask};
use crate::context::Context;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::job::Input;
use crate::publish::delta::AsOf;
use crate::row::Row;
use crate::ship::shared::Param;
use crate::source::{
    Batches, InputFile, Lead, ListOptions, Listed, Piece, Places, Predicate, ReadAhead, Split, Wanted,
    estimated_bytes, list_with, read_ahead,
};

/// A format of files with columns.
pub trait Format: Param + Clone {
    /// How many bytes of rows a byte of a file is taken for.
    const EXPANSION: u64 = 1;
    /// Whether a folder may be a table of such files, whose log names those that are in it.
    const HAS_TABLES: bool = false;
    /// Whether files state their columns and the types of these.
    const STATES_COLUMNS: bool = false;

    /// Which part of a file is read first.
    const LEAD: Lead = Lead::Start;

    /// The columns that files state by themselves, by the first of them.
    fn columns(&self, _files: &[InputFile]) -> Result<SchemaRef> {
        let error = Error::config("files of this format do not state the types of their columns");
        Err(error.help("name the row type, as in `cx.read_csv::<Order>(..)`, or the columns by `types`"))
    }

    /// Cuts and packs files into splits.
    fn plan(&self, files: &[InputFile]) -> Result<Vec<Split>>;

    /// Opens a piece; its batches have exactly the wanted columns.
    fn open(&self, piece: &Piece, wanted: &Wanted) -> Result<Box<dyn Batches>>;
}

/// Which files are read, whatever their format.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choice {
    pub(super) list: ListOptions,
    /// Folders named `key=value` give columns.
    pub(super) hive: bool,
    /// Which version of a table; `None` where there may be no table.
    pub(super) table: Option<AsOf>,
}

/// The files at `address`, which the run has read from now on.
pub(super) fn list(
    cx: &Context,
    address: &str,
    choice: &Choice,
    skipped: &Skipped,
) -> Result<Vec<InputFile>> {
    let listed = list_with(address, &choice.list)?;
    skipped.add_listed(&listed);
    cx.job_run().read(input(address, &listed));
    Ok(listed.files)
}

/// The record of the run about what was read.
fn input(address: &str, listed: &Listed) -> Input {
    let (files, bytes) = (listed.files.len() as u64, listed.bytes());
    Input { uri: address.to_owned(), files, bytes, hash: listed.hash() }
}

/// A chain that starts with the rows of files.
pub type Files<T, F> = Scanned<T, FileScan<F>>;

/// Files of one format, as a source.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound(serialize = "F: Serialize", deserialize = "F: DeserializeOwned"))]
pub struct FileScan<F> {
    address: String,
    format: F,
    hive: bool,
    skipped: Skipped,
    /// What explain says: the method and what it reads.
    label: String,
    /// Whether there is no row type, so that no column of a file may be left out.
    is_untyped: bool,
    /// How files are found; only the driver asks.
    #[serde(skip)]
    choice: Choice,
    /// What is known without a row type; only the driver asks.
    #[serde(skip)]
    own: Own,
}

/// What the caller has given of files that are read without a row type.
#[derive(Clone, Default)]
pub(super) struct Own {
    /// Why the options do not fit.
    pub(super) error: Option<Error>,
    /// Columns and their types: all of those that files do not state, and of folders.
    pub(super) types: Vec<Field>,
    pub(super) filter: Option<Predicate>,
}

/// What a task reads.
#[derive(Clone, Serialize, Deserialize)]
pub struct FileSplit {
    split: Split,
    /// The partition values of its files, by the log of a table.
    table: Option<TableValues>,
}

/// The rows of the files at `address`, found now and read when an action asks.
pub(super) fn dataset<T: Row, F: Format>(
    cx: &Context,
    address: &str,
    choice: Choice,
    format: F,
    label: String,
    site: Site,
) -> Dataset<T, Files<T, F>> {
    scan::dataset(cx, FileScan::new(cx, address, choice, format, label), site)
}

/// The files at `address` with their own columns, found when they are planned.
pub(super) fn untyped<F: Format>(
    cx: &Context,
    address: &str,
    choice: Choice,
    format: F,
    label: String,
    own: Own,
) -> FileScan<F> {
    FileScan { own, is_untyped: true, ..FileScan::new(cx, address, choice, format, label) }
}

impl<F: Format> FileScan<F> {
    fn new(cx: &Context, address: &str, choice: Choice, format: F, label: String) -> FileScan<F> {
        let (address, skipped) = (address.to_owned(), Skipped::new(cx, &choice));
        let (hive, own) = (choice.hive, Own::default());
        FileScan { address, format, hive, skipped, label, is_untyped: false, choice, own }
    }

    /// The columns of files that are read without a row type: those of their table, or their own, and those of folders.
    fn columns(&self, files: &[InputFile], table: Option<&Table>) -> Result<SchemaRef> {
        let Own { error, types, filter } = &self.own;
        if let Some(error) = error {
            return Err(error.clone());
        }
        let stated = match table {
            Some(table) => Arc::clone(&table.schema),
            None if F::STATES_COLUMNS => self.format.columns(files)?,
            None if types.is_empty() => return self.format.columns(files),
            None => Arc::new(Schema::empty()),
        };
        let mut fields: Vec<Field> = stated.fields().iter().map(|field| field.as_ref().clone()).collect();
        for given in types {
            match fields.iter_mut().find(|field| field.name() == given.name()) {
                Some(field) => *field = given.clone(),
                None => fields.push(given.clone()),
            }
        }
        let schema = Arc::new(Schema::new(fields));
        filter.as_ref().map_or(Ok(()), |filter| filter.check(&schema))?;
        Ok(schema)
    }
}

impl<F: Format> Scan for FileScan<F> {
    type Split = FileSplit;

    fn address(&self) -> String {
        self.address.clone()
    }

    fn label(&self) -> String {
        self.label.clone()
    }

    fn plan(&self, wanted: Option<&SchemaRef>) -> Result<ScanPlan<FileSplit>> {
        let (listed, table) = table_files::find(&self.address, &self.choice, F::HAS_TABLES)?;
        self.skipped.add_listed(&listed);
        // Each file is fitted to the columns when it is opened, as files may differ.
        let schema = match wanted {
            Some(wanted) => Arc::clone(wanted),
            None => self.columns(&listed.files, table.as_ref())?,
        };
        let values = table.as_ref().map(|table| &table.values);
        let splits = self.format.plan(&listed.files)?.into_iter().map(|split| planned(split, values));
        let row_bytes = estimated_bytes(&listed.files).saturating_mul(F::EXPANSION);
        let input = Some(input(&self.address, &listed));
        Ok(ScanPlan { schema, splits: splits.collect(), row_bytes, input, hold: None })
    }

    fn open<'t>(&'t self, split: &'t FileSplit, task: &'t ScanTask<'t>) -> Result<Box<dyn ScanBatches + 't>> {
        let pieces = read_ahead(&split.split.pieces, F::LEAD);
        Ok(Box::new(FileBatches { scan: self, split, task, pieces, open: None, read: 0 }))
    }
}

fn planned(split: Split, table: Option<&TableValues>) -> PlannedSplit<FileSplit> {
    let bytes = split.pieces.iter().map(|piece| piece.end - piece.start).sum();
    let values = |table: &TableValues| -> TableValues {
        let of = |piece: &Piece| Some((piece.address.clone(), Arc::clone(table.get(&piece.address)?)));
        split.pieces.iter().filter_map(of).collect()
    };
    PlannedSplit { bytes, rows: None, split: FileSplit { table: table.map(values), split } }
}

/// The rows of the pieces of a split, one piece after the other.
struct FileBatches<'t, F> {
    scan: &'t FileScan<F>,
    split: &'t FileSplit,
    task: &'t ScanTask<'t>,
    pieces: ReadAhead<'t>,
    open: Option<Box<dyn Batches>>,
    /// Bytes of the pieces that were read to their end.
    read: u64,
}

impl<F: Format> FileBatches<'_, F> {
    /// Opens a piece; nothing when its file is gone and that does not matter.
    fn open(&self, piece: &Piece) -> Result<Option<Box<dyn Batches>>> {
        let (scan, task) = (self.scan, self.task.task());
        let table = self.split.table.as_ref().and_then(|table| table.get(&piece.address)).cloned();
        let (schema, limits) = (Arc::clone(self.task.schema()), self.task.limits());
        let (hive, skim) = (scan.hive, task.skims());
        // The columns of a table are those that its log states.
        let all = scan.is_untyped && F::STATES_COLUMNS && table.is_none();
        let wanted = Wanted { schema, hive, limits, skim, table, all }.with_limits(limits);
        let batches = match scan.format.open(piece, &wanted) {
            Err(_) if scan.skipped.is_gone(piece)? => return Ok(None),
            opened => opened?,
        };
        if let Some(skimmed) = batches.skimmed() {
            task.has_skimmed(skimmed);
        }
        let Places { unit, find } = batches.places();
        self.task.enter_finding("file", &piece.address, unit, find);
        Ok(Some(batches))
    }
}

impl<F: Format> ScanBatches for FileBatches<'_, F> {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batches) = &mut self.open {
                if let Some(batch) = batches.next_batch()? {
                    return Ok(Some(batch));
                }
                self.read += batches.bytes_read();
                self.open = None;
            }
            self.task.check()?;
            let Some(piece) = self.pieces.next() else { return Ok(None) };
            self.open = self.open(&piece)?;
        }
    }

    fn bytes_read(&self) -> u64 {
        self.read + self.open.as_ref().map_or(0, |batches| batches.bytes_read())
    }
}
