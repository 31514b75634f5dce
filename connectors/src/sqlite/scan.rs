//! The source: its settings, its splits, and the reader of one split.
//!
//! SQLite works in the thread that asks it, and cannot be told to look up now and then. So a split is read by a thread of its
//! own, a batch at a time, while the task's thread waits and looks whether it is to stop.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use kiln::connect::{BatchLimits, Scan, ScanBatches, ScanPlan, ScanTask};
use kiln::{Error, Result};
use rusqlite::{Connection, InterruptHandle, Row, Rows};
use serde::{Deserialize, Serialize};

use super::file::{self, State};
use super::types::Decoded;
use super::values::Values;
use super::{errors, plan};
use crate::gate::{self, Permit};
use crate::retry::Retry;
use crate::selection::Relation;
use crate::snapshots::{Lease, Registry};

/// Connections by which one process reads, unless set.
const MAX_CONNECTIONS: usize = 8;
/// How long a task waits for one of them.
const PERMIT_LIMIT: Duration = Duration::from_secs(600);
/// How long a batch is waited for, unless set.
const ANSWER_LIMIT: Duration = Duration::from_secs(1800);
/// During a wait, how often is checked whether the task is to stop.
const CHECK_EVERY: Duration = Duration::from_millis(100);
/// How often opening a locked file is tried, unless set.
const RETRY: Retry = Retry {
    tries: 7,
    first_pause: Duration::from_millis(200),
    factor: 2.0,
    longest_pause: Duration::from_secs(10),
};

/// The connections that the driver has opened.
pub(super) static SNAPSHOTS: Registry<Connection> = Registry::new();

/// A table, view or query of a database file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SqliteScan {
    pub(super) path: PathBuf,
    pub(super) relation: Relation,
    pub(super) settings: Settings,
}

/// How it is read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) columns: Option<Vec<String>>,
    pub(super) filter: Option<String>,
    pub(super) as_text: BTreeSet<String>,
    pub(super) split_by: Option<String>,
    pub(super) splits: Option<usize>,
    pub(super) max_connections: usize,
    pub(super) answer_limit: Duration,
    pub(super) retry: Retry,
}

/// What one task reads: a statement on one state of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SqliteSplit {
    /// For errors: `orders, rowid from 0 to 4096`.
    pub(super) name: String,
    pub(super) table: String,
    pub(super) sql: String,
    /// Whether the first column of the statement is the rowid.
    pub(super) has_rowid: bool,
    pub(super) columns: Vec<Decoded>,
    pub(super) snapshot: String,
    pub(super) state: State,
}

impl SqliteScan {
    /// Executors look for the file at the same path, wherever they were started.
    pub(super) fn new(path: &Path) -> SqliteScan {
        let settings = Settings {
            columns: None,
            filter: None,
            as_text: BTreeSet::new(),
            split_by: None,
            splits: None,
            max_connections: MAX_CONNECTIONS,
            answer_limit: ANSWER_LIMIT,
            retry: RETRY,
        };
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        SqliteScan { path, relation: Relation::Unset, settings }
    }

    pub(super) fn with_table(mut self, name: &str) -> SqliteScan {
        self.relation = Relation::Table(name.to_owned());
        self
    }

    pub(super) fn with_query(mut self, sql: &str) -> SqliteScan {
        self.relation = Relation::query(sql);
        self
    }

    /// A connection that sees the state of the plan: one of the driver's, or in another process a new one.
    fn connect(&self, split: &SqliteSplit, check: &dyn Fn() -> Result<()>) -> Result<(Connection, Keeper)> {
        if let Some(snapshot) = SNAPSHOTS.find(&split.snapshot) {
            let mut lease = snapshot.take(PERMIT_LIMIT, check)?;
            let connection = lease.take_out().ok_or_else(|| Error::bug("a lease without a connection"))?;
            return Ok((connection, Keeper::Lease(lease)));
        }
        let server = self.path.display().to_string();
        let permit = gate::enter(&server, self.settings.max_connections, PERMIT_LIMIT, check)?;
        let connection = file::open(&self.path, &self.settings.retry, check)?;
        match file::state(&connection)? == split.state {
            true => Ok((connection, Keeper::Own(permit))),
            false => Err(errors::changed()),
        }
    }
}

impl Scan for SqliteScan {
    type Split = SqliteSplit;

    fn address(&self) -> String {
        match &self.relation {
            Relation::Table(table) => format!("sqlite:{} {table}", self.path.display()),
            Relation::Query(_) | Relation::Unset => format!("sqlite:{}", self.path.display()),
        }
    }

    fn label(&self) -> String {
        self.relation.label("read_sqlite")
    }

    fn plan(&self, wanted: Option<&SchemaRef>) -> Result<ScanPlan<SqliteSplit>> {
        plan::plan(self, wanted)
    }

    fn open<'t>(
        &'t self,
        split: &'t SqliteSplit,
        task: &'t ScanTask<'t>,
    ) -> Result<Box<dyn ScanBatches + 't>> {
        let check = || task.check();
        let (connection, keeper) = self.connect(split, &check).map_err(|e| e.at("split", &split.name))?;
        task.enter("split", &split.name, "row", 1);
        Ok(Box::new(Reader::start(connection, keeper, split, task, self.settings.answer_limit)?))
    }
}

/// What a connection goes back to.
enum Keeper {
    Lease(Lease<Connection>),
    /// It is closed.
    Own(#[expect(dead_code, reason = "it is held")] Permit),
}

/// A batch and the bytes of its values; nothing at the end.
type Answer = Result<Option<(RecordBatch, u64)>>;

/// Reads one split, by a thread that has the connection.
struct Reader<'t> {
    /// Asks for a batch. Dropped, it ends the thread.
    wanted: Option<SyncSender<()>>,
    batches: Receiver<Answer>,
    thread: Option<JoinHandle<Connection>>,
    interrupt: InterruptHandle,
    keeper: Option<Keeper>,
    task: &'t ScanTask<'t>,
    limit: Duration,
    bytes: u64,
}

