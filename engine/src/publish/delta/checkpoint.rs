//! Checkpoints: all actions up to a version as the rows of a Parquet file.
//!
//! A row is the same action as a line of a commit, so both go through one parser: the rows of a checkpoint become lines
//! of JSON and then actions, and actions become rows by the columns that are declared here.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use bytes::Bytes;
use object_store::path::Path;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::actions::{self, Action, Add, Txn, unsupported};
use super::log::{Hint, Log, checkpoint_of};
use super::put::{self, Created};
use super::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::source::{Store, decoding};

/// Versions between two checkpoints, unless the table says otherwise.
const INTERVAL: u64 = 10;
/// How long removed files stay in checkpoints: as Delta's `deletedFileRetentionDuration`, a week unless set.
const TOMBSTONES_MILLIS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Runs of Kiln that a checkpoint remembers. A claim older than all of them may not publish.
pub const MAX_RUNS: usize = 1000;
/// What the names of Kiln's transactions begin with.
pub const APP: &str = "kiln/";
/// The columns that are read. Statistics as columns repeat `stats`, and may have any type.
const COLUMNS: [&str; 6] = ["protocol", "metaData", "txn", "add", "remove", "sidecar"];
const SKIPPED: [&str; 3] = ["add.stats_parsed", "add.partitionValues_parsed", "remove.tags"];
/// Rows that become JSON at once.
const BATCH_ROWS: usize = 8192;

/// Reads a part of a checkpoint; returns whether it is there.
///
/// # Errors
/// Data for a damaged file, config for a checkpoint in other files (V2).
pub fn read(store: &Store, key: &Path, take: &mut impl FnMut(Action)) -> Result<bool> {
    let Some(read) = put::read(store, key)? else { return Ok(false) };
    let address = store.address(key);
    let mut take_lines = |lines: &[u8]| {
        for action in actions::parse(lines)? {
            if action.sidecar.is_some() {
                return Err(unsupported("the Delta table has checkpoints of version 2"));
            }
            take(action);
        }
        Ok(())
    };
    decoding("checkpoint", &address, || read_rows(read.bytes, &mut take_lines))?;
    Ok(true)
}

/// Gives the rows as lines of JSON, a batch at a time.
fn read_rows(bytes: Bytes, take: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<(), ParquetError> {
    let footer = ArrowReaderMetadata::load(&bytes, Default::default())?;
    let columns = footer.parquet_schema().columns().iter().enumerate();
    let is_read = |path: &str| {
        COLUMNS.contains(&path.split('.').next().unwrap_or_default())
            && !SKIPPED.iter().any(|skipped| path.starts_with(skipped))
    };
    let leaves = columns.filter(|(_, column)| is_read(&column.path().string())).map(|(at, _)| at);
    let mask = ProjectionMask::leaves(footer.parquet_schema(), leaves);
    let rows = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, footer)
        .with_batch_size(BATCH_ROWS)
        .with_projection(mask)
        .build()?;
    for batch in rows {
        let mut writer = LineDelimitedWriter::new(Vec::new());
        writer.write(&batch?)?;
        writer.finish()?;
        take(&writer.into_inner()).map_err(|e| ParquetError::External(Box::new(e)))?;
    }
    Ok(())
}

/// Writes the checkpoint of a version that is due for one. The table is whole without it.
pub fn write_if_due(log: &Log, snapshot: &Snapshot) {
    let set = snapshot.metadata.property("delta.checkpointInterval").and_then(|text| text.parse().ok());
    let interval = set.filter(|interval| *interval > 0).unwrap_or(INTERVAL);
    if snapshot.version == 0 || !snapshot.version.is_multiple_of(interval) {
        return;
    }
    if let Err(error) = write(log, snapshot) {
        log::warn!("no checkpoint of the Delta table was written: {error}");
    }
}

/// Writes the checkpoint of a version.
pub fn write(log: &Log, snapshot: &Snapshot) -> Result<()> {
    let actions = actions_of(snapshot);
    let bytes = to_parquet(&actions)?;
    match put::create(&log.store, &log.key(&checkpoint_of(snapshot.version))?, bytes.into()) {
        Created::Yes => {}
        Created::Refused(error) => return Err(error),
        // Another writer has made it, or it may come later: the hint is the next checkpoint's.
        Created::Unclear(error) => {
            log::debug!("the checkpoint may be there already: {error}");
            return Ok(());
        }
    }
    log.hint(&Hint { version: snapshot.version, size: actions.len() as i64 })
}

