//! `kind = "postgres"`: a table of a PostgreSQL database.

use std::path::PathBuf;

use kiln::arrow::datatypes::SchemaRef;
use kiln::connect::Scan;
use kiln::{Copied, Error, Result};
use kiln_connectors::postgres::PostgresSink;
use serde::Deserialize;

use super::ExportTarget;
use crate::load::file::mode;
use crate::load::params::Params;

/// A table of a PostgreSQL database, and what happens to the rows that are there: at most one of `mode`, `replace_where` and
/// `upsert_by`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresTarget {
    url: String,
    table: String,
    mode: Option<String>,
    replace_where: Option<String>,
    upsert_by: Option<Vec<String>>,
    #[serde(default)]
    create: bool,
    staging_schema: Option<String>,
    max_connections: Option<usize>,
    /// As `30s` or `5m`.
    statement_timeout: Option<String>,
    password_file: Option<PathBuf>,
}

impl PostgresTarget {
    fn sink(&self) -> Result<PostgresSink> {
        let sink = PostgresSink::new(&self.url, &self.table);
        if sink.holds_password() {
            let error = Error::config("an export file holds no passwords").at("setting", "url");
            return Err(
                error.help("leave it out of the url: PGPASSWORD, ~/.pgpass or `password_file` give it")
            );
        }
        let mut sink = match (&self.mode, &self.replace_where, &self.upsert_by) {
            (None, None, None) => sink,
            (Some(name), None, None) => sink.mode(mode(name)?),
            (None, Some(condition), None) => sink.replace_where(condition),
            (None, None, Some(key)) => sink.upsert_by(key.iter().map(String::as_str)),
            _ => {
                let error = Error::config("a target has one of `mode`, `replace_where` and `upsert_by`");
                return Err(error.at("section", "target"));
            }
        };
        if self.create {
            sink = sink.create();
        }
        if let Some(schema) = &self.staging_schema {
            sink = sink.staging_schema(schema);
        }
        if let Some(connections) = self.max_connections {
            sink = sink.max_connections(connections);
        }
        if let Some(limit) = &self.statement_timeout {
            let malformed = |e| Error::config(format!("`{limit}` is no time, such as 30s or 5m")).because(e);
            sink = sink.statement_timeout(humantime::parse_duration(limit).map_err(malformed)?);
        }
        if let Some(path) = &self.password_file {
            sink = sink.password_file(path);
        }
        Ok(sink)
    }
}

impl ExportTarget for PostgresTarget {
    fn fill(&mut self, params: &mut Params<'_>) -> Result<()> {
        self.url = params.fill(&self.url)?;
        self.table = params.fill_sql(&self.table)?;
        for text in self.replace_where.iter_mut() {
            *text = params.fill_sql(text)?;
        }
        Ok(())
    }

    fn check(&self, columns: &SchemaRef) -> Result<String> {
        self.sink()?.check(columns)?;
        let how = match (&self.mode, &self.replace_where, &self.upsert_by) {
            (_, Some(condition), _) => format!("replaces the rows where {condition}"),
            (_, _, Some(key)) => format!("changes rows by {}", key.join(", ")),
            (Some(mode), ..) => format!("mode {mode}"),
            _ => "mode as the caller says".to_owned(),
        };
        Ok(format!("to the table {}, {how}", self.table))
    }

    fn write<S: Scan>(&self, rows: &Copied<S>) -> Result<()> {
        rows.write_to(self.sink()?)
    }
}
