//! What all sources over files with columns share: a scan over the pieces of files.
//!
//! A source says how its format plans and opens files ([`Format`]); here is the loop over a task's pieces. How files are
//! found and decoded is the business of `source`; how batches become rows, that of `scan`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use kiln_planner::Site;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::scan::{self, Scanned};
use super::skipped::Skipped;
use super::table_files::{self, TableValues};
use crate::connect::{Hold, PlannedSplit, Resource, Scan, ScanBatches, ScanPlan, ScanTask};
use crate::context::Context;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::job::Input;
use crate::publish::delta::AsOf;
use crate::row::Row;
use crate::ship::shared::Param;
use crate::source::{
    Batches, InputFile, Lead, ListOptions, Listed, Piece, Places, ReadAhead, Split, Wanted, estimated_bytes,
    is_local, list_with, read_ahead,
};

/// A format of files with columns.
pub trait Format: Param + Clone {
    /// How many bytes of rows a byte of a file is taken for.
    const EXPANSION: u64 = 1;
    /// Whether a folder may be a table of such files, whose log names those that are in it.
    const HAS_TABLES: bool = false;

    /// Which part of a file is read first.
    const LEAD: Lead = Lead::Start;

    /// Cuts and packs files into splits.
    fn plan(&self, files: &[InputFile]) -> Result<Vec<Split>>;

    /// How many rows a file has, if its format tells without reading them, and all of them are read.
    fn count(&self, _: &InputFile) -> Result<Option<u64>> {
        Ok(None)
    }

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
    /// How files are found; only the driver asks.
    #[serde(skip)]
    choice: Choice,
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
    let (address, skipped) = (address.to_owned(), Skipped::new(cx, &choice));
    scan::dataset(cx, FileScan { address, format, hive: choice.hive, skipped, label, choice }, site)
}

impl<F: Format> Scan for FileScan<F> {
    type Split = FileSplit;

    fn address(&self) -> String {
        self.address.clone()
    }

    fn label(&self) -> String {
        self.label.clone()
    }

    fn resource(&self) -> Resource {
        if is_local(&self.address) { Resource::Disk } else { Resource::Source }
    }

    fn plan(&self, wanted: Option<&SchemaRef>) -> Result<ScanPlan<FileSplit>> {
        // Each file is fitted to the columns when it is opened, as files may differ.
        let schema = wanted.cloned().ok_or_else(|| {
            Error::config("files are read as typed rows")
                .help("name the row type, as in `cx.read_csv::<Order>(..)`")
        })?;
        let (listed, table) = table_files::find(&self.address, &self.choice, F::HAS_TABLES)?;
        self.skipped.add_listed(&listed);
        let splits = self.format.plan(&listed.files)?.into_iter().map(|split| planned(split, table.as_ref()));
        let row_bytes = estimated_bytes(&listed.files).saturating_mul(F::EXPANSION);
        let input = Some(input(&self.address, &listed));
        Ok(ScanPlan { schema, splits: splits.collect(), row_bytes, input, hold: None })
    }

    fn count_rows(&self, splits: &[FileSplit], _: &Hold) -> Result<Option<u64>> {
        let pieces = splits.iter().flat_map(|split| &split.split.pieces);
        let files: BTreeMap<&String, &Piece> = pieces.map(|piece| (&piece.address, piece)).collect();
        let mut rows = 0;
        for Piece { address, size, version, .. } in files.into_values() {
            let file = InputFile { address: address.clone(), size: *size, version: version.clone() };
            let Some(counted) = self.format.count(&file)? else { return Ok(None) };
            rows += counted;
        }
        Ok(Some(rows))
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
        let wanted =
            Wanted { schema, hive: scan.hive, limits, skim: task.skims(), table }.with_limits(limits);
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
