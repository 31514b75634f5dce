//! The source: its settings, its splits, and the reader of one split.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use kiln::connect::{Scan, ScanBatches, ScanPlan, ScanTask};
use kiln::{Class, Error, Result};
use mysql_async::Value;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::session::{Purpose, Session};
use super::types::{Decoded, Described};
use super::values::{Bad, Values};
use super::{Consistency, plan};
use crate::gate::{self, Permit};
use crate::retry::{Retry, unreachable};
use crate::selection::Relation;
use crate::snapshots::{Lease, Registry, SNAPSHOT_LOST};
use crate::wait::Check;

/// Connections by which one process reads, unless set.
const MAX_CONNECTIONS: usize = 8;
/// How long a task waits for one of them.
const PERMIT_LIMIT: Duration = Duration::from_secs(600);
/// How long an answer of the server is waited for, unless set.
const ANSWER_LIMIT: Duration = Duration::from_secs(1800);

/// The connections that the driver has opened.
pub(super) static SNAPSHOTS: Registry<Session> = Registry::new();

/// A table, view or query of a MySQL or MariaDB database.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MysqlScan {
    /// The address, or why it is none.
    address: Result<Address, String>,
    pub(super) relation: Relation,
    pub(super) settings: Settings,
}

/// How it is read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) columns: Option<Vec<String>>,
    pub(super) filter: Option<String>,
    pub(super) as_text: BTreeSet<String>,
    pub(super) as_bool: BTreeSet<String>,
    pub(super) zero_dates_as_null: bool,
    pub(super) consistency: Consistency,
    pub(super) split_by: Option<String>,
    pub(super) splits: Option<usize>,
    pub(super) max_connections: usize,
    pub(super) statement_timeout: Option<Duration>,
    pub(super) answer_limit: Duration,
    pub(super) retry: Retry,
    pub(super) password_file: Option<PathBuf>,
}

/// What one task reads: a statement, by a connection of a snapshot or by one of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MysqlSplit {
    /// For errors: `shop.orders, id from 0 to 4096`.
    pub(super) name: String,
    pub(super) sql: String,
    pub(super) columns: Vec<Decoded>,
    pub(super) snapshot: Option<String>,
}

impl MysqlScan {
    pub(super) fn new(url: &str) -> MysqlScan {
        let settings = Settings {
            columns: None,
            filter: None,
            as_text: BTreeSet::new(),
            as_bool: BTreeSet::new(),
            zero_dates_as_null: false,
            consistency: Consistency::default(),
            split_by: None,
            splits: None,
            max_connections: MAX_CONNECTIONS,
            statement_timeout: None,
            answer_limit: ANSWER_LIMIT,
            retry: Retry::default(),
            password_file: None,
        };
        let address = Address::parse(url).map_err(|error| error.to_string());
        MysqlScan { address, relation: Relation::Unset, settings }
    }

    pub(super) fn with_table(mut self, table: &str) -> MysqlScan {
        self.relation = Relation::Table(table.to_owned());
        self
    }

    pub(super) fn with_query(mut self, sql: &str) -> MysqlScan {
        self.relation = Relation::query(sql);
        self
    }

    /// Whether the address has a password in it, as its user's or as a parameter: such an address must not be kept in a file.
    pub fn holds_password(&self) -> bool {
        self.address.as_ref().is_ok_and(Address::holds_password)
    }

    /// The server, with the password file that was set.
    fn server(&self) -> Result<Address> {
        let malformed = |text: &String| Error::config(text.as_str()).reason("malformed_address");
        let mut address = self.address.as_ref().map_err(malformed)?.clone();
        address.password_file = self.settings.password_file.clone();
        Ok(address)
    }

    /// Connects, once.
    pub(super) fn connect_once(&self, check: Check<'_>) -> Result<Session> {
        let mut session =
            Session::connect(&self.server()?, Purpose::Read, self.settings.answer_limit, check)?;
        session.limit_statements(self.settings.statement_timeout, check)?;
        Ok(session)
    }

    /// Connects, as often as the settings allow.
    pub(super) fn connect(&self, check: Check<'_>) -> Result<Session> {
        self.begin(check, |_| Ok(())).map(|(session, ())| session)
    }

    /// Connects and begins, as often as the settings allow; `begin` is tried again with the connection.
    fn begin<T>(
        &self,
        check: Check<'_>,
        mut begin: impl FnMut(&mut Session) -> Result<T>,
    ) -> Result<(Session, T)> {
        let what = format!("connecting to {}", self.server()?);
        let connected = self.settings.retry.run(&what, check, || {
            let mut session = self.connect_once(check)?;
            let begun = begin(&mut session)?;
            Ok((session, begun))
        });
        connected.map_err(unreachable)
    }

