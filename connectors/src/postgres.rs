//! PostgreSQL as a source and as a target.
//!
//! # Reading
//!
//! Tables, views and queries are read in parallel as of one moment.
//!
//! ```no_run
//! use kiln_connectors::postgres::ReadPostgres;
//!
//! #[derive(kiln::Row)]
//! struct Order { id: i64, customer: String, price: kiln::Decimal<12, 2> }
//!
//! # fn main() -> kiln::Result<()> {
//! # let cx = kiln::Context::local(2);
//! let orders = cx.read_postgres::<Order>("postgres://me@db.example/shop", "shop.orders");
//! let recent = cx
//!     .postgres("postgres://me@db.example/shop?sslmode=verify-full")
//!     .table("shop.orders")
//!     .filter("ordered >= DATE '2026-01-01'")
//!     .max_connections(4)
//!     .read::<Order>();
//! # Ok(()) }
//! ```
//!
//! Planning opens one connection, exports its snapshot and keeps the connection open as long as the dataset lives; every
//! task reads under that snapshot, so the rows are those of one moment, whatever is written meanwhile. A table is cut into
//! ranges of its pages, a view or a query into ranges of a key if one is named. Splits do not depend on slots.
//!
//! Columns are found by name and checked against the row type before any row is read; `docs/connectors-types.md` has the
//! table of types. The password comes from the address, from [`Postgres::password_file`], from `PGPASSWORD` or from
//! `~/.pgpass`, in this order, and is never printed; an address with a password travels to the executors, the other three
//! are looked up by each process.
//!
//! # Writing
//!
//! ```no_run
//! use kiln_connectors::postgres::WritePostgres;
//!
//! #[derive(kiln::Row)]
//! struct Daily { day: kiln::chrono::NaiveDate, customer: String, revenue: kiln::Decimal<12, 2> }
//!
//! # fn job(cx: kiln::Context, daily: kiln::Dataset<Daily>) -> kiln::Result<()> {
//! let table = cx.postgres_table("postgres://me@db.example/shop", "shop.daily");
//! daily.write_to(table.replace_where("day = DATE '2026-11-20'"))
//! # }
//! ```
//!
//! Tasks copy their rows into a staging table; one transaction replaces, changes or adds rows of the target and records the
//! publish in the table `kiln_publishes`. Readers see all of it or nothing. A retry of a run that has published ends
//! without reading its source; of two attempts the newer one publishes. `docs/export.md` has the rules, and the tables.
//!
//! Columns are checked by name before any row is read. A value that its column cannot hold exactly is an error of class data,
//! with its partition, row and column.

mod address;
mod catalog;
mod decode;
mod errors;
mod numeric;
mod plan;
mod scan;
mod session;
mod sink;
mod splits;
mod tls;
mod types;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use kiln::chain::Chain;
use kiln::{Context, Dataset, Row};

use crate::retry::Retry;
pub use scan::{PostgresScan, PostgresSplit};
pub use sink::{PostgresHeld, PostgresPart, PostgresSink, PostgresStage};

/// Reads PostgreSQL: what this module adds to a [`Context`].
pub trait ReadPostgres {
    /// The rows of a table or view, `"shop.orders"`, of the database at `url`, `"postgres://user@host/database"`.
    ///
    /// Names are as in SQL: `"Orders"` with capitals is written with quotes. More can be said by
    /// [`postgres`](ReadPostgres::postgres).
    ///
    /// # Errors
    /// Given by the action: config for a table, column or type that does not fit, auth, and unavailable for a server that
    /// cannot be reached.
    #[track_caller]
    fn read_postgres<T: Row>(&self, url: &str, table: &str)
    -> Dataset<T, impl Chain<Out = T> + use<T, Self>>;

    /// A reader of the database at `url`, to be told what to read and how.
    fn postgres(&self, url: &str) -> Postgres<'_>;
}

