//! Connectors: sources and targets outside of Kiln, each with a cargo feature of its own.
//!
//! | feature | module | what it reads and writes |
//! |---|---|---|
//! | `postgres` | [`postgres`] | tables, views and queries of PostgreSQL, in parallel, as of one snapshot; tables, in one transaction |
//! | `mysql` | [`mysql`] | tables, views and queries of MySQL and MariaDB, in parallel, as of one moment |
//! | `sqlite` | [`sqlite`] | tables, views and queries of a SQLite file, in parallel, as of one moment |
//! | `warehouse` | [`warehouse`] | statements by which Redshift, Snowflake and BigQuery load published files |
//!
//! A connector uses the public traits of [`kiln::connect`] and nothing else of the engine. What connectors share is here,
//! too: addresses and passwords (`address`), retries with back-off (`retry`), limits on connections (`gate`), connections that
//! see one moment (`snapshots`), waits that a cancel ends (`wait`), ranges of keys (`ranges`), which columns are read
//! (`selection`), the nearest known name (`nearest`), numbers and times (`numbers`), the ledger and the commit of tables that
//! are written (`publish`).

#[cfg(any(feature = "mysql", feature = "postgres"))]
mod address;
#[cfg(feature = "_shared")]
mod gate;
#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(feature = "_shared")]
mod nearest;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod numbers;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "_publish")]
mod publish;
#[cfg(feature = "_shared")]
mod ranges;
#[cfg(feature = "_shared")]
mod retry;
#[cfg(feature = "_shared")]
mod selection;
#[cfg(any(feature = "mysql", feature = "sqlite"))]
mod snapshots;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "_shared")]
mod wait;
#[cfg(feature = "warehouse")]
pub mod warehouse;

#[cfg(feature = "_shared")]
pub use retry::Retry;
