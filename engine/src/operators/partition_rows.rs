//! The rows of a partition as an iterator, for closures that pull them.
//!
//! Operators push rows. The rows before such a closure are therefore computed on a second thread, which
//! passes them on in batches through a short queue. Neither side holds more than a few batches, however
//! large the partition is.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, sync_channel};

use arrow::array::RecordBatch;

use super::columns::batches_of;
use crate::chain::{Chain, FuncInfo, Plain, With};
use crate::error::{Error, Result};
use crate::row::{Row, RowReader};
use crate::ship::shared::{Param, Shared};
use crate::task::{BatchSink, Task, aside};

/// Upper limit of the batches in the queue between the two threads.
const QUEUE_BATCHES: usize = 2;

/// The rows of one partition, in their order.
pub struct PartitionRows<T: Row> {
    /// `None` marks the end of the partition. If the queue is closed without it, the input has failed.
    queue: Receiver<Option<RecordBatch>>,
    batch: Option<(RowReader<T>, usize)>,
    ended: bool,
}

/// Panic payload that ends the closure when its input fails, so that it does not take a part of the
/// rows for all of them.
struct InputFailed;

impl<T: Row> PartitionRows<T> {
    #[cold]
    fn next_batch(&mut self) -> bool {
        let batch = match self.queue.recv() {
            Ok(Some(batch)) => RowReader::open(&batch).ok(),
            Ok(None) => {
                self.ended = true;
                return false;
            }
            Err(_) => None,
        };
        self.batch = batch.map(|batch| (batch, 0));
        if self.batch.is_none() {
            self.ended = true;
            resume_unwind(Box::new(InputFailed));
        }
        true
    }
}

impl<T: Row> PartitionRows<T> {
    /// Calls `take` with the view of the next row, so that nothing is copied.
    #[inline]
    pub(super) fn next_with<R>(&mut self, take: impl FnOnce(T::View<'_>) -> R) -> Option<R> {
        loop {
            if let Some((rows, next)) = &mut self.batch
                && *next < rows.len()
            {
                *next += 1;
                return Some(take(rows.get(*next - 1)));
            }
            if self.ended || !self.next_batch() {
                return None;
            }
        }
    }
}

impl<T: Row> Iterator for PartitionRows<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.next_with(T::own)
    }
}

/// A closure over a whole partition.
pub trait PartitionFunc<T: Row, R>: FuncInfo {
    /// Calls the closure.
    fn call(&self, partition: usize, rows: PartitionRows<T>) -> R;
}

impl<T: Row, R, F: Fn(usize, PartitionRows<T>) -> R + Send + Sync + 'static> PartitionFunc<T, R>
    for Plain<F>
{
    fn call(&self, partition: usize, rows: PartitionRows<T>) -> R {
        (self.code())(partition, rows)
    }
}

impl<T: Row, R, P: Param, F> PartitionFunc<T, R> for With<P, F>
where
    F: Fn(Shared<P>, usize, PartitionRows<T>) -> R + Send + Sync + 'static,
{
    fn call(&self, partition: usize, rows: PartitionRows<T>) -> R {
        (self.code())(self.handle().clone(), partition, rows)
    }
}

/// Runs `work` on the rows of the task's partition, while `chain` computes them on a second thread.
///
/// # Errors
/// An error of `chain` takes precedence, because `work` has then not seen all rows.
pub(crate) fn pulled<C: Chain>(
    chain: &C,
    task: &Task<'_>,
    work: impl FnOnce(PartitionRows<C::Out>) -> Result<()>,
) -> Result<()> {
    pulled_from(task, |task, take| batches_of(chain, task, take), work)
}

/// [`pulled`] for the rows of the task's input `input`.
pub(super) fn pulled_input<T: Row>(
    input: usize,
    task: &Task<'_>,
    work: impl FnOnce(PartitionRows<T>) -> Result<()>,
) -> Result<()> {
    let read = |task: &Task<'_>, take: &mut BatchSink<'_>| {
        task.read_input(input, &mut |batch| {
            task.check()?;
            take(batch)
        })
    };
    pulled_from(task, read, work)
}

fn pulled_from<T: Row>(
    task: &Task<'_>,
    read: impl FnOnce(&Task<'_>, &mut BatchSink<'_>) -> Result<()> + Send,
    work: impl FnOnce(PartitionRows<T>) -> Result<()>,
) -> Result<()> {
    let (sender, queue) = sync_channel(QUEUE_BATCHES);
    let feed = move |task: &Task<'_>| {
        read(task, &mut |batch| {
            let taken = sender.send(Some(batch)).is_ok();
            Ok(if taken { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        let _ = sender.send(None);
        Ok(())
    };
    let rows = PartitionRows { queue, batch: None, ended: false };
    let (fed, worked) = aside(task, feed, || catch_unwind(AssertUnwindSafe(|| work(rows))))?;
    fed?;
    worked.unwrap_or_else(|panic| match panic.is::<InputFailed>() {
        true => Err(Error::bug("a partition's rows ended without a word")),
        false => resume_unwind(panic),
    })
}
