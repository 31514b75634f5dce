//! What all sources over files with columns share: a chain that starts with their typed rows.
//!
//! A source says how its format plans and opens files ([`Format`]); here are the splits, the loop over
//! a task's pieces, and the step from batches to rows. How files are found and decoded is the business
//! of `source`.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use kiln_planner::Site;

use super::skipped::Skipped;
use super::table_files::{self, TableValues};
use crate::chain::{Chain, Sink, Step};
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::error::{Error, Result};
use crate::job::Input;
use crate::publish::delta::AsOf;
use crate::row::{BATCH_BYTES, BatchLimits, Row, RowReader};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::Param;
use crate::source::{
    Batches, InputFile, Lead, ListOptions, Listed, Piece, Places, Split, Wanted, estimated_bytes, list_with,
    read_ahead,
};
use crate::task::Task;

/// What is decoded at a time: columns stay in the cache until the chain has seen them.
const LIMITS: BatchLimits = BatchLimits { rows: 8192, bytes: BATCH_BYTES };

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
    record(cx, address, skipped, &listed);
    Ok(listed.files)
}

/// Notes what the run reads.
fn record(cx: &Context, address: &str, skipped: &Skipped, listed: &Listed) {
    skipped.add_listed(listed);
    let (files, bytes) = (listed.files.len() as u64, listed.bytes());
    cx.job_run().read(Input { uri: address.to_owned(), files, bytes, hash: listed.hash() });
}

/// A chain that starts with the rows of files.
pub struct Files<T, F> {
    splits: Arc<[Split]>,
    format: F,
    hive: bool,
    /// The partition values of each file, by the log of a table.
    table: Option<Arc<TableValues>>,
    skipped: Skipped,
    /// What explain says: the method and what it reads.
    label: Arc<str>,
    site: Site,
    _row: PhantomData<fn() -> T>,
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
    let skipped = Skipped::new(cx, &choice);
    let found = table_files::find(address, &choice, F::HAS_TABLES).and_then(|(listed, table)| {
        record(cx, address, &skipped, &listed);
        let bytes = estimated_bytes(&listed.files).saturating_mul(F::EXPANSION);
        Ok((format.plan(&listed.files)?, table, bytes))
    });
    let (splits, table, origin) = match found {
        Ok((splits, table, bytes)) => {
            let origin = Origin::source(cx, splits.len().max(1), bytes);
            (splits.into(), table.map(Arc::new), origin)
        }
        Err(error) => (Arc::default(), None, Origin::broken(cx, error)),
    };
    let (hive, label) = (choice.hive, label.into());
    Dataset::over(Files { splits, format, hive, table, skipped, label, site, _row: PhantomData }, origin)
}

impl<T: Row, F: Format> Files<T, F> {
    /// Opens a piece; nothing when its file is gone and that does not matter.
    fn open(&self, piece: &Piece, wanted: &Wanted) -> Result<Option<Box<dyn Batches>>> {
        match self.format.open(piece, wanted) {
            Err(_) if self.skipped.is_gone(piece)? => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Reads one piece; whether the sink wants more.
    fn drive_piece<S: Sink<T>>(&self, piece: &Piece, task: &Task<'_>, sink: &mut S) -> Result<bool> {
        let limits = LIMITS.min(task.env.limits());
        let wanted = Wanted::of::<T>(self.hive, limits.rows).with_limits(limits);
        let table = self.table.as_ref().and_then(|table| table.get(&piece.address));
        let wanted = Wanted { skim: task.skims(), table: table.cloned(), ..wanted };
        let Some(mut batches) = self.open(piece, &wanted)? else { return Ok(true) };
        if let Some(skimmed) = batches.skimmed() {
            task.has_skimmed(skimmed);
        }
        let Places { unit, find } = batches.places();
        task.place.enter_finding(&piece.address, unit, find);
        let (mut counted, mut first) = (0, 0);
        loop {
            task.check()?;
            let batch = batches.next_batch();
            let read = batches.bytes_read();
            task.count_bytes(read - counted);
            counted = read;
            let Some(batch) = batch? else { return Ok(true) };
            let rows = RowReader::<T>::open(&batch).map_err(|e| {
                unreadable::<T>(e, &batch, batches.places(), first).at("file", &piece.address)
            })?;
            for i in 0..rows.len() {
                task.place.at(first + i as u64);
                sink.push(rows.get(i));
            }
            first += rows.len() as u64;
            if sink.is_full() {
                return Ok(false);
            }
        }
    }
}

/// The error about a batch, with the place of the row that it is about; `first` rows of the file are before it.
///
/// A reader opens a batch as a whole, so each row is looked at alone.
fn unreadable<T: Row>(error: Error, batch: &RecordBatch, places: Places, first: u64) -> Error {
    let alone = |row| {
        let alone = take_record_batch(batch, &UInt64Array::from(vec![row])).ok()?;
        RowReader::<T>::open(&alone).err().map(|error| (row, error))
    };
    let Some((row, error)) = (0..batch.num_rows() as u64).find_map(alone) else { return error };
    let Places { unit, mut find } = places;
    match find(first + row) {
        Some(place) => error.at(unit, place),
        None => error,
    }
}

impl<T: Row, F: Format> Chain for Files<T, F> {
    type Out = T;

    fn drive<S: Sink<T>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let pieces = self.splits.get(task.partition).map_or(&[][..], |split| &split.pieces);
        for piece in read_ahead(pieces, F::LEAD) {
            if !self.drive_piece(&piece, task, sink)? {
                break;
            }
        }
        Ok(())
    }

    fn source_bytes(&self) -> u64 {
        self.splits.iter().flat_map(|split| &split.pieces).map(|piece| piece.end - piece.start).sum()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(&*self.label, &self.site));
    }

    fn closures(&self, _: &mut Vec<Closure>) {}
}

impl<T, F: Clone> Clone for Files<T, F> {
    fn clone(&self) -> Self {
        Files {
            splits: Arc::clone(&self.splits),
            format: self.format.clone(),
            hive: self.hive,
            table: self.table.clone(),
            skipped: self.skipped.clone(),
            label: Arc::clone(&self.label),
            site: self.site.clone(),
            _row: PhantomData,
        }
    }
}

impl<T: Row, F: Format> Ship for Files<T, F> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.format)?;
        params.put(&(
            &*self.splits,
            self.hive,
            self.table.as_deref(),
            &self.skipped,
            &*self.label,
            &self.site,
        ))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let format = params.take()?;
        let (splits, hive, table, skipped, label, site): (Vec<Split>, _, Option<TableValues>, _, String, _) =
            params.take()?;
        let (splits, table, label) = (splits.into(), table.map(Arc::new), label.into());
        Ok(Files { splits, format, hive, table, skipped, label, site, _row: PhantomData })
    }
}
