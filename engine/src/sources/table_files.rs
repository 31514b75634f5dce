//! Which files a source reads: those of a listing, or those of a version of a table.
//!
//! A folder with a Delta log is a table, and the log alone names its files: others in the folder have left the table, or
//! were never part of it. Where they are and which partition values they have, the log states, too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};

use super::files::Choice;
use crate::error::{Error, Result};
use crate::publish::delta::{AsOf, Log, PartitionValues, Snapshot, decoded};
use crate::source::{InputFile, Listed, Location, Version, list_with, may_be_tagged, outputs_of};

/// The partition values of each file, by its address.
pub type TableValues = BTreeMap<String, Arc<PartitionValues>>;

/// A table whose files are read.
pub struct Table {
    /// Its columns, those of partitions included.
    pub schema: SchemaRef,
    /// The partition values of its files.
    pub values: TableValues,
}

/// The files at `address`, with their partition values if it is a table.
///
/// # Errors
/// Those of a listing, and of the log of a table.
pub(super) fn find(address: &str, choice: &Choice, has_tables: bool) -> Result<(Listed, Option<Table>)> {
    if let Some(as_of) = choice.table {
        return wanted_table(address, choice, as_of);
    }
    let listed = list_with(address, &choice.list);
    if has_tables && may_be_table(address, &listed) {
        let log = Log::at(&Location::parse(address)?);
        if log.exists()?
            && let Some(snapshot) = log.load(AsOf::Latest)?
        {
            return files(&log, &snapshot, choice).map(|(listed, table)| (listed, Some(table)));
        }
    }
    let listed = listed?;
    let is_one_file =
        matches!(&listed.files[..], [file] if Location::parse(address)?.address() == file.address);
    if has_tables && !is_one_file { keep_live(address, choice, listed) } else { Ok((listed, None)) }
}

/// Leaves out the files in a partition's folder, or matched by a pattern, that have left the table around them or never were
/// part of it. The others are read as files of their table.
fn keep_live(address: &str, choice: &Choice, listed: Listed) -> Result<(Listed, Option<Table>)> {
    let tables = tables_around(&listed)?;
    let Some(schema) = tables.values().next().map(|table| Arc::clone(&table.schema)) else {
        return Ok((listed, None));
    };
    // A version's files are there before it, so a listing after it has all of them.
    let mut listed = list_with(address, &choice.list)?;
    let (mut kept, mut values) = (Vec::new(), TableValues::new());
    for file in listed.files {
        let path = Location::exact(&file.address)?.path;
        let table = outputs_of(&path).into_iter().find_map(|root| tables.get(root.as_ref()));
        match table.map(|table| table.values.get(&file.address)) {
            Some(None) => continue,
            Some(Some(of_file)) => drop(values.insert(file.address.clone(), Arc::clone(of_file))),
            None => {}
        }
        kept.push(file);
    }
    listed.files = kept;
    Ok((listed, Some(Table { schema, values })))
}

/// The tables in whose folders listed files are, by their folders, with the partition values of their live files. Only files
/// with names as Kiln gives them are looked at, so that reading those of others costs no requests.
fn tables_around(listed: &Listed) -> Result<BTreeMap<String, Table>> {
    let (mut seen, mut tables) = (BTreeSet::new(), BTreeMap::new());
    for file in &listed.files {
        let Location { store, path, .. } = Location::exact(&file.address)?;
        let roots = if may_be_tagged(&path) { outputs_of(&path) } else { Vec::new() };
        for root in roots {
            if !seen.insert(root.clone()) {
                continue;
            }
            let log = Log { store: store.clone(), root: root.clone() };
            if log.exists()?
                && let Some(snapshot) = log.load(AsOf::Latest)?
            {
                let schema = snapshot.schema()?;
                let live = snapshot.files.values();
                let live = live.map(|add| {
                    Ok((address_of(&log, &add.path)?, Arc::new(snapshot.read_values(add, &schema))))
                });
                let values = live.collect::<Result<_>>()?;
                tables.insert(root.to_string(), Table { schema, values });
            }
        }
    }
    Ok(tables)
}

/// Whether the address is that of a folder; a folder of partitions alone is an error of a listing.
fn may_be_table(address: &str, listed: &Result<Listed>) -> bool {
    let Ok(location) = Location::parse(address) else { return false };
    let is_file = |listed: &Listed| matches!(&listed.files[..], [file] if file.address == location.address());
    location.pattern.is_none() && !listed.as_ref().is_ok_and(is_file)
}

fn wanted_table(address: &str, choice: &Choice, as_of: AsOf) -> Result<(Listed, Option<Table>)> {
    let log = Log::at(&Location::folder(address)?);
    match log.load(as_of)? {
        Some(snapshot) => files(&log, &snapshot, choice).map(|(listed, table)| (listed, Some(table))),
        None if choice.list.ignore_missing => Ok((Listed { skipped: 1, ..Listed::default() }, None)),
        None => {
            let error =
                Error::config("no Delta table is there").reason("no_such_table").at("folder", address);
            Err(error.help("a folder of files is read by the method of its format, such as `parquet`"))
        }
    }
}

/// The files of a version, sorted by address as a listing has them.
fn files(log: &Log, snapshot: &Snapshot, choice: &Choice) -> Result<(Listed, Table)> {
    let schema = snapshot.schema()?;
    let (mut files, mut values, mut skipped) = (Vec::new(), TableValues::new(), 0);
    for add in snapshot.files.values() {
        add.check_readable().map_err(|e| e.at("table", log.store.address(&log.root)))?;
        let modified = DateTime::from_timestamp_millis(add.modification_time).unwrap_or_default();
        if choice.list.modified_since.is_some_and(|since| modified < DateTime::<Utc>::from(since)) {
            skipped += 1;
            continue;
        }
        let address = address_of(log, &add.path)?;
        let size = u64::try_from(add.size).map_err(|e| {
            Error::data("a size in the Delta log is negative").because(e).at("file", &add.path)
        })?;
        values.insert(address.clone(), Arc::new(snapshot.read_values(add, &schema)));
        // Files of a table are never changed, and the log has no version of them.
        files.push(InputFile { address, size, version: Version::default() });
    }
    files.sort_by(|a, b| a.address.cmp(&b.address));
    Ok((Listed { files, skipped }, Table { schema, values }))
}

/// Where a file of a table is, by its path in the log.
fn address_of(log: &Log, path: &str) -> Result<String> {
    Ok(log.store.address(&log.below(&decoded(path)?)?))
}
