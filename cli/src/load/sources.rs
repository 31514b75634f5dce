//! The `[source]` of a load file: one file for each kind.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use kiln::connect::Scan;
use kiln::{Context, Error, Result};
use serde::{Deserialize, Serialize};

use super::params::Params;

/// Where rows come from; `kind` names the system.
#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    #[cfg(feature = "mysql")]
    Mysql(mysql::MysqlSource),
    #[cfg(feature = "postgres")]
    Postgres(postgres::PostgresSource),
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::SqliteSource),
}

/// One kind of source: its settings, and the scan that they make.
pub trait LoadSource {
    type Scan: Scan;

    /// The settings that `guess` begins with.
    fn guess(url: &str, table: &str) -> Self
    where
        Self: Sized;

    /// Puts the values of parameters in place of their names.
    ///
    /// # Errors
    /// Config for a name without a value, and for a value that must not stand there.
    fn fill(&mut self, params: &mut Params<'_>) -> Result<()>;

    /// The source that reads it.
    ///
    /// # Errors
    /// Config for settings that do not fit each other.
    fn scan(&self, cx: &Context) -> Result<Self::Scan>;
}

/// Calls `$body` with the settings of whatever kind `$source` is.
macro_rules! with_source {
    ($source:expr, $settings:ident => $body:expr) => {
        match $source {
            #[cfg(feature = "mysql")]
            $crate::load::sources::Source::Mysql($settings) => $body,
            #[cfg(feature = "postgres")]
            $crate::load::sources::Source::Postgres($settings) => $body,
            #[cfg(feature = "sqlite")]
            $crate::load::sources::Source::Sqlite($settings) => $body,
        }
    };
}
pub(super) use with_source;

impl Source {
    /// The kind that reads addresses like `url`.
    ///
    /// # Errors
    /// Config for an address that no kind reads.
    pub fn guess(url: &str, table: &str) -> Result<Source> {
        #[cfg(feature = "sqlite")]
        if sqlite::reads(url) {
            return Ok(Source::Sqlite(sqlite::SqliteSource::guess(url, table)));
        }
        match url.split_once("://").map(|(scheme, _)| scheme) {
            #[cfg(feature = "mysql")]
            Some("mysql" | "mariadb") => Ok(Source::Mysql(mysql::MysqlSource::guess(url, table))),
            #[cfg(feature = "postgres")]
            Some("postgres" | "postgresql") => {
                Ok(Source::Postgres(postgres::PostgresSource::guess(url, table)))
            }
            _ => {
                let error = Error::config("no kind of source reads this address").at("url", "of --url");
                Err(error.reason("unknown_source").help(
                    "a load begins at postgres://user@host/database, mysql://user@host/database or sqlite:path",
                ))
            }
        }
    }

    /// Puts the values of parameters in place of their names.
    pub fn fill(&mut self, params: &mut Params<'_>) -> Result<()> {
        with_source!(self, source => source.fill(params))
    }
}
