//! BigQuery: `LOAD DATA` with a list of files.

use kiln::Result;

use super::{Change, Files, Format, Script, check_table};

/// What the name of the table in which replaced rows are staged ends with.
const STAGING: &str = "__kiln_staging";

/// A table of BigQuery.
///
/// Columns are matched by their names. Rows that replace those of a condition are loaded into a table beside it first, because
/// `LOAD DATA` is no part of a transaction.
#[derive(Clone, Debug)]
#[must_use = "a statement is made by `script`"]
pub struct BigQuery {
    table: String,
    change: Change,
}

impl BigQuery {
    /// The table `"project.dataset.table"`; rows are added to it unless something else is said.
    pub fn new(table: &str) -> BigQuery {
        BigQuery { table: table.trim_matches('`').to_owned(), change: Change::Append }
    }

    /// Replaces all rows, in one step.
    pub fn overwrite(mut self) -> BigQuery {
        self.change = Change::Overwrite;
        self
    }

    /// Replaces the rows for which a condition holds, in one transaction.
    pub fn replace_where(mut self, condition: &str) -> BigQuery {
        self.change = Change::ReplaceWhere(condition.to_owned());
        self
    }

    /// The statements.
    ///
    /// # Errors
    /// Config for a name that is none, and for files that are not in Google Cloud Storage.
    pub fn script(&self, files: &Files) -> Result<Script> {
        check_table(&self.table, '`')?;
        let addresses = files.addresses("BigQuery", &["gs://"])?;
        let table = format!("`{}`", self.table);
        let sql = match (&self.change, addresses.as_slice()) {
            (Change::Append, []) => String::new(),
            (Change::Append, addresses) => load("INTO", &table, addresses, files.format),
            // A LOAD DATA without files fails.
            (Change::Overwrite, []) => format!("TRUNCATE TABLE {table};\n"),
            (Change::Overwrite, addresses) => load("OVERWRITE", &table, addresses, files.format),
            (change, []) => change.delete(&table).unwrap_or_default(),
            (change, addresses) => {
                let staging = format!("`{}{STAGING}`", self.table);
                let loaded = load("OVERWRITE", &staging, addresses, files.format);
                let delete = change.delete(&table).unwrap_or_default();
                format!(
                    "CREATE OR REPLACE TABLE {staging} LIKE {table};\n{loaded}BEGIN TRANSACTION;\n{delete}\
                     INSERT INTO {table} SELECT * FROM {staging};\nCOMMIT TRANSACTION;\nDROP TABLE {staging};\n"
                )
            }
        };
        Ok(Script { sql, manifest: None })
    }
}

fn load(how: &str, table: &str, addresses: &[&str], format: Format) -> String {
    let options = match format {
        Format::Parquet => "format = 'PARQUET'".to_owned(),
        Format::Csv { .. } => {
            "format = 'CSV', skip_leading_rows = 1, allow_quoted_newlines = TRUE".to_owned()
        }
    };
    let uris: Vec<String> = addresses.iter().map(|address| literal(address)).collect();
    format!("LOAD DATA {how} {table}\nFROM FILES ({options}, uris = [{}]);\n", uris.join(", "))
}

/// A text as GoogleSQL writes it.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
