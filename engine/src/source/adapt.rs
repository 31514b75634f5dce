//! Fits the columns of a file to those of the row type, before and while rows are read.
//!
//! The schema of a file enters with the columns that are [`Wanted`]; which columns must be read leaves,
//! or one error that names file, column, what was expected and what was found. Then batches enter as
//! the file has them and leave with exactly the row type's columns. Only what loses nothing is
//! converted (`fits`, `convert`), because a number that was rounded silently is worse than an error. What a row type
//! assumes without looking, that a column which is no `Option` holds no null, is checked here (`nulls`).
//! How files are decoded is not known here.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::convert::{Unfit, convert, missing_value};
use super::fits::{fits, holds_dictionary, way_out};
use super::hive::folder_values;
use super::nulls::{NullAt, find_null};
use super::signed::{signed_field, unsigned};
use crate::error::{Error, Result};
use crate::row::{self, BATCH_BYTES, BatchLimits, Row, least_row_bytes};

/// The columns that a row type asks for.
#[derive(Clone)]
pub struct Wanted {
    /// The row type's columns.
    pub schema: SchemaRef,
    /// Whether folders named `key=value` give columns that the files lack.
    pub hive: bool,
    /// Where a batch ends: what every reader of files keeps to.
    pub limits: BatchLimits,
    /// Whether some of the rows will do, from all over the piece.
    pub skim: bool,
    /// What the log of a table states about the file.
    pub table: Option<Arc<BTreeMap<String, Option<String>>>>,
    /// Whether these are to be all columns of the file, so that none is left out unseen.
    pub all: bool,
}

impl Wanted {
    /// The columns of `T`, in batches of so many rows at most.
    pub fn of<T: Row>(hive: bool, batch_rows: usize) -> Wanted {
        let limits = BatchLimits { rows: batch_rows.max(1), bytes: BATCH_BYTES };
        let schema = row::schema::<T>();
        Wanted { schema, hive, limits, skim: false, table: None, all: false }.with_limits(limits)
    }

    /// The same in batches that end at `limits`, or before: rows of many columns are large, even empty ones.
    pub fn with_limits(self, limits: BatchLimits) -> Wanted {
        let rows = limits.rows_of(least_row_bytes(&self.schema));
        Wanted { limits: BatchLimits { rows, ..limits }, ..self }
    }

    /// The values of partition columns for the file at `address`: by the table's log, or else by its folders.
    pub(super) fn partition_values(&self, address: &str) -> BTreeMap<String, Option<String>> {
        match &self.table {
            Some(values) => values.as_ref().clone(),
            None if self.hive => folder_values(address),
            None => BTreeMap::new(),
        }
    }

    /// The names of the columns that come from files and not from their folders, in the row's order.
    pub(super) fn names_in_files(&self, file: &str) -> Result<Vec<String>> {
        let folders = self.partition_values(file);
        let names = self.schema.fields().iter().map(|field| field.name().clone());
        Ok(names.filter(|name| !folders.contains_key(name)).collect())
    }

    /// Whether the names are not the user's: a tuple's `_1`, `_2`, … or the `value` of a plain row.
    pub(super) fn is_positional(&self) -> bool {
        let names: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        names == ["value"] || names.iter().enumerate().all(|(i, name)| *name == format!("_{}", i + 1))
    }
}

/// Turns the batches of one file into batches of the row type.
pub struct Adapter {
    /// What the columns are of, in the words of an error: a file, or another source.
    what: &'static str,
    address: String,
    schema: SchemaRef,
    sources: Vec<Source>,
    /// Which columns of the file are read, in the order of the file.
    projection: Vec<usize>,
}

/// Where a column of the row type comes from.
enum Source {
    /// The column at this position of the batches; `cast` when its type differs.
    Column { at: usize, cast: bool },
    /// The same for unsigned integers, which the table has stored in signed ones.
    Signed { at: usize, stored: Field },
    /// The same value in every row of the file.
    Constant(ArrayRef),
}

impl Adapter {
    /// Finds every wanted column in a file with the columns `found`.
    ///
    /// # Errors
    /// Of class data, naming file and column, when one is missing or its type does not fit.
    pub fn new(wanted: &Wanted, file: &str, found: &Schema) -> Result<Adapter> {
        Adapter::build(wanted, "file", file, found, false)
    }

    /// The same for a source that is no file.
    pub fn of_source(wanted: &Wanted, address: &str, found: &Schema) -> Result<Adapter> {
        Adapter::build(wanted, "source", address, found, false)
    }

    /// The same for a file of text, whose numbers arrive as they are spelled.
    pub fn parsing(wanted: &Wanted, file: &str, found: &Schema) -> Result<Adapter> {
        Adapter::build(wanted, "file", file, found, true)
    }

    fn build(
        wanted: &Wanted,
        what: &'static str,
        address: &str,
        found: &Schema,
        parse: bool,
    ) -> Result<Adapter> {
        let columns = match_columns(wanted, found).map_err(|e| e.at(what, address))?;
        check_all(wanted, found).map_err(|e| e.at(what, address))?;
        let mut projection: Vec<usize> = columns.iter().flatten().copied().collect();
        projection.sort_unstable();
        let sources = sources(wanted, address, found, parse, (&columns, &projection));
        let sources = sources.map_err(|e| e.at(what, address))?;
        let (schema, address) = (Arc::clone(&wanted.schema), address.to_owned());
        Ok(Adapter { what, address, schema, sources, projection })
    }
    /// Which columns of the file must be read, in the order of the file.
    pub fn projection(&self) -> &[usize] {
        &self.projection
    }