fn actions_of(snapshot: &Snapshot) -> Vec<Action> {
    let Snapshot { protocol, metadata, files, removes, txns, .. } = snapshot;
    let mut actions = vec![
        Action { protocol: Some(protocol.clone()), ..Action::default() },
        Action { meta_data: Some(metadata.clone()), ..Action::default() },
    ];
    let forgotten = forgotten_below(txns.values());
    let kept = txns.values().filter(|txn| !txn.app_id.starts_with(APP) || txn.version >= forgotten);
    actions.extend(kept.map(|txn| Action { txn: Some(txn.clone()), ..Action::default() }));
    let newest = removes.values().filter_map(|remove| remove.deletion_timestamp).max().unwrap_or(0);
    let is_kept = |time: i64| time >= newest - TOMBSTONES_MILLIS;
    let kept = removes.values().filter(|remove| remove.deletion_timestamp.is_some_and(is_kept));
    actions.extend(kept.map(|remove| Action {
        remove: Some(super::actions::Remove { data_change: false, ..remove.clone() }),
        ..Action::default()
    }));
    actions.extend(
        files
            .values()
            .map(|add| Action { add: Some(Add { data_change: false, ..add.clone() }), ..Action::default() }),
    );
    actions
}

/// The epoch of the oldest run that a checkpoint remembers.
fn forgotten_below<'t>(txns: impl Iterator<Item = &'t Txn>) -> i64 {
    let epochs: BTreeSet<i64> =
        txns.filter(|txn| txn.app_id.starts_with(APP)).map(|txn| txn.version).collect();
    epochs.iter().rev().nth(MAX_RUNS - 1).copied().unwrap_or(i64::MIN)
}

fn to_parquet(actions: &[Action]) -> Result<Vec<u8>> {
    let schema = Arc::new(columns());
    let mut decoder = ReaderBuilder::new(Arc::clone(&schema)).build_decoder()?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let failed = |e: ParquetError| Error::bug("a checkpoint cannot be written").because(e);
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(failed)?;
    for some in actions.chunks(BATCH_ROWS) {
        decoder.serialize(some)?;
        while let Some(batch) = decoder.flush()? {
            writer.write(&batch).map_err(failed)?;
        }
    }
    writer.into_inner().map_err(failed)
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn flag(name: &str) -> Field {
    Field::new(name, DataType::Boolean, true)
}

fn texts(name: &str) -> Field {
    Field::new(name, DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))), true)
}

fn map(name: &str) -> Field {
    let entry = Fields::from(vec![Field::new("key", DataType::Utf8, false), text("value")]);
    let entries = Field::new("key_value", DataType::Struct(entry), false);
    Field::new(name, DataType::Map(Arc::new(entries), false), true)
}

fn group(name: &str, fields: Vec<Field>) -> Field {
    Field::new(name, DataType::Struct(fields.into()), true)
}

/// The columns of a checkpoint ("Checkpoint Schema"), as far as reader 1 and writer 2 have them.
fn columns() -> Schema {
    let version = |name: &str| Field::new(name, DataType::Int32, true);
    let format = group("format", vec![text("provider"), map("options")]);
    Schema::new(vec![
        group("txn", vec![text("appId"), number("version"), number("lastUpdated")]),
        group(
            "add",
            vec![
                text("path"),
                map("partitionValues"),
                number("size"),
                number("modificationTime"),
                flag("dataChange"),
                map("tags"),
                text("stats"),
            ],
        ),
        group(
            "remove",
            vec![
                text("path"),
                number("deletionTimestamp"),
                flag("dataChange"),
                flag("extendedFileMetadata"),
                map("partitionValues"),
                number("size"),
            ],
        ),
        group(
            "metaData",
            vec![
                text("id"),
                text("name"),
                text("description"),
                format,
                text("schemaString"),
                texts("partitionColumns"),
                number("createdTime"),
                map("configuration"),
            ],
        ),
        group("protocol", vec![version("minReaderVersion"), version("minWriterVersion")]),
    ])
}
