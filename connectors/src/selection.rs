//! What is read: a relation, which of its columns, and the error about one that is not there.

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, SchemaRef};
use kiln::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::nearest::nearest;

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Relation {
    Unset,
    /// By its name.
    Table(String),
    Query(String),
}

impl Relation {
    /// A query, which is put into another one.
    pub(crate) fn query(sql: &str) -> Relation {
        Relation::Query(sql.trim().trim_end_matches(';').to_owned())
    }

    /// What `explain` calls a reader of it.
    pub(crate) fn label(&self, method: &str) -> String {
        match self {
            Relation::Table(table) => format!("{method} {table}"),
            Relation::Query(_) | Relation::Unset => format!("{method} query"),
        }
    }
}

/// The error of a reader that was told nothing.
pub(crate) fn unset() -> Error {
    Error::config("neither a table nor a query is named")
        .help("`.table(\"shop.orders\")` or `.query(\"SELECT …\")` names what is read")
}

/// What a reader was told about columns.
pub(crate) struct Selection<'s> {
    /// The relation, for errors.
    pub(crate) of: &'s str,
    /// The columns that were asked for; without them, all.
    pub(crate) columns: Option<&'s Vec<String>>,
    /// Columns that other settings name.
    pub(crate) named: &'s BTreeSet<&'s str>,
}

impl Selection<'_> {
    /// The names of the columns that are read: those that were set, those of the row type, or all, for row types whose
    /// columns are found by position.
    ///
    /// # Errors
    /// Config for a column that is not among the `known`, with the nearest one.
    pub(crate) fn chosen(&self, known: &[&str], wanted: Option<&SchemaRef>) -> Result<Vec<String>> {
        let is_known = |name: &str| match known.contains(&name) {
            true => Ok(()),
            false => Err(unknown_column(name, self.of, known.iter().copied())),
        };
        let set = self.columns.into_iter().flatten().map(String::as_str);
        for name in set.chain(self.named.iter().copied()) {
            is_known(name)?;
        }
        let given: Vec<String> = match self.columns {
            Some(columns) => columns.clone(),
            None => known.iter().map(|name| (*name).to_owned()).collect(),
        };
        let Some(wanted) = wanted else { return Ok(given) };
        let names: Vec<&String> = wanted.fields().iter().map(|field| field.name()).collect();
        if names.iter().all(|name| given.contains(name)) {
            return Ok(names.into_iter().cloned().collect());
        }
        if is_positional(&names) && names.len() == given.len() {
            return Ok(given);
        }
        // What may be left out is decided by the engine; what must be there is missed here, with the nearest name.
        for field in wanted.fields().iter().filter(|field| !field.is_nullable()) {
            is_known(field.name())?;
        }
        Ok(names.into_iter().filter(|name| given.contains(name)).cloned().collect())
    }
}

/// Whether a row type finds its columns by their positions: a tuple, or a plain value.
pub(crate) fn is_positional(names: &[&String]) -> bool {
    names.iter().enumerate().all(|(at, name)| **name == format!("_{}", at + 1) || *name == "value")
}

/// The error about a column that is not there.
pub(crate) fn unknown_column<'n>(name: &str, of: &str, known: impl IntoIterator<Item = &'n str>) -> Error {
    let known: Vec<&str> = known.into_iter().collect();
    let error = Error::config(format!("`{of}` has no column `{name}`; it has {}", known.join(", ")));
    let error = error.reason("unknown_column").at("column", name);
    match nearest(name, known) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// A hash of texts, FNV-1a, in hexadecimal: the same in every version of Kiln.
pub(crate) fn fingerprint(texts: &[&str]) -> String {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The type of the field of a row that takes the column `name`, which is chosen as number `at`.
pub(crate) fn field_for(wanted: &SchemaRef, at: usize, name: &str) -> Option<DataType> {
    let names: Vec<&String> = wanted.fields().iter().map(|field| field.name()).collect();
    let field = match wanted.field_with_name(name) {
        Ok(field) => Some(field),
        Err(_) if is_positional(&names) => wanted.fields().get(at).map(|field| &**field),
        Err(_) => None,
    };
    field.map(|field| field.data_type().clone())
}
