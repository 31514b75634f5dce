//! Warehouses that load files by a statement of their own: Redshift (`COPY`), Snowflake (`COPY INTO`) and BigQuery
//! (`LOAD DATA`).
//!
//! A job publishes files, Parquet or CSV, to an object store that the warehouse reads. From the list of the published files
//! follows the statement that loads these files and no others, into a table that is added to or replaced in one step. Kiln
//! does not run it: whoever has the warehouse's credentials does.
//!
//! ```
//! use kiln_connectors::warehouse::{Files, Format, Redshift};
//!
//! # fn main() -> kiln::Result<()> {
//! let files = Files::new("s3://lake/daily", Format::Parquet, [("s3://lake/daily/part-00000.parquet", 1024)]);
//! let script = Redshift::new("shop.daily")
//!     .iam_role("arn:aws:iam::123456789012:role/load")
//!     .replace_where("day = DATE '2026-11-20'")
//!     .script(&files)?;
//! assert!(script.sql.contains("COPY shop.daily FROM 's3://lake/daily/_redshift_manifest.json'"));
//! assert!(script.manifest.is_some(), "it goes to that address");
//! # Ok(()) }
//! ```

mod bigquery;
mod redshift;
mod snowflake;

use kiln::{Error, Result};

pub use bigquery::BigQuery;
pub use redshift::Redshift;
pub use snowflake::Snowflake;

/// How the files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Parquet; without partition folders, because warehouses do not read columns from the names of folders.
    Parquet,
    /// CSV with a header, as Kiln writes it unless told otherwise; `gzip` if it is compressed by gzip.
    Csv {
        /// Whether the files end in `.gz`.
        gzip: bool,
    },
}

/// Files that were published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The address of the output.
    uri: String,
    format: Format,
    /// Each with its bytes.
    files: Vec<(String, u64)>,
}

/// What loads the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The statements, each ended by a semicolon and a line end.
    pub sql: String,
    /// A file that they read beside the data, with its address; it has to be there before they run.
    pub manifest: Option<(String, String)>,
}

/// What becomes of the rows that are there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Append,
    Overwrite,
    ReplaceWhere(String),
}

impl Files {
    /// Files of an output at `uri`, by their addresses and sizes in bytes.
    pub fn new<'f>(uri: &str, format: Format, files: impl IntoIterator<Item = (&'f str, u64)>) -> Files {
        let files = files.into_iter().map(|(address, bytes)| (address.to_owned(), bytes)).collect();
        Files { uri: uri.trim_end_matches('/').to_owned(), format, files }
    }

    /// The addresses, which must all be in a store of these schemes. How a literal spells a backslash depends on the
    /// warehouse's settings, so there is none.
    fn addresses(&self, warehouse: &str, schemes: &[&str]) -> Result<Vec<&str>> {
        let is_plain = |c: char| c != '\\' && !c.is_control();
        let is_readable = |address: &str| {
            schemes.iter().any(|scheme| address.starts_with(scheme)) && address.chars().all(is_plain)
        };
        match self.files.iter().find(|(address, _)| !is_readable(address)) {
            None => Ok(self.files.iter().map(|(address, _)| address.as_str()).collect()),
            Some((address, _)) => {
                let error = Error::config(format!("{warehouse} cannot read this file")).at("file", address);
                Err(error.help(format!("publish to an address that begins with {}", schemes.join(" or "))))
            }
        }
    }
}

impl Change {
    /// The statement that removes rows, if there is one. The condition ends at its own line, whatever is in it.
    fn delete(&self, table: &str) -> Option<String> {
        match self {
            Change::Append => None,
            Change::Overwrite => Some(format!("DELETE FROM {table} WHERE TRUE;\n")),
            Change::ReplaceWhere(condition) => Some(format!("DELETE FROM {table} WHERE {condition}\n;\n")),
        }
    }
}

/// A text as SQL of Redshift and Snowflake writes it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Refuses a name of a table that is more than a name: it is put into statements as it is.
fn check_table(table: &str, quote: char) -> Result<()> {
    let mut is_quoted = false;
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '-');
    let is_name = table.chars().all(|c| {
        is_quoted ^= c == quote;
        is_quoted || is_plain(c) || c == quote
    });
    match is_name && !is_quoted && !table.is_empty() {
        true => Ok(()),
        false => Err(Error::config(format!("`{table}` is no name of a table"))),
    }
}

#[cfg(test)]
mod tests;
