//! Runs a plan node at one partition on the calling thread.
//!
//! Nodes of ours push: nothing waits between the operators of a stage. A node of DataFusion's is
//! pulled as a stream, on the same thread, and its batches are pushed on.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion_execution::TaskContext;
use datafusion_physical_plan::ExecutionPlan;
use futures::StreamExt;
use kiln_planner::{ExchangeReadExec, UnionExec};

use super::{BatchLimits, BatchSink, Output, Place, Task, TaskEnv};
use crate::error::{Error, Result};
use crate::plan::OperatorExec;

/// Bytes of a batch that goes to the next operator of the same task, about: it is read at once, and from the
/// cache.
const ONWARD_BYTES: usize = 256 << 10;

/// Passes on the batches of `plan` at `partition`.
pub fn push(
    plan: &Arc<dyn ExecutionPlan>,
    partition: usize,
    env: &TaskEnv,
    take: &mut BatchSink<'_>,
) -> Result<()> {
    if let Some(node) = plan.downcast_ref::<OperatorExec>() {
        let task = Task::new(env, partition, &node.inputs);
        return node.operator.run(&task, &mut Onward { env, take, place: &task.place });
    }
    if let Some(node) = plan.downcast_ref::<ExchangeReadExec>() {
        return env.exchanges.read(node.id, partition, take);
    }
    if let Some(node) = plan.downcast_ref::<UnionExec>() {
        let branch = node.branch(partition).ok_or_else(|| {
            Error::bug(format!("a union was asked for partition {partition}, which it does not have"))
        });
        let (input, partition) = branch?;
        return push(input, partition, env, take);
    }
    pull(plan, partition, take)
}

/// The batches of an operator inside a stage go to the operator behind it.
pub struct Onward<'a, 'b> {
    /// The task's process.
    pub env: &'a TaskEnv,
    /// The operator behind.
    pub take: &'a mut BatchSink<'b>,
    /// Where the rows of this one are read.
    pub place: &'a Place,
}

impl Output for Onward<'_, '_> {
    fn push(&mut self, _: usize, batch: RecordBatch) -> Result<ControlFlow<()>> {
        self.place.left(|| (self.take)(batch))
    }
    fn limits(&self) -> BatchLimits {
        let BatchLimits { rows, bytes } = self.env.limits();
        BatchLimits { rows, bytes: bytes.min(ONWARD_BYTES) }
    }
    fn note(&mut self, _: Vec<u8>) {}
}

fn pull(plan: &Arc<dyn ExecutionPlan>, partition: usize, take: &mut BatchSink<'_>) -> Result<()> {
    let mut stream = plan.execute(partition, Arc::new(TaskContext::default()))?;
    while let Some(batch) = futures::executor::block_on(stream.next()) {
        if take(batch?)?.is_break() {
            break;
        }
    }
    Ok(())
}
