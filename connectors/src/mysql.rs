//! MySQL and MariaDB as a source and a target: tables, views and queries, read in parallel as of one moment; tables, written in
//! one transaction.
//!
//! ```no_run
//! use kiln_connectors::mysql::{Consistency, ReadMysql};
//!
//! #[derive(kiln::Row)]
//! struct Order { id: i64, customer: String, price: kiln::Decimal<12, 2> }
//!
//! # fn main() -> kiln::Result<()> {
//! # let cx = kiln::Context::local(2);
//! let orders = cx.read_mysql::<Order>("mysql://me@db.example/shop", "orders");
//! let recent = cx
//!     .mysql("mysql://me@db.example/shop?ssl-mode=VERIFY_IDENTITY")
//!     .table("shop.orders")
//!     .filter("ordered >= '2026-01-01'")
//!     .consistency(Consistency::ShortLock)
//!     .read::<Order>();
//! # Ok(()) }
//! ```
//!
//! A table is cut into ranges of the first column of its primary key, a view or a query into ranges of a column if one is
//! named. Splits do not depend on slots.
//!
//! **One moment.** These servers show a snapshot to nobody but the connection that has it. So the rows of all splits are those
//! of one moment by default because one connection reads them, one split after the other; [`Consistency`] has two ways to more
//! connections, of which one also works on executors. Tables without transactions (MyISAM, Aria) are one split.
//!
//! **Sessions** have settings of their own: UTC, `utf8mb4`, an empty `sql_mode`, no limit on rows. Columns are found by name and
//! checked against the row type before any row is read; `docs/connectors-types.md` has the table of types. The password comes
//! from the address, from [`Mysql::password_file`] or from `MYSQL_PWD`, in this order, and is never printed.
//!
//! # Writing
//!
//! ```no_run
//! use kiln_connectors::mysql::WriteMysql;
//!
//! #[derive(kiln::Row)]
//! struct Daily { day: kiln::chrono::NaiveDate, customer: String, revenue: kiln::Decimal<12, 2> }
//!
//! # fn job(cx: kiln::Context, daily: kiln::Dataset<Daily>) -> kiln::Result<()> {
//! let table = cx.mysql_table("mysql://me@db.example/shop", "daily");
//! daily.write_to(table.replace_where("day = '2026-11-20'"))
//! # }
//! ```
//!
//! It goes as with PostgreSQL: tasks insert their rows into a staging table; one transaction of InnoDB replaces, changes or adds
//! rows of the target and records the publish in the table `kiln_publishes`, beside the target. Readers see all of it or nothing; a
//! retry of a run that has published ends without reading its source; of two attempts the newer one publishes. Three things
//! differ, because of what these servers can: a table that has to be created is there before its rows; a change of tables
//! cannot be undone, so staging tables are made before the transaction; and which run has written a row nobody can tell, so an
//! upsert is fenced (73) by any publish of a run that began later, and a replacement by any but a replacement of other rows.
//!
//! The client is `mysql_async`: like that of PostgreSQL it is driven by the thread that waits, so that a cancel ends every
//! wait; a client that blocks could only be cut off.

mod address;
mod catalog;
mod errors;
mod moment;
mod plan;
mod scan;
mod session;
mod sink;
mod splits;
mod types;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use kiln::chain::Chain;
use kiln::{Context, Dataset, Row};
use serde::{Deserialize, Serialize};

use crate::retry::Retry;
pub use scan::{MysqlScan, MysqlSplit};
pub use sink::{MysqlHeld, MysqlPart, MysqlSink, MysqlStage};

/// Of which moments the rows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// All rows are of one moment: one connection, in the driver's process, reads all splits.
    #[default]
    OneConnection,
    /// All rows are of one moment: connections in the driver's process begin while commits on the server are held back, for
    /// some milliseconds, or for up to 10 seconds when it is busy. It needs the privilege RELOAD: MariaDB is asked for
    /// `BACKUP STAGE BLOCK_COMMIT`, MySQL for `FLUSH TABLES WITH READ LOCK`.
    ShortLock,
    /// The rows of a split are of one moment, those of different splits are not. A row that moves between splits meanwhile, by
    /// a change of its key, may be read twice or not at all, so this is for rows that do not change, or that a filter keeps out
    /// while they do. Executors read only so; a split that is read again may hold newer rows.
    PerSplit,
}

