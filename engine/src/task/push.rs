//! Runs a plan node at one partition on the calling thread.
//!
//! Kiln's nodes push: no queue separates the operators of a stage. DataFusion's nodes are pulled as a stream,
//! on the same thread, and their batches are pushed on.

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

/// The approximate size of a batch that is passed to the next operator of the same task, which reads it at
/// once, while it is in the cache.
const ONWARD_BYTES: usize = 256 << 10;

/// Passes the batches of `plan` at `partition` to `take`.
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

/// Passes the batches of an operator inside a stage to the next operator.
pub struct Onward<'a, 'b> {
    /// The environment of the task.
    pub env: &'a TaskEnv,
    /// The next operator.
    pub take: &'a mut BatchSink<'b>,
    /// The position in the source of this operator.
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
