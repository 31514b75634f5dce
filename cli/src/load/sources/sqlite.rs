//! `kind = "sqlite"`: a table or a query of a SQLite file.

use std::path::{Path, PathBuf};

use kiln::{Context, Error, Result};
use kiln_connectors::sqlite::{ReadSqlite, SqliteScan};
use serde::{Deserialize, Serialize};

use super::LoadSource;
use crate::load::params::Params;

/// Endings of file names that are databases.
const ENDINGS: [&str; 4] = ["db", "db3", "sqlite", "sqlite3"];

/// A table or a query of a SQLite file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteSource {
    pub path: PathBuf,
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
}

/// Whether `url` is `sqlite:` and a path, or the path of a file that is called as databases are.
pub fn reads(url: &str) -> bool {
    let ending = Path::new(url).extension().and_then(|ending| ending.to_str());
    url.starts_with("sqlite:")
        || (!url.contains("://") && ending.is_some_and(|ending| ENDINGS.contains(&ending)))
}

impl LoadSource for SqliteSource {
    type Scan = SqliteScan;

    fn guess(url: &str, table: &str) -> SqliteSource {
        let path = url.strip_prefix("sqlite:").unwrap_or(url);
        let path = path.strip_prefix("//").unwrap_or(path);
        SqliteSource { path: path.into(), table: Some(table.to_owned()), ..SqliteSource::default() }
    }

    fn fill(&mut self, params: &mut Params<'_>) -> Result<()> {
        if let Some(path) = self.path.to_str() {
            self.path = params.fill(path)?.into();
        }
        if let Some(table) = &mut self.table {
            *table = params.fill(table)?;
        }
        for text in [&mut self.query, &mut self.filter].into_iter().flatten() {
            *text = params.fill_sql(text)?;
        }
        Ok(())
    }

    /// Config unless exactly one of table and query is given.
    fn scan(&self, cx: &Context) -> Result<SqliteScan> {
        let reader = cx.sqlite(&self.path);
        let mut reader = match (&self.table, &self.query) {
            (Some(table), None) => reader.table(table),
            (None, Some(query)) => reader.query(query),
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
        Ok(reader.scan())
    }
}
