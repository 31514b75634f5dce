//! MySQL and MariaDB as a target: rows are staged by INSERTs, and published by one transaction.
//!
//! Each attempt of a run has a staging table, in the database of the target, with the types of its columns. Tasks insert their
//! rows into it, with the number of the task's attempt, so that those of attempts that lost are told apart. The commit moves the
//! rows of the parts that count into the target and writes the ledger ([`crate::publish`]), in one transaction of InnoDB. A
//! change of tables commits by itself on these servers, so staging tables, and a target that has to be created, are made before.

mod columns;
mod database;
mod encode;
mod moves;
mod part;

use std::path::PathBuf;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use kiln::connect::{Begin, PartWriter, Sink, SinkRun, SinkTask};
use kiln::{Error, Mode, Result};
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::catalog::Table;
use super::session::{Purpose, Session, identifier};
use crate::publish::{self, Counts, Held, What, connected};
use crate::retry::{Retry, unreachable};
use crate::wait::Check;
use columns::{Column, PART, Target};
use database::MysqlDatabase;
use moves::Rows;
pub use part::MysqlPart;
use part::Part;

/// Connections by which one process writes, unless set.
const MAX_CONNECTIONS: usize = 8;
/// How long a task waits for one of them.
const PERMIT_LIMIT: Duration = Duration::from_secs(600);
/// How long an answer of the server is waited for, unless set.
const ANSWER_LIMIT: Duration = Duration::from_secs(1800);
/// A condition as the server's SQL has it, for advice.
const CONDITION: &str = "day = '2026-11-20'";

/// A table of a MySQL or MariaDB database that rows are written to; made by [`mysql_table`](super::WriteMysql::mysql_table), and
/// given to `write_to`.
///
/// Without a choice the mode is that of the caller (`--kiln-mode`, `KILN_MODE`), or [`Mode::Error`]: the table must be empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[must_use = "nothing is written before `write_to`"]
pub struct MysqlSink {
    /// The address, or why it is none.
    address: Result<Address, String>,
    table: String,
    what: What,
    settings: Settings,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Settings {
    creates: bool,
    max_connections: usize,
    statement_timeout: Option<Duration>,
    answer_limit: Duration,
    retry: Retry,
    password_file: Option<PathBuf>,
}

/// What tasks must know of a publish.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MysqlStage {
    /// The staging table, as SQL names it.
    staging: String,
    /// For errors.
    target: String,
    columns: Vec<Column>,
}

/// A publish that has begun; dropped without a commit, it is taken back.
pub struct MysqlHeld(Held<MysqlDatabase, Target>);

impl MysqlSink {
    /// The table `table`, `"daily"` or `"shop.daily"`, of the database at `url`, `"mysql://user@host/database"`.
    pub fn new(url: &str, table: &str) -> MysqlSink {
        let settings = Settings {
            creates: false,
            max_connections: MAX_CONNECTIONS,
            statement_timeout: None,
            answer_limit: ANSWER_LIMIT,
            retry: Retry::default(),
            password_file: None,
        };
        let address = Address::parse(url).map_err(|error| error.to_string());
        MysqlSink { address, table: table.to_owned(), what: What::Unset, settings }
    }

    /// Adds the rows. A retry under the same run id adds nothing; a run without an id adds them again.
    pub fn append(self) -> Self {
        self.with(What::Append)
    }

    /// Replaces all rows of the table.
    pub fn overwrite(self) -> Self {
        self.with(What::Overwrite)
    }

    /// Replaces the rows for which a condition in SQL holds, such as `"day = '2026-11-20'"`; also by none. New rows for which it
    /// does not hold are an error. It should use constants and not `now()`.
    pub fn replace_where(self, condition: &str) -> Self {
        self.with(What::ReplaceWhere(condition.to_owned()))
    }

