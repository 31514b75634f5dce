//! `iter`: all rows, to the driver, in bounded memory.
//!
//! A few partitions are computed at a time. Their rows stay with the tasks' processes, which send what
//! they cannot hold to disk, and come to the driver batch by batch as the caller asks. Rows that are
//! lost on the way are computed again; as outputs do not depend on where they were computed, the rows
//! that the caller has seen are skipped and the next one follows.

use std::collections::VecDeque;
use std::ops::Range;

use arrow::array::RecordBatch;

use crate::chain::Chain;
use crate::config::Cluster;
use crate::context::{Action, Held, MAX_SUBMISSIONS};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::{Row, RowReader};
use crate::runtime::FetchedBatches;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// All rows in the order of their partitions, one by one, in the memory of a few batches: for
    /// results that do not fit the driver's memory.
    ///
    /// As many partitions are computed at once as there are slots, the next ones when the caller has
    /// come so far; what was computed is let go of with the iterator. After an error nothing follows.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let mut sum = 0;
    /// for row in cx.range(0..10_000).map(|n| n * 2).iter()? {
    ///     sum += row?;
    /// }
    /// assert_eq!(sum, 99_990_000);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// What can be said before the first rows are computed; what stops a job comes as an item, with
    /// its class and place.
    pub fn iter(&self) -> Result<impl Iterator<Item = Result<T>> + use<T, C>> {
        self.origin.check()?;
        let action = self.origin.cx.begin(&self.to_plan())?;
        let window = match self.origin.cx.config().cluster {
            Cluster::Local { slots } => slots,
            Cluster::LocalCluster { executors, slots } => executors * slots,
        };
        let batches =
            Batches { action, window: window.max(1), next: 0, held: None, open: None, given: 0, tries: 0 };
        let (mut batches, mut rows, mut failed) = (batches, VecDeque::new(), false);
        Ok(std::iter::from_fn(move || {
            while rows.is_empty() && !failed {
                match batches.next()?.and_then(|batch| owned::<T>(&batch)) {
                    Ok(more) => rows = more,
                    Err(error) => {
                        failed = true;
                        return Some(Err(error));
                    }
                }
            }
            rows.pop_front().map(Ok)
        }))
    }
}

fn owned<T: Row>(batch: &RecordBatch) -> Result<VecDeque<T>> {
    Ok(RowReader::<T>::open(batch)?.iter().map(T::own).collect())
}

/// The batches of all partitions, in order.
struct Batches {
    action: Action,
    /// Partitions that are computed at a time.
    window: usize,
    /// The partition that is read.
    next: usize,
    /// The partitions that are computed, and the first of them.
    held: Option<(usize, Held)>,
    /// The rest of the partition that is read.
    open: Option<FetchedBatches>,
    /// Rows of this partition that were given.
    given: usize,
    /// How often it was computed since a row was given.
    tries: u32,
}

impl Batches {
    /// The next batch; none at the end.
    fn next(&mut self) -> Option<Result<RecordBatch>> {
        while self.next < self.action.partitions() {
            match self.read() {
                Ok(Some(batch)) => return Some(Ok(batch)),
                Ok(None) => (self.open, self.next, self.given) = (None, self.next + 1, 0),
                Err(error) if error.lost().is_some() && self.tries < MAX_SUBMISSIONS => {
                    log::warn!("partition {} of the result is computed again: {error}", self.next);
                    (self.open, self.held) = (None, None);
                }
                Err(error) => return Some(Err(error)),
            }
        }
        self.held = None;
        None
    }

    /// The next batch of this partition that holds a row which was not given.
    fn read(&mut self) -> Result<Option<RecordBatch>> {
        let mut skip = 0;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => {
                skip = self.given;
                self.open()?
            }
        };
        while let Some(batch) = open.next().transpose()?.map(|(_, batch)| batch) {
            let seen = skip.min(batch.num_rows());
            skip -= seen;
            let new = batch.num_rows() - seen;
            if new > 0 {
                (self.given, self.tries, self.open) = (self.given + new, 0, Some(open));
                return Ok(Some(batch.slice(seen, new)));
            }
        }
        Ok(None)
    }

    /// Opens this partition, after it was computed with those behind it.
    fn open(&mut self) -> Result<FetchedBatches> {
        if let Some((first, held)) = &self.held
            && self.next < first + held.partitions()
        {
            return held.open(self.next - first);
        }
        // Room for the next ones first.
        self.held = None;
        self.tries += 1;
        let partitions: Range<usize> = self.next..(self.next + self.window).min(self.action.partitions());
        let (_, held) = self.held.insert((self.next, self.action.hold(partitions)?));
        held.open(0)
    }
}