impl<'t> Reader<'t> {
    fn start(
        connection: Connection,
        keeper: Keeper,
        split: &SqliteSplit,
        task: &'t ScanTask<'t>,
        limit: Duration,
    ) -> Result<Reader<'t>> {
        let interrupt = connection.get_interrupt_handle();
        let (wanted, requests) = mpsc::sync_channel(1);
        let (answers, batches) = mpsc::sync_channel(1);
        let work = Work::new(split.clone(), task.schema().clone(), task.limits());
        let thread = std::thread::Builder::new().name("kiln-sqlite".to_owned());
        let thread = thread.spawn(move || work.run(connection, &requests, &answers));
        let thread = thread.map_err(|e| Error::io("a thread for SQLite cannot be started", e))?;
        let (wanted, thread, keeper) = (Some(wanted), Some(thread), Some(keeper));
        Ok(Reader { wanted, batches, thread, interrupt, keeper, task, limit, bytes: 0 })
    }

    fn answer(&self) -> Answer {
        let end = Instant::now() + self.limit;
        loop {
            match self.batches.recv_timeout(CHECK_EVERY) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::bug("the thread of SQLite has ended"));
                }
                Err(RecvTimeoutError::Timeout) => self.task.check()?,
            }
            if Instant::now() >= end {
                let error = Error::transient(format!("SQLite gave no rows for {:?}", self.limit));
                return Err(error.reason("source_stalled").help("`answer_limit` allows for longer waits"));
            }
        }
    }
}

impl ScanBatches for Reader<'_> {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Some(wanted) = &self.wanted else { return Ok(None) };
        // A thread that has failed has left its error.
        let _ = wanted.send(());
        match self.answer()? {
            Some((batch, bytes)) => {
                self.bytes += bytes;
                Ok(Some(batch))
            }
            None => {
                self.wanted = None;
                Ok(None)
            }
        }
    }

    fn bytes_read(&self) -> u64 {
        self.bytes
    }
}

/// Stops the thread, and gives the connection back with its transaction.
impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if self.wanted.take().is_some() {
            self.interrupt.interrupt();
        }
        let connection = self.thread.take().and_then(|thread| thread.join().ok());
        if let (Some(Keeper::Lease(mut lease)), Some(connection)) = (self.keeper.take(), connection) {
            lease.put_back(connection);
        }
    }
}

/// What the thread does.
struct Work {
    split: SqliteSplit,
    schema: SchemaRef,
    limits: BatchLimits,
    columns: Vec<Values>,
    /// Rows of the split so far.
    total: u64,
}

impl Work {
    fn new(split: SqliteSplit, schema: SchemaRef, limits: BatchLimits) -> Work {
        let columns = split.columns.iter().map(|decoded| Values::new(*decoded, limits.rows)).collect();
        Work { split, schema, limits, columns, total: 0 }
    }

    /// Answers requests until the rows or the requests end.
    fn run(
        mut self,
        connection: Connection,
        requests: &Receiver<()>,
        answers: &SyncSender<Answer>,
    ) -> Connection {
        if let Err(error) = self.answer(&connection, requests, answers) {
            // Whoever has gone away wants no answer.
            let _ = answers.send(Err(error));
        }
        connection
    }

    fn answer(
        &mut self,
        connection: &Connection,
        requests: &Receiver<()>,
        answers: &SyncSender<Answer>,
    ) -> Result<()> {
        let name = self.split.name.clone();
        let failed = |e| errors::of("the rows cannot be read", e).at("split", &name);
        let mut statement = connection.prepare(&self.split.sql).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while requests.recv().is_ok() {
            let batch = self.fill(&mut rows, &failed)?;
            let is_last = batch.is_none();
            if answers.send(Ok(batch)).is_err() || is_last {
                break;
            }
        }
        Ok(())
    }

    /// The next batch and its bytes.
    fn fill(
        &mut self,
        rows: &mut Rows<'_>,
        failed: &dyn Fn(rusqlite::Error) -> Error,
    ) -> Result<Option<(RecordBatch, u64)>> {
        let (mut count, mut bytes) = (0, 0);
        while count == 0 || !self.limits.are_reached(count, bytes) {
            let Some(row) = rows.next().map_err(failed)? else { break };
            bytes += self.push(row, failed)?;
            count += 1;
            self.total += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let columns: Vec<ArrayRef> = self.columns.iter_mut().map(Values::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        Ok(Some((batch, bytes as u64)))
    }

    fn push(&mut self, row: &Row<'_>, failed: &dyn Fn(rusqlite::Error) -> Error) -> Result<usize> {
        let first = usize::from(self.split.has_rowid);
        let mut bytes = 0;
        for (at, column) in self.columns.iter_mut().enumerate() {
            let value = row.get_ref(first + at).map_err(failed)?;
            bytes += match column.push(value) {
                Ok(bytes) => bytes,
                Err(bad) => {
                    let error = Error::data(bad.what).at("table", &self.split.table);
                    let error = match self.split.has_rowid {
                        true => error.at("rowid", row.get::<_, i64>(0).map_err(failed)?),
                        false => error.at("split", &self.split.name).at("row", self.total + 1),
                    };
                    let error = error.at("column", self.schema.field(at).name());
                    return Err(bad.help.into_iter().fold(error, |error, help| error.help(help)));
                }
            };
        }
        Ok(bytes)
    }
}
