//! PostgreSQL as a target: rows are staged by binary `COPY`, and published by one transaction.
//!
//! Each attempt of a run has a staging table. Tasks copy their rows into it, with the number of the task's attempt, so that
//! those of attempts that lost can be left out. The commit moves the rows of the parts that count into the target and
//! writes the ledger ([`crate::publish`]), in one transaction. Staging tables are unlogged: their rows are of no use after a
//! crash of the server, and are written to its log once, when they are moved. The commit counts them, because a crash
//! empties such a table.

mod columns;
mod database;
mod encode;
mod encoding;
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
use super::session::{Session, identifier};
use crate::publish::{self, Change, Claim, Counts, Publisher, connected};
use crate::retry::{Retry, unreachable};
use crate::wait::Check;
use columns::{Column, PART, Target};
use database::PostgresDatabase;
use moves::Rows;
use part::Part;
pub use part::PostgresPart;

/// Connections by which one process writes, unless set.
const MAX_CONNECTIONS: usize = 8;
/// How long a task waits for one of them.
const PERMIT_LIMIT: Duration = Duration::from_secs(600);
/// How long an answer of the server is waited for, unless set.
const ANSWER_LIMIT: Duration = Duration::from_secs(1800);
/// How long a job that publishes nothing tries to take its staging table back.
const WITHDRAW_LIMIT: Duration = Duration::from_secs(5);

/// A table of a PostgreSQL database that rows are written to; made by
/// [`postgres_table`](super::WritePostgres::postgres_table), and given to `write_to`.
///
/// Without a choice the mode is that of the caller (`--kiln-mode`, `KILN_MODE`), or [`Mode::Error`]: the table must be empty.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[must_use = "nothing is written before `write_to`"]
pub struct PostgresSink {
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
    staging_schema: Option<String>,
    max_connections: usize,
    statement_timeout: Option<Duration>,
    answer_limit: Duration,
    retry: Retry,
    password_file: Option<PathBuf>,
}

/// What tasks must know of a publish.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PostgresStage {
    /// The staging table, as SQL names it.
    staging: String,
    /// For errors.
    target: String,
    columns: Vec<Column>,
}

/// A publish that has begun; dropped without a commit, it is taken back.
pub struct PostgresHeld {
    database: PostgresDatabase,
    target: Target,
    change: Change,
    claim: Option<Claim>,
}

impl PostgresSink {
    /// The table that SQL calls `table`, `"shop.daily"`, of the database at `url`, `"postgres://user@host/database"`.
    pub fn new(url: &str, table: &str) -> PostgresSink {
        let settings = Settings {
            creates: false,
            staging_schema: None,
            max_connections: MAX_CONNECTIONS,
            statement_timeout: None,
            answer_limit: ANSWER_LIMIT,
            retry: Retry::default(),
            password_file: None,
        };
        let address = Address::parse(url).map_err(|error| error.to_string());
        PostgresSink { address, table: table.to_owned(), what: What::Unset, settings }
    }

    /// Adds the rows. A retry under the same run id adds nothing; a run without an id adds them again.
    pub fn append(self) -> Self {
        self.with(What::Append)
    }

    /// Replaces all rows of the table.
    pub fn overwrite(self) -> Self {
        self.with(What::Overwrite)
    }

    /// Replaces the rows for which a condition in SQL holds, such as `"day = DATE '2026-11-20'"`; also by none. New rows for
    /// which it does not hold are an error. It should use constants and not `now()`.
    pub fn replace_where(self, condition: &str) -> Self {
        self.with(What::ReplaceWhere(condition.to_owned()))
    }

