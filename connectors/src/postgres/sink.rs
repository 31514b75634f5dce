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

use std::path::PathBuf;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use kiln::connect::{Begin, PartWriter, Sink, SinkRun, SinkTask};
use kiln::{Error, Mode, Result};
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::session::{Session, identifier};
use crate::publish::{self, Counts, Held, What, connected};
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
/// A condition as the server's SQL has it, for advice.
const CONDITION: &str = "day = DATE '2026-11-20'";

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
pub struct PostgresHeld(Held<PostgresDatabase, Target>);

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
        self.what.or(None).change(CONDITION)?;
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

    fn target(&self, columns: &SchemaRef, check: Check<'_>) -> Result<Target> {
        let keys = self.what.keys();
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
        let publisher = publish::publisher(&found.name, run.writes_to(&self.address()), run);
        let database = self.database(&found.schema)?;
        let done = publish::published_before(&database, &publisher, &check);
        let Some(counts) = done.map_err(|e| e.at("target", self.address()))? else { return Ok(false) };
        run.next_write(&self.address());
        log::info!("already published by this run: {}", self.address());
        publish::report(self.address(), counts, run);
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

    fn commit(&self, held: PostgresHeld, parts: Vec<PostgresPart>, run: &SinkRun) -> Result<()> {
        let counts = Counts {
            parts: parts.len() as u64,
            rows: parts.iter().map(|part| part.rows).sum(),
            bytes: parts.iter().map(|part| part.bytes).sum(),
        };
        held.0.commit(self.address(), counts, run, |held, staging, connection, newer| {
            let staging = held.database.staging(staging);
            let rows = Rows { target: &held.target, staging: &staging, parts: &parts };
            rows.apply(connection, &held.change, newer)
        })
    }
}

impl PostgresSink {
    /// Begins a publish of a run that has not published this before.
    fn begin_new(&self, columns: &SchemaRef, run: &SinkRun) -> Result<Begin<PostgresHeld, PostgresStage>> {
        let check = || run.check();
        let what = self.what.or(run.mode());
        let change = what.change(CONDITION)?;
        what.check_run(run)?;
        let target = self.target(columns, &check)?;
        let database = self.database(&target.schema)?;
        if target.create.is_none() && what.is_skipped(&database, &target.name, &check)? {
            run.skip(&format!("the table has rows: {}", self.address()));
            return Ok(Begin::Done);
        }
        let publisher = publish::publisher(&target.name, run.next_write(&self.address()), run);
        let claim = match publish::claim(&database, &publisher, &change, target.create.is_some(), &check)? {
            Ok(claim) => claim,
            // Another attempt has published since it was asked.
            Err(counts) => {
                publish::report(self.address(), counts, run);
                return Ok(Begin::Done);
            }
        };
        let stage = PostgresStage {
            staging: database.staging(&claim.staging),
            target: target.name.clone(),
            columns: target.columns.clone(),
        };
        let held = PostgresHeld(Held::new(database, target, change, claim));
        held.create_staging(&stage.staging, &check)?;
        if let Err(error) = publish::sweep(&held.0.database, &check) {
            log::warn!("staging tables of earlier attempts cannot be looked for: {error}");
        }
        Ok(Begin::Begun { held, stage })
    }
}

impl PostgresHeld {
    fn create_staging(&self, staging: &str, check: Check<'_>) -> Result<()> {
        let columns = self.0.target.columns.iter().zip(&self.0.target.staged);
        let columns = columns.map(|(column, data_type)| format!("{} {data_type}", identifier(&column.name)));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let sql = format!(
            "CREATE UNLOGGED TABLE IF NOT EXISTS {staging} ({columns}, {PART} bigint NOT NULL) \
             WITH (autovacuum_enabled = false)"
        );
        connected(&self.0.database, "creating the staging table", check, |connection| {
            connection.execute("the staging table cannot be created", &sql).map(drop)
        })
    }
}