impl ReadPostgres for Context {
    fn read_postgres<T: Row>(&self, url: &str, table: &str) -> Dataset<T, impl Chain<Out = T> + use<T>> {
        self.scan::<T, _>(PostgresScan::new(url).with_table(table))
    }

    fn postgres(&self, url: &str) -> Postgres<'_> {
        Postgres { cx: self, scan: PostgresScan::new(url) }
    }
}

/// Writes PostgreSQL: what this module adds to a [`Context`].
pub trait WritePostgres {
    /// The table `table`, `"shop.daily"`, of the database at `url`, to be told what happens to the rows that are there, and
    /// given to `write_to`.
    fn postgres_table(&self, url: &str, table: &str) -> PostgresSink;
}

impl WritePostgres for Context {
    fn postgres_table(&self, url: &str, table: &str) -> PostgresSink {
        PostgresSink::new(url, table)
    }
}

/// What to read of a database, and how; made by [`ReadPostgres::postgres`].
#[must_use = "nothing is read before `read`"]
pub struct Postgres<'c> {
    cx: &'c Context,
    scan: PostgresScan,
}

impl Postgres<'_> {
    /// Reads a table, a view or a materialized view; of a partitioned table, all partitions.
    pub fn table(mut self, table: &str) -> Self {
        self.scan = self.scan.with_table(table);
        self
    }

    /// Reads the rows of a query; without [`split_by`](Postgres::split_by) by one task.
    pub fn query(mut self, sql: &str) -> Self {
        self.scan = self.scan.with_query(sql);
        self
    }

    /// Reads these columns. Without it, those of the row type.
    pub fn columns<'s>(mut self, names: impl IntoIterator<Item = &'s str>) -> Self {
        self.scan.settings.columns = Some(names.into_iter().map(str::to_owned).collect());
        self
    }

    /// Reads only the rows for which a condition in SQL holds. Each split evaluates it, so it should use constants and not
    /// `now()`.
    pub fn filter(mut self, condition: &str) -> Self {
        self.scan.settings.filter = Some(condition.to_owned());
        self
    }

    /// Reads a column as the text that the server prints for it: for types that no column holds without loss.
    pub fn text_for(mut self, column: &str) -> Self {
        self.scan.settings.as_text.insert(column.to_owned());
        self
    }

    /// Cuts what is read at sampled values of this column, best one with an index. Nulls are in the first split.
    pub fn split_by(mut self, column: &str) -> Self {
        self.scan.settings.split_by = Some(column.to_owned());
        self
    }

    /// Cuts what is read into about so many splits; without it, one for each 32 MiB.
    pub fn splits(mut self, splits: usize) -> Self {
        self.scan.settings.splits = Some(splits);
        self
    }

    /// How many connections one process reads by at the same time, 8 unless set; the driver has one more, which holds the
    /// snapshot. A task that gets none waits for up to 10 minutes.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.scan.settings.max_connections = connections;
        self
    }

    /// How long the server may work on one statement; without it, as the server is set.
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.scan.settings.statement_timeout = Some(limit);
        self
    }

    /// How long one answer of the server is waited for, 30 minutes unless set.
    pub fn answer_limit(mut self, limit: Duration) -> Self {
        self.scan.settings.answer_limit = limit;
        self
    }

    /// How often the beginning of a split, connecting and the first request, is tried again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.scan.settings.retry = retry;
        self
    }

    /// Takes the password from the first line of a file, which every process must find there.
    pub fn password_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.scan.settings.password_file = Some(path.into());
        self
    }

    /// The rows, of the type `T`.
    ///
    /// # Errors
    /// Given by the action, as those of [`ReadPostgres::read_postgres`].
    #[track_caller]
    pub fn read<T: Row>(self) -> Dataset<T, impl Chain<Out = T> + use<T>> {
        self.cx.scan::<T, _>(self.scan)
    }

    /// The source itself, for whatever takes a [`Scan`](kiln::connect::Scan).
    pub fn scan(self) -> PostgresScan {
        self.scan
    }
}
