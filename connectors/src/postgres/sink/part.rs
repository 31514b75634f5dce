//! The part of a task: its rows go into the staging table of the attempt by one `COPY`, which is a transaction of its own.

use std::pin::Pin;

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::SinkExt;
use kiln::connect::{PartWriter, SinkTask, reached};
use kiln::{Error, Result};
use serde::{Deserialize, Serialize};
use tokio_postgres::CopyInSink;
use tokio_postgres::error::SqlState;

use super::super::errors;
use super::super::session::{Session, identifier};
use super::columns::{Column, PART};
use super::encode::{BadValue, HEADER, TRAILER, encode};
use super::{PERMIT_LIMIT, PostgresSink, PostgresStage};
use crate::gate::{self, Permit};
use crate::publish::claim_lost;

/// Bytes that are sent at a time, about.
const CHUNK: usize = 1 << 16;

/// The rows of one part, counted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PostgresPart {
    /// Its number in the staging table.
    pub(super) number: i64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// Writes one part. Nothing is opened before the first row comes.
pub(super) struct Part<'t> {
    sink: &'t PostgresSink,
    stage: &'t PostgresStage,
    task: &'t SinkTask<'t>,
    open: Option<Open>,
    part: PostgresPart,
}

/// A `COPY` that is under way.
struct Open {
    // Before the session, which drives it.
    copy: Pin<Box<CopyInSink<Bytes>>>,
    session: Session,
    buffer: Vec<u8>,
    _permit: Permit,
}

impl<'t> Part<'t> {
    pub(super) fn new(sink: &'t PostgresSink, stage: &'t PostgresStage, task: &'t SinkTask<'t>) -> Part<'t> {
        // Two attempts at a partition, which may be alive at the same time, have two numbers.
        let number = (task.partition() as i64) << 32 | i64::from(task.attempt());
        Part { sink, stage, task, open: None, part: PostgresPart { number, rows: 0, bytes: 0 } }
    }

    fn open(&mut self) -> Result<&mut Open> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        Ok(self.open.insert(open))
    }

    fn begin(&self) -> Result<Open> {
        let check = || self.task.check();
        let server = format!("{} to write", self.sink.server()?);
        let permit = gate::enter(&server, self.sink.settings.max_connections, PERMIT_LIMIT, &check)?;
        let sql = copy_sql(&self.stage.staging, &self.stage.columns);
        let begin = |session: &Session| {
            if let Some(limit) = self.sink.settings.statement_timeout {
                let sql = format!("SET statement_timeout = {}", limit.as_millis().max(1));
                session.execute("the time of a statement cannot be limited", &sql, &check)?;
            }
            session.wait(&check, async {
                let begun = session.client()?.copy_in(sql.as_str()).await;
                begun.map_err(|e| match e.code() {
                    // It is dropped once nobody may publish it.
                    Some(&SqlState::UNDEFINED_TABLE) => claim_lost(),
                    _ => errors::of("the rows cannot be staged", e),
                })
            })
        };
        let (session, copy) = self.sink.connect(&check, begin)?;
        let (copy, buffer) = (Box::pin(copy), HEADER.to_vec());
        Ok(Open { copy, session, buffer, _permit: permit })
    }

    /// The error about a value: its partition, the row in it, from 1, and the column.
    fn bad_value(&self, bad: BadValue) -> Error {
        let row = self.part.rows + bad.row as u64 + 1;
        let error = Error::data(bad.bad.what).at("partition", self.task.partition()).at("row", row);
        let error = match self.stage.columns.get(bad.column) {
            Some(column) => error.at("column", &column.name),
            None => error,
        };
        let error = error.at("table", &self.stage.target);
        match bad.bad.help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}

fn copy_sql(staging: &str, columns: &[Column]) -> String {
    let names: Vec<String> = columns.iter().map(|column| identifier(&column.name)).collect();
    let names = names.iter().map(String::as_str).chain([PART]).collect::<Vec<_>>().join(", ");
    format!("COPY {staging} ({names}) FROM STDIN (FORMAT binary)")
}

impl Open {
    fn send(&mut self, task: &SinkTask<'_>) -> Result<u64> {
        let bytes = self.buffer.len() as u64;
        let chunk = Bytes::from(std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK + CHUNK / 4)));
        let Open { copy, session, .. } = self;
        session.wait(&|| task.check(), async {
            copy.send(chunk).await.map_err(|e| errors::of("the rows cannot be staged", e))
        })?;
        Ok(bytes)
    }

    /// Ends the `COPY`, which is committed when this returns; gives the rows that the server has counted.
    fn finish(&mut self, task: &SinkTask<'_>) -> Result<u64> {
        let Open { copy, session, .. } = self;
        session.wait(&|| task.check(), async {
            copy.as_mut().finish().await.map_err(|e| errors::of("the rows cannot be staged", e))
        })
    }
}

impl PartWriter for Part<'_> {
    type Part = PostgresPart;

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let (number, task, columns) = (self.part.number, self.task, &self.stage.columns);
        self.open()?;
        let Some(open) = &mut self.open else { return Ok(()) };
        let mut rest = batch.clone();
        // So many rows at a time that a chunk has about its size, whatever a row takes.
        let row_bytes = (batch.get_array_memory_size() / batch.num_rows()).max(1);
        let rows = (CHUNK / row_bytes).clamp(1, batch.num_rows());
        while rest.num_rows() > 0 {
            let now = rest.slice(0, rows.min(rest.num_rows()));
            rest = rest.slice(now.num_rows(), rest.num_rows() - now.num_rows());
            if let Err(bad) = encode(&now, columns, number, &mut open.buffer)? {
                return Err(self.bad_value(bad));
            }
            self.part.rows += now.num_rows() as u64;
            if open.buffer.len() >= CHUNK {
                self.part.bytes += open.send(task).map_err(|e| e.at("partition", task.partition()))?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<PostgresPart> {
        let task = self.task;
        let Some(mut open) = self.open.take() else { return Ok(self.part) };
        let at = |e: Error| e.at("partition", task.partition());
        open.buffer.extend_from_slice(&TRAILER);
        self.part.bytes += open.send(task).map_err(at)?;
        reached("table.part_sent");
        let rows = open.finish(task).map_err(at)?;
        if rows != self.part.rows {
            let text = format!("the server has staged {rows} rows of {}", self.part.rows);
            return Err(at(Error::bug(text)));
        }
        reached("table.part_staged");
        Ok(self.part)
    }
}
