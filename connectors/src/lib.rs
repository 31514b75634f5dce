//! Connectors: sources and targets outside of Kiln, each with a cargo feature of its own.
//!
//! | feature | module | what it reads and writes |
//! |---|---|---|
//! | `postgres` | [`postgres`] | tables, views and queries of PostgreSQL, in parallel, as of one snapshot; tables, in one transaction |
//! | `warehouse` | [`warehouse`] | statements by which Redshift, Snowflake and BigQuery load published files |
//!
//! A connector uses the public traits of [`kiln::connect`] and nothing else of the engine. What connectors share is here,
//! too: retries with back-off (`retry`), limits on connections (`gate`), the nearest known name (`nearest`), the ledger and the
//! commit of tables that are written (`publish`).

#[cfg(feature = "_shared")]
mod gate;
#[cfg(feature = "_shared")]
mod nearest;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "_publish")]
mod publish;
#[cfg(feature = "_shared")]
mod retry;
#[cfg(feature = "warehouse")]
pub mod warehouse;

#[cfg(feature = "_shared")]
pub use retry::Retry;
