//! `kind = "mysql"`: a table or a query of a MySQL or MariaDB database.

use std::path::PathBuf;

use kiln::{Context, Error, Result};
use kiln_connectors::mysql::{Consistency, Mysql, MysqlScan, ReadMysql};
use serde::{Deserialize, Serialize};

use super::LoadSource;
use crate::load::params::Params;

/// A table or a query of a MySQL or MariaDB database.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MysqlSource {
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
    pub consistency: Option<Consistency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub text_for: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bool_for: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_dates: Option<ZeroDates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<usize>,
    /// As `30s` or `5m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

/// What the date 0000-00-00 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ZeroDates {
    Error,
    Null,
}

impl LoadSource for MysqlSource {
    type Scan = MysqlScan;

    fn guess(url: &str, table: &str) -> MysqlSource {
        MysqlSource { url: url.to_owned(), table: Some(table.to_owned()), ..MysqlSource::default() }
    }

    fn fill(&mut self, params: &mut Params<'_>) -> Result<()> {
        self.url = params.fill(&self.url)?;
        if let Some(table) = &mut self.table {
            *table = params.fill(table)?;
        }
        for text in [&mut self.query, &mut self.filter].into_iter().flatten() {
            *text = params.fill_sql(text)?;
        }
        Ok(())
    }

    /// Config unless exactly one of table and query is given, and for a password in the address.
    fn scan(&self, cx: &Context) -> Result<MysqlScan> {
        let mut reader = match (&self.table, &self.query) {
            (Some(table), None) => cx.mysql(&self.url).table(table),
            (None, Some(query)) => cx.mysql(&self.url).query(query),
            _ => {
                return Err(
                    Error::config("a source has either a `table` or a `query`").at("section", "source")
                );
            }
        };
        for column in &self.text_for {
            reader = reader.text_for(column);
        }
        for column in &self.bool_for {
            reader = reader.bool_for(column);
        }
        if self.zero_dates == Some(ZeroDates::Null) {
            reader = reader.zero_dates_as_null();
        }
        let scan = self.limited(self.cut(reader))?.scan();
        if scan.holds_password() {
            let error = Error::config("a load file holds no passwords").at("setting", "url");
            return Err(error.help("leave it out of the url: MYSQL_PWD or `password_file` give it"));
        }
        Ok(scan)
    }
}

impl MysqlSource {
    /// Which rows and columns are read, and in which parts.
    fn cut<'c>(&self, mut reader: Mysql<'c>) -> Mysql<'c> {
        if let Some(columns) = &self.columns {
            reader = reader.columns(columns.iter().map(String::as_str));
        }
        if let Some(filter) = &self.filter {
            reader = reader.filter(filter);
        }
        if let Some(consistency) = self.consistency {
            reader = reader.consistency(consistency);
        }
        if let Some(column) = &self.split_by {
            reader = reader.split_by(column);
        }
        if let Some(splits) = self.splits {
            reader = reader.splits(splits);
        }
        reader
    }

    /// Connections and times.
    fn limited<'c>(&self, mut reader: Mysql<'c>) -> Result<Mysql<'c>> {
        if let Some(connections) = self.max_connections {
            reader = reader.max_connections(connections);
        }
        if let Some(limit) = &self.statement_timeout {
            let malformed = |e| Error::config(format!("`{limit}` is no time, such as 30s or 5m")).because(e);
            reader = reader.statement_timeout(humantime::parse_duration(limit).map_err(malformed)?);
        }
        if let Some(path) = &self.password_file {
            reader = reader.password_file(path);
        }
        Ok(reader)
    }
}
