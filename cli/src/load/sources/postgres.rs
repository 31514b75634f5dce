//! `kind = "postgres"`: a table or a query of a PostgreSQL database.

use std::path::PathBuf;

use kiln::{Context, Error, Result};
use kiln_connectors::postgres::{PostgresScan, ReadPostgres};
use serde::{Deserialize, Serialize};

use super::LoadSource;
use crate::load::params::Params;

/// A table or a query of a PostgreSQL database.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostgresSource {
    pub url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub text_for: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<usize>,
    /// As `30s` or `5m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

impl LoadSource for PostgresSource {
    type Scan = PostgresScan;

    fn guess(url: &str, table: &str) -> PostgresSource {
        PostgresSource { url: url.to_owned(), table: Some(table.to_owned()), ..PostgresSource::default() }
    }

    fn fill(&mut self, params: &mut Params<'_>) -> Result<()> {
        self.url = params.fill(&self.url)?;
        for text in [&mut self.table, &mut self.query, &mut self.filter].into_iter().flatten() {
            *text = params.fill_sql(text)?;
        }
        Ok(())
    }

    /// Config unless exactly one of table and query is given, and for a password in the address.
    fn scan(&self, cx: &Context) -> Result<PostgresScan> {
        let mut reader = match (&self.table, &self.query) {
            (Some(table), None) => cx.postgres(&self.url).table(table),
            (None, Some(query)) => cx.postgres(&self.url).query(query),
            _ => {
                return Err(
                    Error::config("a source has either a `table` or a `query`").at("section", "source")
                );
            }
        };
        if let Some(columns) = &self.columns {
            reader = reader.columns(columns.iter().map(String::as_str));
        }
        for column in &self.text_for {
            reader = reader.text_for(column);
        }
        if let Some(filter) = &self.filter {
            reader = reader.filter(filter);
        }
        if let Some(column) = &self.split_by {
            reader = reader.split_by(column);
        }
        if let Some(splits) = self.splits {
            reader = reader.splits(splits);
        }
        if let Some(connections) = self.max_connections {
            reader = reader.max_connections(connections);
        }
        if let Some(limit) = &self.statement_timeout {
            let malformed = |e| Error::config(format!("`{limit}` is no time, such as 30s or 5m")).because(e);
            let limit = humantime::parse_duration(limit).map_err(malformed)?;
            reader = reader.statement_timeout(limit);
        }
        if let Some(path) = &self.password_file {
            reader = reader.password_file(path);
        }
        let scan = reader.scan();
        if scan.holds_password() {
            let error = Error::config("a load file holds no passwords").at("setting", "url");
            return Err(
                error.help("leave it out of the url: PGPASSWORD, ~/.pgpass or `password_file` give it")
            );
        }
        Ok(scan)
    }
}