    /// The row type's columns out of a batch of the projected columns.
    ///
    /// `place` says where in the file a row of the batch is, where that is known.
    ///
    /// # Errors
    /// Of class data for a value that does not fit its type, and for a null in a column of the row type
    /// that is no `Option`.
    pub fn adapt(
        &self,
        batch: &RecordBatch,
        place: impl Fn(usize) -> Option<(&'static str, u64)>,
    ) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut columns = Vec::with_capacity(self.sources.len());
        for (source, field) in self.sources.iter().zip(self.schema.fields()) {
            let column = source.column(batch, field).and_then(|column| match find_null(field, &column) {
                Some(NullAt { path, row }) => {
                    Err(Unfit { error: missing_value(field), path, row: Some(row) })
                }
                None => Ok(column),
            });
            columns.push(column.map_err(|unfit| {
                let error = unfit.error.at(self.what, &self.address).at("column", &unfit.path);
                match unfit.row.and_then(&place) {
                    Some((what, number)) => error.at(what, number),
                    None => error,
                }
            })?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

impl Source {
    fn column(&self, batch: &RecordBatch, field: &Field) -> Result<ArrayRef, Unfit> {
        match self {
            Source::Column { at, cast: false } => Ok(Arc::clone(batch.column(*at))),
            Source::Column { at, cast: true } => convert(batch.column(*at), field),
            Source::Signed { at, stored } => {
                let column = convert(batch.column(*at), stored)?;
                unsigned(&column, field.data_type()).map_err(|error| Unfit {
                    error,
                    path: field.name().clone(),
                    row: None,
                })
            }
            Source::Constant(value) => take(value, &UInt32Array::from(vec![0; batch.num_rows()]), None)
                .map_err(|e| Unfit { error: e.into(), path: field.name().clone(), row: None }),
        }
    }
}

/// Where each wanted column comes from, whose positions in the source are `columns`.
fn sources(
    wanted: &Wanted,
    address: &str,
    found: &Schema,
    parse: bool,
    (columns, projection): (&[Option<usize>], &[usize]),
) -> Result<Vec<Source>> {
    let folders = wanted.partition_values(address);
    let mut sources = Vec::with_capacity(columns.len());
    for (field, column) in wanted.schema.fields().iter().zip(columns) {
        sources.push(match (column, folders.get(field.name())) {
            (Some(column), _) => {
                let at = projection.binary_search(column).unwrap_or_default();
                match signed_field(field).filter(|_| wanted.table.is_some()) {
                    Some(stored) => {
                        check_type(&stored, found.field(*column), parse)?;
                        Source::Signed { at, stored }
                    }
                    None => Source::Column { at, cast: check_type(field, found.field(*column), parse)? },
                }
            }
            (None, Some(value)) => Source::Constant(folder_column(field, value.as_deref())?),
            (None, None) if field.is_nullable() => Source::Constant(new_null_array(field.data_type(), 1)),
            (None, None) => return Err(missing(field, found)),
        });
    }
    Ok(sources)
}

/// For each wanted column its position in the file: by name, or by position where the names of the
/// row type are not the user's.
pub(super) fn match_columns(wanted: &Wanted, found: &Schema) -> Result<Vec<Option<usize>>> {
    let fields = wanted.schema.fields();
    let mut columns = Vec::with_capacity(fields.len());
    for field in fields {
        let mut same = (0..found.fields().len()).filter(|&at| found.field(at).name() == field.name());
        columns.push(same.next());
        if same.next().is_some() {
            let error = Error::data(format!("the file has two columns named `{}`", field.name()));
            return Err(error.at("column", field.name()));
        }
    }
    let is_complete = columns.iter().all(Option::is_some);
    if !is_complete && wanted.is_positional() && found.fields().len() == fields.len() {
        return Ok((0..fields.len()).map(Some).collect());
    }
    Ok(columns)
}

/// Refuses a file that has more columns than all.
fn check_all(wanted: &Wanted, found: &Schema) -> Result<()> {
    let is_unknown = |field: &&Arc<Field>| wanted.schema.index_of(field.name()).is_err();
    match found.fields().iter().find(|field| wanted.all && is_unknown(field)) {
        None => Ok(()),
        Some(field) => {
            let error = Error::data(format!("the first file has no column `{}`", field.name()));
            Err(error.at("column", field.name()).help("copy files of different columns one by one"))
        }
    }
}

/// Whether the column must be converted.
fn check_type(field: &Field, found: &Field, parse: bool) -> Result<bool> {
    let (from, to) = (found.data_type(), field.data_type());
    if !fits(from, to, parse) {
        let error = Error::data(format!("the column `{}` is {from}, expected {to}", found.name()));
        return Err(error.at("column", found.name()).help(way_out(from, to)));
    }
    Ok(from != to || holds_dictionary(to))
}

fn missing(field: &Field, found: &Schema) -> Error {
    let names: Vec<&str> = found.fields().iter().map(|field| field.name().as_str()).collect();
    let text = format!(
        "the column `{}` is missing, expected {}; found the columns {}",
        field.name(),
        field.data_type(),
        names.join(", ")
    );
    Error::data(text).at("column", field.name()).help(
        "a field that some files lack is an `Option`; a field may be renamed with #[row(rename = \"..\")]",
    )
}

/// The value of a folder `key=value` as a column of one row.
pub(super) fn folder_column(field: &Field, value: Option<&str>) -> Result<ArrayRef> {
    let text: ArrayRef = Arc::new(StringArray::from(vec![value]));
    let column = convert(&text, field).map_err(|e| e.error.at("column", field.name()))?;
    match find_null(field, &column) {
        Some(_) => Err(missing_value(field).at("column", field.name())),
        None => Ok(column),
    }
}
