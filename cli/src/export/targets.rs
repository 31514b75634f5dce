//! The `[target]` of an export: one file for each kind.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "warehouse")]
mod warehouse;

use kiln::arrow::datatypes::SchemaRef;
use kiln::connect::Scan;
use kiln::{Copied, Result};
use serde::Deserialize;

use crate::load::params::Params;

/// Where rows go; `kind` names the system.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Target {
    #[cfg(feature = "postgres")]
    Postgres(postgres::PostgresTarget),
    #[cfg(feature = "warehouse")]
    Redshift(warehouse::RedshiftTarget),
    #[cfg(feature = "warehouse")]
    Snowflake(warehouse::SnowflakeTarget),
    #[cfg(feature = "warehouse")]
    BigQuery(warehouse::BigQueryTarget),
}

/// One kind of target.
pub trait ExportTarget {
    /// Puts the values of parameters in place of their names.
    ///
    /// # Errors
    /// Config for a name without a value, and for a value that must not stand there.
    fn fill(&mut self, params: &mut Params<'_>) -> Result<()>;

    /// Holds the columns of the rows against the target; returns what would be done.
    ///
    /// # Errors
    /// Config, with the column.
    fn check(&self, columns: &SchemaRef) -> Result<String>;

    /// Publishes the rows.
    ///
    /// # Errors
    /// Those of the settings, and whatever stops the job.
    fn write<S: Scan>(&self, rows: &Copied<S>) -> Result<()>;
}

/// Calls `$body` with the settings of whatever kind `$target` is.
macro_rules! with_target {
    ($target:expr, $settings:ident => $body:expr) => {
        match $target {
            #[cfg(feature = "postgres")]
            $crate::export::targets::Target::Postgres($settings) => $body,
            #[cfg(feature = "warehouse")]
            $crate::export::targets::Target::Redshift($settings) => $body,
            #[cfg(feature = "warehouse")]
            $crate::export::targets::Target::Snowflake($settings) => $body,
            #[cfg(feature = "warehouse")]
            $crate::export::targets::Target::BigQuery($settings) => $body,
        }
    };
}
pub(super) use with_target;
