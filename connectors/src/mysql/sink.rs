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

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use kiln::connect::{Begin, PartWriter, Sink, SinkRun, SinkTask, reached};
use kiln::job::Output;
use kiln::{Error, Mode, Result};
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::catalog::Table;
use super::session::{Purpose, Session, identifier};
use crate::publish::{self, Change, Claim, Counts, Database as _, Publisher, connected};
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
/// How long a job that publishes nothing tries to take its staging table back.
const WITHDRAW_LIMIT: Duration = Duration::from_secs(5);

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

/// What happens to the rows that are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum What {
    Unset,
    Append,
    AppendOnce,
    Overwrite,
    /// The table must be empty; else the job fails, or is skipped.
    IfEmpty {
        skips: bool,
    },
    ReplacePartitions,
    ReplaceWhere(String),
    UpsertBy(Vec<String>),
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
pub struct MysqlHeld {
    database: MysqlDatabase,
    target: Target,
    change: Change,
    claim: Option<Claim>,
}

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

    /// What is done, by the job's choice or else the caller's.
    fn what(&self, caller: Option<Mode>) -> What {
        match &self.what {
            What::Unset => What::of(caller.unwrap_or_default()),
            what => what.clone(),
        }
    }

    fn change(&self, caller: Option<Mode>) -> Result<Change> {
        Ok(match self.what(caller) {
            What::Append | What::AppendOnce | What::IfEmpty { .. } | What::Unset => Change::Append,
            What::Overwrite => Change::Overwrite,
            What::ReplaceWhere(condition) => Change::Replace(condition),
            What::UpsertBy(keys) if keys.is_empty() => {
                return Err(Error::config("an upsert needs the columns of its key"));
            }
            What::UpsertBy(_) => Change::Upsert,
            What::ReplacePartitions => {
                let error = Error::config("a table has no folders, so its partitions have to be described");
                return Err(
                    error.help("`replace_where(\"day = '2026-11-20'\")` says which rows are replaced")
                );
            }
        })
    }

    fn target(&self, columns: &SchemaRef, check: Check<'_>) -> Result<Target> {
        let keys = match &self.what {
            What::UpsertBy(keys) => keys.as_slice(),
            _ => &[],
        };
        self.ask(check, |session| {
            columns::target(session, &self.table, columns, keys, self.settings.creates, check)
        })
    }

    fn database(&self, schema: &str) -> Result<MysqlDatabase> {
        let (retry, answer_limit) = (self.settings.retry, self.settings.answer_limit);
        Ok(MysqlDatabase { address: self.server()?, schema: schema.to_owned(), retry, answer_limit })
    }

    fn publisher(&self, target: &str, write_number: u32, run: &SinkRun) -> Publisher {
        Publisher {
            target: target.to_owned(),
            run_id: run.is_named().then(|| run.run_id().to_owned()),
            write_number,
            attempt: run.attempt(),
            publish: uuid::Uuid::new_v4().to_string(),
        }
    }

    fn report(&self, counts: Counts, run: &SinkRun) {
        let Counts { parts, rows, bytes } = counts;
        let (uri, partition_rows) = (self.address(), BTreeMap::new());
        run.published(Output { uri, partitions: parts, files: 0, rows, bytes, partition_rows });
    }

    /// Whether the mode lets nothing be written to a table that has rows; then why.
    fn is_taken(&self, target: &Target, database: &MysqlDatabase, run: &SinkRun) -> Result<Option<What>> {
        let what = self.what(run.mode());
        if !matches!(what, What::IfEmpty { .. }) {
            return Ok(None);
        }
        let check = || run.check();
        let sql = format!("SELECT 1 FROM {} LIMIT 1", target.name);
        let rows = connected(database, "looking into the table", &check, |connection| {
            connection.query("the table cannot be read", &sql)
        })?;
        Ok((!rows.is_empty()).then_some(what))
    }

    /// Begins a publish of a run that has not published this before.
    fn begin_new(&self, columns: &SchemaRef, run: &SinkRun) -> Result<Begin<MysqlHeld, MysqlStage>> {
        let check = || run.check();
        let change = self.change(run.mode())?;
        if self.what(run.mode()) == What::AppendOnce && !run.is_named() {
            let error = Error::config("the mode append-once needs a run id").reason("no_run_id");
            return Err(
                error.help("set KILN_RUN_ID, or --run-id, to a name that a retry of this run has, too")
            );
        }
        let target = self.target(columns, &check)?;
        let database = self.database(&target.schema)?;
        match self.is_taken(&target, &database, run)? {
            Some(What::IfEmpty { skips: true }) => {
                run.skip(&format!("the table has rows: {}", self.address()));
                return Ok(Begin::Done);
            }
            Some(_) => {
                let error = Error::config("the table has rows").reason("output_exists");
                return Err(
                    error.help("say what becomes of them: append, overwrite, replace_where or upsert_by")
                );
            }
            None => {}
        }
        let publisher = self.publisher(&target.name, run.next_write(&self.address()), run);
        let claim = match publish::claim(&database, &publisher, &change, target.is_new, &check)? {
            Ok(claim) => claim,
            // Another attempt has published since it was asked.
            Err(counts) => {
                self.report(counts, run);
                return Ok(Begin::Done);
            }
        };
        let (staging, columns) = (database.beside(&claim.staging), target.columns.clone());
        let stage = MysqlStage { staging, target: target.name.clone(), columns };
        let held = MysqlHeld { database, target, change, claim: Some(claim) };
        held.create_staging(&stage.staging, &check)?;
        if let Err(error) = publish::sweep(&held.database, &check) {
            log::warn!("staging tables of earlier attempts cannot be looked for: {error}");
        }
        Ok(Begin::Begun { held, stage })
    }
}

