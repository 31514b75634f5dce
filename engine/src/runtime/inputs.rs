//! Reads the outputs of finished tasks, local or remote, in the order of the tasks.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use kiln_planner::ExchangeId;

use crate::driver::{ExecutorId, Located, TaskInput};
use crate::error::{Error, LostOutput, Result};
use crate::shuffle::{BlockStore, OutputKey, TaskOutput};
use crate::task::{BatchSink, ExchangeReader};

/// A fetch from one executor: one target partition of the outputs of some tasks.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The exchange.
    pub exchange: ExchangeId,
    /// The target partition.
    pub target: u32,
    /// The tasks in order, each as partition and attempt.
    pub sources: Vec<(u32, u32)>,
}

/// Batches as they arrive, each with the partition of the task that wrote it, in the requested order.
pub type FetchedBatches = Box<dyn Iterator<Item = Result<(u32, RecordBatch)>> + Send>;

/// Fetches from other executors.
pub trait Peers: Send + Sync {
    /// Opens a stream; an error after that is returned as an item.
    fn fetch(&self, from: ExecutorId, fetch: Fetch) -> Result<FetchedBatches>;
}

/// The inputs of one task.
pub struct TaskInputs {
    inputs: Vec<TaskInput>,
    store: Arc<BlockStore>,
    /// The id of this process, if it is an executor: its outputs are in `store`.
    me: Option<ExecutorId>,
    peers: Option<Arc<dyn Peers>>,
}

impl TaskInputs {
    /// Reads the inputs of executor `me` from `store` and all others from `peers`.
    pub fn new(
        inputs: Vec<TaskInput>,
        store: Arc<BlockStore>,
        me: Option<ExecutorId>,
        peers: Option<Arc<dyn Peers>>,
    ) -> TaskInputs {
        TaskInputs { inputs, store, me, peers }
    }

    fn sources(&self, exchange: ExchangeId) -> Result<&[Located]> {
        let input = self.inputs.iter().find(|input| input.exchange == exchange);
        input.map(|i| &*i.sources).ok_or_else(|| Error::bug(format!("{exchange} is no input of this task")))
    }

    /// Opens one stream for each other executor; each stream is in the order of its tasks.
    fn open(
        &self,
        exchange: ExchangeId,
        target: u32,
    ) -> Result<BTreeMap<ExecutorId, Peekable<FetchedBatches>>> {
        let mut wanted: BTreeMap<ExecutorId, Vec<(u32, u32)>> = BTreeMap::new();
        for source in self.sources(exchange)?.iter().filter(|s| Some(s.executor) != self.me) {
            wanted.entry(source.executor).or_default().push((source.partition.0, source.attempt.0));
        }
        let Some(peers) = &self.peers else {
            return if wanted.is_empty() {
                Ok(BTreeMap::new())
            } else {
                Err(Error::bug("outputs lie elsewhere"))
            };
        };
        wanted
            .into_iter()
            .map(|(from, sources)| {
                let fetched = peers.fetch(from, Fetch { exchange, target, sources })?;
                Ok((from, fetched.peekable()))
            })
            .collect()
    }

    /// The batches of one task for one target partition, read one at a time: only one is in memory, besides
    /// what a connection buffers.
    pub fn batches_of(&self, exchange: ExchangeId, source: &Located, target: u32) -> Result<FetchedBatches> {
        if Some(source.executor) != self.me {
            let peers = self.peers.as_ref().ok_or_else(|| Error::bug("outputs lie elsewhere"))?;
            let sources = vec![(source.partition.0, source.attempt.0)];
            return peers.fetch(source.executor, Fetch { exchange, target, sources });
        }
        let (output, from) = (self.output(exchange, source)?, source.partition.0);
        Ok(Box::new((0..).map_while(move |at| {
            let block = output.partition(target as usize).get(at)?;
            Some(block.read().map(|batch| (from, batch)))
        })))
    }

    /// The output of a task of this process.
    fn output(&self, exchange: ExchangeId, source: &Located) -> Result<Arc<TaskOutput>> {
        let key = OutputKey { exchange, source: source.partition.0, attempt: source.attempt.0 };
        self.store.get(key).ok_or_else(|| {
            let lost = LostOutput { exchange: exchange.0, executor: source.executor.0 };
            Error::lost_output("the output of a finished task is not here any more", lost)
        })
    }
}

impl ExchangeReader for TaskInputs {
    fn read(&self, exchange: ExchangeId, partition: usize, take: &mut BatchSink<'_>) -> Result<()> {
        let mut streams = self.open(exchange, partition as u32)?;
        for source in self.sources(exchange)? {
            let flow = match streams.get_mut(&source.executor) {
                Some(stream) => remote(stream, source, take)?,
                None => self.output(exchange, source)?.read(partition, take)?,
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Passes on the batches of `stream` that come from `source`.
fn remote(
    stream: &mut Peekable<FetchedBatches>,
    source: &Located,
    take: &mut BatchSink<'_>,
) -> Result<ControlFlow<()>> {
    let ours = |item: &Result<(u32, RecordBatch)>| {
        item.as_ref().map_or(true, |(from, _)| *from == source.partition.0)
    };
    while let Some(item) = stream.next_if(ours) {
        if take(item?.1)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