    /// Changes the rows that have the key of a new row, and adds the others. The table needs a primary key, or a unique index,
    /// of exactly these columns.
    pub fn upsert_by<'k>(self, key: impl IntoIterator<Item = &'k str>) -> Self {
        self.with(What::UpsertBy(key.into_iter().map(str::to_owned).collect()))
    }

    /// What happens to the rows that are there, as for files; [`Mode::Error`] and [`Mode::Ignore`] look whether there are any.
    /// For [`Mode::ReplacePartitions`] say which rows those are, by [`replace_where`](PostgresSink::replace_where).
    pub fn mode(self, mode: Mode) -> Self {
        self.with(What::of(mode))
    }

    /// Creates the table if there is none, with the columns of the rows and, for an upsert, the key as its primary key. It
    /// appears with the rows.
    pub fn create(mut self) -> Self {
        self.settings.creates = true;
        self
    }

    /// The schema of the staging tables and of the ledger; that of the table unless set. The user must be allowed to create
    /// tables there.
    pub fn staging_schema(mut self, schema: &str) -> Self {
        self.settings.staging_schema = Some(schema.to_owned());
        self
    }

    /// By how many connections one process writes at the same time, 8 unless set. A task that gets none waits for up to 10
    /// minutes.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = connections;
        self
    }

    /// How long the server may work on one statement, the one that moves all rows included; without it, as the server is set.
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

    /// Holds the table against columns: what [`Sink::begin`] does first, without a claim.
    ///
    /// # Errors
    /// Config, with the column, for one that does not fit.
    pub fn check(&self, columns: &SchemaRef) -> Result<()> {
        self.change(None)?;
        self.target(columns, &|| Ok(())).map(drop)
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

    /// Connects and begins, as often as the settings allow.
    fn connect<T>(
        &self,
        check: Check<'_>,
        mut begin: impl FnMut(&Session) -> Result<T>,
    ) -> Result<(Session, T)> {
        let address = self.server()?;
        let connected = self.settings.retry.run(&format!("connecting to {address}"), check, || {
            let session = Session::connect(&address, self.settings.answer_limit, check)?;
            begin(&session).map(|begun| (session, begun))
        });
        connected.map_err(unreachable)
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
                    error.help("`replace_where(\"day = DATE '2026-11-20'\")` says which rows are replaced")
                );
            }
        })
    }

    fn target(&self, columns: &SchemaRef, check: Check<'_>) -> Result<Target> {
        let keys = match &self.what {
            What::UpsertBy(keys) => keys.as_slice(),
            _ => &[],
        };
        let find = |session: &Session| {
            columns::target(session, &self.table, columns, keys, self.settings.creates, check)
        };
        let found = self.connect(check, find);
        found.map(|(_, target)| target).map_err(|e| e.at("target", self.address()))
    }

    /// The table by the name that the ledger has for it, and whether it exists.
    fn find(&self, check: Check<'_>) -> Result<columns::Found> {
        let found = self.connect(check, |session| columns::find(session, &self.table, check));
        found.map(|(_, found)| found).map_err(|e| e.at("target", self.address()))
    }

    fn database(&self, schema: &str) -> Result<PostgresDatabase> {
        let own = self.settings.staging_schema.as_deref().map(identifier);
        Ok(PostgresDatabase {
            address: self.server()?,
            schema: own.unwrap_or_else(|| schema.to_owned()),
            retry: self.settings.retry,
            answer_limit: self.settings.answer_limit,
            statement_timeout: self.settings.statement_timeout,
        })
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
        let partition_rows = BTreeMap::new();
        run.published(Output {
            uri: self.address(),
            partitions: parts,
            files: 0,
            rows,
            bytes,
            partition_rows,
        });
    }

    /// Whether the mode lets nothing be written to a table that has rows; then why.
    fn is_taken(&self, target: &Target, database: &PostgresDatabase, run: &SinkRun) -> Result<Option<What>> {
        let what = self.what(run.mode());
        if target.create.is_some() || !matches!(what, What::IfEmpty { .. }) {
            return Ok(None);
        }
        let check = || run.check();
        let sql = format!("SELECT 1 FROM {} LIMIT 1", target.name);
        let rows = connected(database, "looking into the table", &check, |connection| {
            connection.query("the table cannot be read", &sql)
        })?;
        Ok((!rows.is_empty()).then_some(what))
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

impl Sink for PostgresSink {
    type Stage = PostgresStage;
    type Held = PostgresHeld;
    type Part = PostgresPart;

    fn address(&self) -> String {
        match &self.address {
            Ok(address) => format!("{address} {}", self.table),
            Err(_) => format!("postgres:// {}", self.table),
        }
    }

    fn label(&self) -> String {
        format!("write_postgres {}", self.table)
    }

    fn already_published(&self, run: &SinkRun) -> Result<bool> {
        if !run.is_named() {
            return Ok(false);
        }
        let check = || run.check();
        let found = self.find(&check)?;
        if found.oid.is_none() {
            // Somebody has removed it: it is not published any more.
            return Ok(false);
        }
        let publisher = self.publisher(&found.name, run.writes_to(&self.address()), run);
        let database = self.database(&found.schema)?;
        let done = publish::published_before(&database, &publisher, &check);
        let Some(counts) = done.map_err(|e| e.at("target", self.address()))? else { return Ok(false) };
        run.next_write(&self.address());
        log::info!("already published by this run: {}", self.address());
        self.report(counts, run);
        Ok(true)
    }

    fn begin(&self, columns: &SchemaRef, run: &SinkRun) -> Result<Begin<PostgresHeld, PostgresStage>> {
        if self.already_published(run)? {
            return Ok(Begin::Done);
        }
        let begun = self.begin_new(columns, run);
        begun.map_err(|e| e.at("target", self.address()))
    }

    fn open<'t>(
        &'t self,
        stage: &'t PostgresStage,
        task: &'t SinkTask<'t>,
    ) -> Result<Box<dyn PartWriter<Part = PostgresPart> + 't>> {
        Ok(Box::new(Part::new(self, stage, task)))
    }

    fn commit(&self, mut held: PostgresHeld, parts: Vec<PostgresPart>, run: &SinkRun) -> Result<()> {
        reached("table.staged");
        let guard = run.committing()?;
        let counts = Counts {
            parts: parts.len() as u64,
            rows: parts.iter().map(|part| part.rows).sum(),
            bytes: parts.iter().map(|part| part.bytes).sum(),
        };
        let Some(claim) = held.claim.clone() else { return Err(Error::bug("a publish is committed twice")) };
        let staging = held.database.staging(&claim.staging);
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

impl PostgresSink {
    /// Begins a publish of a run that has not published this before.
    fn begin_new(&self, columns: &SchemaRef, run: &SinkRun) -> Result<Begin<PostgresHeld, PostgresStage>> {
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
        let claim = match publish::claim(&database, &publisher, &change, target.create.is_some(), &check)? {
            Ok(claim) => claim,
            // Another attempt has published since it was asked.
            Err(counts) => {
                self.report(counts, run);
                return Ok(Begin::Done);
            }
        };
        let stage = PostgresStage {
            staging: database.staging(&claim.staging),
            target: target.name.clone(),
            columns: target.columns.clone(),
        };
        let held = PostgresHeld { database, target, change, claim: Some(claim) };
        held.create_staging(&stage.staging, &check)?;
        if let Err(error) = publish::sweep(&held.database, &check) {
            log::warn!("staging tables of earlier attempts cannot be looked for: {error}");
        }
        Ok(Begin::Begun { held, stage })
    }
}

impl PostgresHeld {
    fn create_staging(&self, staging: &str, check: Check<'_>) -> Result<()> {
        let columns = self.target.columns.iter().zip(&self.target.staged);
        let columns = columns.map(|(column, data_type)| format!("{} {data_type}", identifier(&column.name)));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let sql = format!(
            "CREATE UNLOGGED TABLE IF NOT EXISTS {staging} ({columns}, {PART} bigint NOT NULL) \
             WITH (autovacuum_enabled = false)"
        );
        connected(&self.database, "creating the staging table", check, |connection| {
            connection.execute("the staging table cannot be created", &sql).map(drop)
        })
    }

    /// Drops the staging table after the commit. The next attempt does it if this fails.
    fn drop_staging(&self, claim: &Claim) {
        use crate::publish::Database;
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

impl Drop for PostgresHeld {
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