/// Reads MySQL and MariaDB: what this module adds to a [`Context`].
pub trait ReadMysql {
    /// The rows of a table or view, `"orders"` or `"shop.orders"`, of the database at `url`, `"mysql://user@host/database"`.
    ///
    /// More can be said by [`mysql`](ReadMysql::mysql).
    ///
    /// # Errors
    /// Given by the action: config for a table, column or type that does not fit, auth, and unavailable for a server that
    /// cannot be reached.
    #[track_caller]
    fn read_mysql<T: Row>(&self, url: &str, table: &str) -> Dataset<T, impl Chain<Out = T> + use<T, Self>>;

    /// A reader of the database at `url`, to be told what to read and how.
    fn mysql(&self, url: &str) -> Mysql<'_>;
}

impl ReadMysql for Context {
    fn read_mysql<T: Row>(&self, url: &str, table: &str) -> Dataset<T, impl Chain<Out = T> + use<T>> {
        self.scan::<T, _>(MysqlScan::new(url).with_table(table))
    }

    fn mysql(&self, url: &str) -> Mysql<'_> {
        Mysql { cx: self, scan: MysqlScan::new(url) }
    }
}

/// Writes MySQL and MariaDB: what this module adds to a [`Context`].
pub trait WriteMysql {
    /// The table `table`, `"daily"` or `"shop.daily"`, of the database at `url`, to be told what happens to the rows that are
    /// there, and given to `write_to`.
    fn mysql_table(&self, url: &str, table: &str) -> MysqlSink;
}

impl WriteMysql for Context {
    fn mysql_table(&self, url: &str, table: &str) -> MysqlSink {
        MysqlSink::new(url, table)
    }
}

/// What to read of a database, and how; made by [`ReadMysql::mysql`].
#[must_use = "nothing is read before `read`"]
pub struct Mysql<'c> {
    cx: &'c Context,
    scan: MysqlScan,
}

impl Mysql<'_> {
    /// Reads a table or a view; names that hold a dot are quoted with backticks.
    pub fn table(mut self, table: &str) -> Self {
        self.scan = self.scan.with_table(table);
        self
    }

    /// Reads the rows of a query; without [`split_by`](Mysql::split_by) by one task.
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

    /// Reads a column as text: for types that no column holds without loss. Bytes are read in hexadecimal.
    pub fn text_for(mut self, column: &str) -> Self {
        self.scan.settings.as_text.insert(column.to_owned());
        self
    }

    /// Reads a `tinyint` as a boolean, for copies; a field of the type `bool` asks for it by itself. A number other than 0
    /// and 1 is an error of class data.
    pub fn bool_for(mut self, column: &str) -> Self {
        self.scan.settings.as_bool.insert(column.to_owned());
        self
    }

    /// Reads the date 0000-00-00 as a null, and not as an error.
    pub fn zero_dates_as_null(mut self) -> Self {
        self.scan.settings.zero_dates_as_null = true;
        self
    }

    /// Of which moments the rows are.
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.scan.settings.consistency = consistency;
        self
    }

    /// Cuts what is read at values of this column, best one with an index. Nulls are in the first split.
    pub fn split_by(mut self, column: &str) -> Self {
        self.scan.settings.split_by = Some(column.to_owned());
        self
    }

    /// Cuts what is read into about so many splits; without it, one for each 32 MiB.
    pub fn splits(mut self, splits: usize) -> Self {
        self.scan.settings.splits = Some(splits);
        self
    }

    /// How many connections one process reads by at the same time, 8 unless set, where the [`Consistency`] allows more than
    /// one. A task that gets none waits for up to 10 minutes.
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
    /// Given by the action, as those of [`ReadMysql::read_mysql`].
    #[track_caller]
    pub fn read<T: Row>(self) -> Dataset<T, impl Chain<Out = T> + use<T>> {
        self.cx.scan::<T, _>(self.scan)
    }

    /// The source itself, for whatever takes a [`Scan`](kiln::connect::Scan).
    pub fn scan(self) -> MysqlScan {
        self.scan
    }
}