    /// Changes the rows that have the key of a new row, and adds the others. The table needs a primary key, or a unique index,
    /// of exactly these columns, and no other one.
    pub fn upsert_by<'k>(self, key: impl IntoIterator<Item = &'k str>) -> Self {
        self.with(What::UpsertBy(key.into_iter().map(str::to_owned).collect()))
    }

    /// What happens to the rows that are there, as for files; [`Mode::Error`] and [`Mode::Ignore`] look whether there are any.
    /// For [`Mode::ReplacePartitions`] say which rows those are, by [`replace_where`](MysqlSink::replace_where).
    pub fn mode(self, mode: Mode) -> Self {
        self.with(What::of(mode))
    }

    /// Creates the table if there is none, with the columns of the rows and, for an upsert, the key as its primary key. It
    /// is there, and empty, before the rows are.
    pub fn create(mut self) -> Self {
        self.settings.creates = true;
        self
    }

    /// By how many connections one process writes at the same time, 8 unless set. A task that gets none waits for up to 10
    /// minutes.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = connections;
        self
    }

    /// How long the server may work on one statement of a task; without it, as the server is set. MySQL limits reads alone.
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.settings.statement_timeout = Some(limit);
        self
    }

    /// How long one answer of the server is waited for, 30 minutes unless set.
    pub fn answer_limit(mut self, limit: Duration) -> Self {
        self.settings.answer_limit = limit;
        self
    }

    /// How often connecting, and a transaction, is tried again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.settings.retry = retry;
        self
    }

    /// Takes the password from the first line of a file, which every process must find there.
    pub fn password_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.password_file = Some(path.into());
        self
    }

    /// Whether the address has a password in it: such an address must not be kept in a file.
    pub fn holds_password(&self) -> bool {
        self.address.as_ref().is_ok_and(Address::holds_password)
    }

    fn with(mut self, what: What) -> Self {
        self.what = what;
        self
    }

    /// The server, with the password file that was set.
    fn server(&self) -> Result<Address> {
        let malformed = |text: &String| Error::config(text.as_str()).reason("malformed_address");
        let mut address = self.address.as_ref().map_err(malformed)?.clone();
        address.password_file = self.settings.password_file.clone();
        Ok(address)
    }

    /// Connects and asks, as often as the settings allow.
    fn ask<T>(&self, check: Check<'_>, mut ask: impl FnMut(&mut Session) -> Result<T>) -> Result<T> {
        let address = self.server()?;
        let asked = self.settings.retry.run(&format!("connecting to {address}"), check, || {
            ask(&mut Session::connect(&address, Purpose::Write, self.settings.answer_limit, check)?)
        });
        asked.map_err(unreachable)
    }

    fn target(&self, columns: &SchemaRef, check: Check<'_>) -> Result<Target> {
        let keys = self.what.keys();
        self.ask(check, |session| {
            columns::target(session, &self.table, columns, keys, self.settings.creates, check)
        })
    }

    fn database(&self, schema: &str) -> Result<MysqlDatabase> {
        let (retry, answer_limit) = (self.settings.retry, self.settings.answer_limit);
        Ok(MysqlDatabase { address: self.server()?, schema: schema.to_owned(), retry, answer_limit })
    }

    /// Begins a publish of a run that has not published this before.
    fn begin_new(&self, columns: &SchemaRef, run: &SinkRun) -> Result<Begin<MysqlHeld, MysqlStage>> {
        let check = || run.check();
        let what = self.what.or(run.mode());
        let change = what.change(CONDITION)?;
        what.check_run(run)?;
        let target = self.target(columns, &check)?;
        let database = self.database(&target.schema)?;
        if what.is_skipped(&database, &target.name, &check)? {
            run.skip(&format!("the table has rows: {}", self.address()));
            return Ok(Begin::Done);
        }
        let publisher = publish::publisher(&target.name, run.next_write(&self.address()), run);
        let claim = match publish::claim(&database, &publisher, &change, target.is_new, &check)? {
            Ok(claim) => claim,
            // Another attempt has published since it was asked.
            Err(counts) => {
                publish::report(self.address(), counts, run);
                return Ok(Begin::Done);
            }
        };
        let (staging, columns) = (database.beside(&claim.staging), target.columns.clone());
        let stage = MysqlStage { staging, target: target.name.clone(), columns };
        let held = MysqlHeld(Held::new(database, target, change, claim));
        held.create_staging(&stage.staging, &check)?;
        if let Err(error) = publish::sweep(&held.0.database, &check) {
            log::warn!("staging tables of earlier attempts cannot be looked for: {error}");
        }
        Ok(Begin::Begun { held, stage })
    }
}

impl Sink for MysqlSink {
    type Stage = MysqlStage;
    type Held = MysqlHeld;
    type Part = MysqlPart;

    fn address(&self) -> String {
        match &self.address {
            Ok(address) => format!("{address} {}", self.table),
            Err(_) => format!("mysql:// {}", self.table),
        }
    }

    fn label(&self) -> String {
        format!("write_mysql {}", self.table)
    }

    fn already_published(&self, run: &SinkRun) -> Result<bool> {
        if !run.is_named() {
            return Ok(false);
        }
        let check = || run.check();
        let found = self.ask(&check, |session| Table::find(session, &self.table, &check));
        let table = match found {
            Ok(table) => table,
            // Somebody has removed it: it is not published any more.
            Err(error) if error.reason_word() == "unknown_table" => return Ok(false),
            Err(error) => return Err(error.at("target", self.address())),
        };
        let publisher = publish::publisher(&table.from(), run.writes_to(&self.address()), run);
        let database = self.database(table.schema())?;
        let done = publish::published_before(&database, &publisher, &check);
        let Some(counts) = done.map_err(|e| e.at("target", self.address()))? else { return Ok(false) };
        run.next_write(&self.address());
        log::info!("already published by this run: {}", self.address());
        publish::report(self.address(), counts, run);
        Ok(true)
    }

    fn begin(&self, columns: &SchemaRef, run: &SinkRun) -> Result<Begin<MysqlHeld, MysqlStage>> {
        if self.already_published(run)? {
            return Ok(Begin::Done);
        }
        self.begin_new(columns, run).map_err(|e| e.at("target", self.address()))
    }

    fn open<'t>(
        &'t self,
        stage: &'t MysqlStage,
        task: &'t SinkTask<'t>,
    ) -> Result<Box<dyn PartWriter<Part = MysqlPart> + 't>> {
        Ok(Box::new(Part::new(self, stage, task)))
    }

    fn commit(&self, held: MysqlHeld, parts: Vec<MysqlPart>, run: &SinkRun) -> Result<()> {
        let counts = Counts {
            parts: parts.len() as u64,
            rows: parts.iter().map(|part| part.rows).sum(),
            bytes: parts.iter().map(|part| part.bytes).sum(),
        };
        held.0.commit(self.address(), counts, run, |held, staging, connection, newer| {
            let staging = held.database.beside(staging);
            let rows = Rows { target: &held.target, staging: &staging, parts: &parts };
            rows.apply(connection, &held.change, newer)
        })
    }
}

impl MysqlHeld {
    /// Makes a table with the types of the target's columns.
    fn create_staging(&self, staging: &str, check: Check<'_>) -> Result<()> {
        let columns = self.0.target.columns.iter().map(|column| identifier(&column.name));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {staging} ({PART} bigint NOT NULL DEFAULT 0) ENGINE = InnoDB \
             SELECT {columns} FROM {} LIMIT 0",
            self.0.target.name
        );
        connected(&self.0.database, "creating the staging table", check, |connection| {
            connection.execute("the staging table cannot be created", &sql).map(drop)
        })
    }
}