    /// A connection on which the statement of the split runs.
    fn start(&self, split: &MysqlSplit, check: Check<'_>) -> Result<Connection> {
        let server = self.server()?;
        let Some(snapshot) = &split.snapshot else {
            let most = self.settings.max_connections;
            let permit = gate::enter(&server.to_string(), most, PERMIT_LIMIT, check)?;
            let begin = |session: &mut Session| {
                session.begin(check)?;
                start_as_planned(session, split, check)
            };
            let (session, ()) = self.begin(check, begin)?;
            return Ok(Connection::Own(session, permit));
        };
        let snapshot = SNAPSHOTS.find(snapshot).ok_or_else(other_process)?;
        loop {
            let mut lease = snapshot.take(PERMIT_LIMIT, check)?;
            match start_as_planned(lease.get()?, split, check) {
                Ok(()) => return Ok(Connection::Leased(lease, Box::new(server))),
                // The others see the same moment; when none is left, that is the error.
                Err(error) if is_lost(&error) => {
                    log::warn!("a connection of the snapshot is lost: {error}");
                    lease.lose();
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Runs the statement of a split, if its columns still are those of the plan.
fn start_as_planned(session: &mut Session, split: &MysqlSplit, check: Check<'_>) -> Result<()> {
    let columns = session.start(&split.sql, check)?;
    let is_same = |(planned, found): (&Decoded, &Described)| {
        let found = found.decoded().ok();
        found == Some(*planned) || found.and_then(Decoded::as_bool) == Some(*planned)
    };
    match split.columns.iter().zip(&columns).all(is_same) {
        true => Ok(()),
        false => {
            let error = Error::transient("the columns have changed since they were planned");
            Err(error.reason(SNAPSHOT_LOST).help("run the job again"))
        }
    }
}

/// Whether the connection has ended.
fn is_lost(error: &Error) -> bool {
    error.class() == Class::Transient && error.reason_word() == "connection_lost"
}

/// The error of a task that has no connection which sees the moment of the plan.
fn other_process() -> Error {
    let error =
        Error::config("rows of one moment are read by the driver's process alone, and this is another one");
    error.reason("other_process").help(
        "`consistency = \"per-split\"` (`Consistency::PerSplit`) lets executors read, each split as of a moment of its own; \
         or run the job in one process (`KILN_CLUSTER=local[…]`)",
    )
}

impl Scan for MysqlScan {
    type Split = MysqlSplit;

    fn address(&self) -> String {
        let server = match &self.address {
            Ok(address) => address.to_string(),
            Err(_) => "mysql://".to_owned(),
        };
        match &self.relation {
            Relation::Table(table) => format!("{server} {table}"),
            Relation::Query(_) | Relation::Unset => server,
        }
    }

    fn label(&self) -> String {
        self.relation.label("read_mysql")
    }

    fn plan(&self, wanted: Option<&SchemaRef>) -> Result<ScanPlan<MysqlSplit>> {
        plan::plan(self, wanted)
    }

    fn open<'t>(
        &'t self,
        split: &'t MysqlSplit,
        task: &'t ScanTask<'t>,
    ) -> Result<Box<dyn ScanBatches + 't>> {
        let connection = self.start(split, &|| task.check()).map_err(|e| e.at("split", &split.name))?;
        task.enter("split", &split.name, "row", 1);
        let zero_is_null = self.settings.zero_dates_as_null;
        let column = |decoded: &Decoded| Values::new(*decoded, task.limits().rows, zero_is_null);
        let columns = split.columns.iter().map(column).collect();
        Ok(Box::new(Reader { connection, columns, rows: 0, bytes: 0, is_ended: false, split, task }))
    }
}

/// Whose connection it is.
enum Connection {
    /// Of a snapshot: it is given back.
    Leased(Lease<Session>, Box<Address>),
    /// It is closed.
    Own(Session, #[expect(dead_code, reason = "it is held")] Permit),
}

impl Connection {
    fn session(&mut self) -> Result<&mut Session> {
        match self {
            Connection::Leased(lease, _) => lease.get(),
            Connection::Own(session, _) => Ok(session),
        }
    }
}

/// A connection whose statement cannot be ended is lost, and the snapshot has one less.
impl Drop for Connection {
    fn drop(&mut self) {
        let Connection::Leased(lease, server) = self else { return };
        if let Some(mut session) = lease.take_out()
            && session.stop(server).is_ok()
        {
            lease.put_back(session);
        }
    }
}

/// Reads one split.
struct Reader<'t> {
    connection: Connection,
    columns: Vec<Values>,
    /// Of the split so far.
    rows: u64,
    bytes: u64,
    is_ended: bool,
    split: &'t MysqlSplit,
    task: &'t ScanTask<'t>,
}

impl ScanBatches for Reader<'_> {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.is_ended {
            return Ok(None);
        }
        let Reader { connection, columns, rows, split, task, .. } = self;
        let (mut count, mut bytes) = (0, 0);
        let limits = task.limits();
        let take = |row: Vec<Value>| {
            bytes += push(columns, &row)
                .map_err(|(at, bad)| bad_row(bad, at, *rows + count as u64, split, task))?;
            count += 1;
            Ok(!limits.are_reached(count, bytes))
        };
        let ended = connection.session()?.read(&|| task.check(), take);
        self.is_ended = ended.map_err(|e| e.at("split", &split.name))?;
        self.rows += count as u64;
        self.bytes += bytes as u64;
        if count == 0 {
            return Ok(None);
        }
        let columns: Vec<ArrayRef> = self.columns.iter_mut().map(Values::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(self.task.schema().clone(), columns, &options)?;
        Ok(Some(batch))
    }

    fn bytes_read(&self) -> u64 {
        self.bytes
    }
}

/// Adds a row, and gives its bytes; or the column whose value cannot be read, and why.
fn push(columns: &mut [Values], row: &[Value]) -> Result<usize, (usize, Bad)> {
    let mut bytes = 0;
    for (at, (column, value)) in columns.iter_mut().zip(row).enumerate() {
        bytes += column.push(value).map_err(|bad| (at, bad))?;
    }
    Ok(bytes)
}

/// The error about a value: its split, the row in it, from 1, and the column.
fn bad_row(bad: Bad, column: usize, row: u64, split: &MysqlSplit, task: &ScanTask<'_>) -> Error {
    let error = Error::data(bad.what).at("split", &split.name).at("row", row + 1);
    let error = error.at("column", task.schema().field(column).name());
    bad.help.into_iter().fold(error, |error, help| error.help(help))
}
