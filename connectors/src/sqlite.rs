//! SQLite as a source: tables, views and queries of one file, read in parallel as of one moment.
//!
//! ```no_run
//! use kiln_connectors::sqlite::ReadSqlite;
//!
//! #[derive(kiln::Row)]
//! struct Order { id: i64, customer: String, price: kiln::Decimal<12, 2> }
//!
//! # fn main() -> kiln::Result<()> {
//! # let cx = kiln::Context::local(2);
//! let orders = cx.read_sqlite::<Order>("shop.db", "orders");
//! let recent = cx.sqlite("shop.db").table("orders").filter("ordered >= '2026-01-01'").read::<Order>();
//! # Ok(()) }
//! ```
//!
//! A table is cut into ranges of its rowids; a table without rowids, a view or a query into ranges of a column if one is
//! named. Splits do not depend on slots.
//!
//! **One moment.** Planning opens connections that see one state of the file and keeps them as long as the dataset lives; the
//! tasks of the driver's process read by them, whatever is written meanwhile. Without a write-ahead log they keep writers
//! waiting, as every reader of SQLite does. Executors open the file at the same path, so they run on this machine; they compare
//! the state that they see with that of the plan, and if somebody has written since, the job ends with an error of class
//! transient and the reason `source_changed`: rows of two states are never mixed.
//!
//! **Types.** A column of SQLite may hold values of any type. Its declared type decides what is read; a value that does not fit
//! is an error of class data with table, rowid and column. `docs/connectors-types.md` has the table.

mod errors;
mod file;
mod plan;
mod scan;
mod splits;
mod types;
mod values;

use std::path::Path;
use std::time::Duration;

use kiln::chain::Chain;
use kiln::{Context, Dataset, Row};

use crate::retry::Retry;
pub use scan::{SqliteScan, SqliteSplit};

/// Reads SQLite: what this module adds to a [`Context`].
pub trait ReadSqlite {
    /// The rows of a table or view of the database file at `path`. More can be said by [`sqlite`](ReadSqlite::sqlite).
    ///
    /// # Errors
    /// Given by the action: config for a file, table, column or type that does not fit, data for a value that is not of
    /// its column's type.
    #[track_caller]
    fn read_sqlite<T: Row>(&self, path: &str, table: &str) -> Dataset<T, impl Chain<Out = T> + use<T, Self>>;

    /// A reader of the database file at `path`, to be told what to read and how.
    fn sqlite(&self, path: impl AsRef<Path>) -> Sqlite<'_>;
}

impl ReadSqlite for Context {
    fn read_sqlite<T: Row>(&self, path: &str, table: &str) -> Dataset<T, impl Chain<Out = T> + use<T>> {
        self.scan::<T, _>(SqliteScan::new(path.as_ref()).with_table(table))
    }

    fn sqlite(&self, path: impl AsRef<Path>) -> Sqlite<'_> {
        Sqlite { cx: self, scan: SqliteScan::new(path.as_ref()) }
    }
}

/// What to read of a database file, and how; made by [`ReadSqlite::sqlite`].
#[must_use = "nothing is read before `read`"]
pub struct Sqlite<'c> {
    cx: &'c Context,
    scan: SqliteScan,
}

impl Sqlite<'_> {
    /// Reads a table or a view, by its name as it is: without quotes.
    pub fn table(mut self, name: &str) -> Self {
        self.scan = self.scan.with_table(name);
        self
    }

    /// Reads the rows of a query; without [`split_by`](Sqlite::split_by) by one task.
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
    /// `'now'`.
    pub fn filter(mut self, condition: &str) -> Self {
        self.scan.settings.filter = Some(condition.to_owned());
        self
    }

    /// Reads the values of a column as text, whatever their types are: numbers with all digits, blobs in hexadecimal.
    pub fn text_for(mut self, column: &str) -> Self {
        self.scan.settings.as_text.insert(column.to_owned());
        self
    }

    /// Cuts what is read at values of this column, best one with an index. Nulls are in the first split.
    pub fn split_by(mut self, column: &str) -> Self {
        self.scan.settings.split_by = Some(column.to_owned());
        self
    }

    /// Cuts what is read into about so many splits; without it, one for each 32 MiB of the file.
    pub fn splits(mut self, splits: usize) -> Self {
        self.scan.settings.splits = Some(splits);
        self
    }

    /// How many connections one process reads by at the same time, 8 unless set.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.scan.settings.max_connections = connections;
        self
    }

    /// How long one batch of rows is waited for, 30 minutes unless set.
    pub fn answer_limit(mut self, limit: Duration) -> Self {
        self.scan.settings.answer_limit = limit;
        self
    }

    /// How often opening a file that is locked is tried again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.scan.settings.retry = retry;
        self
    }

    /// The rows, of the type `T`.
    ///
    /// # Errors
    /// Given by the action, as those of [`ReadSqlite::read_sqlite`].
    #[track_caller]
    pub fn read<T: Row>(self) -> Dataset<T, impl Chain<Out = T> + use<T>> {
        self.cx.scan::<T, _>(self.scan)
    }

    /// The source itself, for whatever takes a [`Scan`](kiln::connect::Scan).
    pub fn scan(self) -> SqliteScan {
        self.scan
    }
}