impl What {
    fn of(mode: Mode) -> What {
        match mode {
            Mode::Error => What::IfEmpty { skips: false },
            Mode::Ignore => What::IfEmpty { skips: true },
            Mode::Append => What::Append,
            Mode::AppendOnce => What::AppendOnce,
            Mode::Overwrite => What::Overwrite,
            Mode::ReplacePartitions => What::ReplacePartitions,
        }
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
        let publisher = self.publisher(&table.from(), run.writes_to(&self.address()), run);
        let database = self.database(table.schema())?;
        let done = publish::published_before(&database, &publisher, &check);
        let Some(counts) = done.map_err(|e| e.at("target", self.address()))? else { return Ok(false) };
        run.next_write(&self.address());
        log::info!("already published by this run: {}", self.address());
        self.report(counts, run);
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

    fn commit(&self, mut held: MysqlHeld, parts: Vec<MysqlPart>, run: &SinkRun) -> Result<()> {
        reached("table.staged");
        let guard = run.committing()?;
        let counts = Counts {
            parts: parts.len() as u64,
            rows: parts.iter().map(|part| part.rows).sum(),
            bytes: parts.iter().map(|part| part.bytes).sum(),
        };
        let Some(claim) = held.claim.clone() else { return Err(Error::bug("a publish is committed twice")) };
        let staging = held.database.beside(&claim.staging);
        let rows = Rows { target: &held.target, staging: &staging, parts: &parts };
        let move_rows = |connection: &dyn publish::Connection, newer: &[publish::Entry]| {
            rows.apply(connection, &held.change, newer)
        };
        let done = publish::commit(&held.database, &claim, &held.change, counts, &move_rows);
        if let Err(error) = done {
            if error.reason_word() == "outcome_unknown" {
                // Neither the claim nor the rows may go: the transaction may still be under way.
                held.claim = None;
                guard.unresolved();
            }
            return Err(error.at("target", self.address()));
        }
        held.claim = None;
        self.report(counts, run);
        drop(guard);
        held.drop_staging(&claim);
        reached("table.cleaned");
        Ok(())
    }
}

impl MysqlHeld {
    /// Makes a table with the types of the target's columns.
    fn create_staging(&self, staging: &str, check: Check<'_>) -> Result<()> {
        let columns = self.target.columns.iter().map(|column| identifier(&column.name));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {staging} ({PART} bigint NOT NULL DEFAULT 0) ENGINE = InnoDB \
             SELECT {columns} FROM {} LIMIT 0",
            self.target.name
        );
        connected(&self.database, "creating the staging table", check, |connection| {
            connection.execute("the staging table cannot be created", &sql).map(drop)
        })
    }

    /// Drops the staging table after the commit. The next attempt does it if this fails.
    fn drop_staging(&self, claim: &Claim) {
        let check = limit(WITHDRAW_LIMIT);
        let dropped = self
            .database
            .connect(&check)
            .and_then(|connection| self.database.drop_staging(&*connection, &claim.staging));
        if let Err(error) = dropped {
            log::warn!("the staging table {} stays for now: {error}", claim.staging);
        }
    }
}

impl Drop for MysqlHeld {
    fn drop(&mut self) {
        let Some(claim) = self.claim.take() else { return };
        if let Err(error) = publish::withdraw(&self.database, &claim, &limit(WITHDRAW_LIMIT)) {
            log::warn!("the staging table {} stays for now: {error}", claim.staging);
        }
    }
}

/// A check that ends waits after `limit`.
fn limit(limit: Duration) -> impl Fn() -> Result<()> {
    let end = std::time::Instant::now() + limit;
    move || match std::time::Instant::now() < end {
        true => Ok(()),
        false => Err(Error::transient(format!("the server did not answer within {limit:?}"))),
    }
}
