//! The output of one stage: for each partition, whether it is waiting, running or done.
//!
//! ```text
//!            start                  finish
//!   Waiting ───────▶ Running(task) ────────▶ Done(where, report)
//!      ▲                  │ put_back               │ lose
//!      └──────────────────┴────────────────────────┘
//! ```
//!
//! An output belongs to no job, because two jobs can use the same dataset: the job that starts a partition
//! first computes it for both. Why a partition is put back or lost does not matter here.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::event::{Located, TaskReport};
use super::ids::{Attempt, ExecutorId, Partition, TaskId};
use super::spec::StageSpec;

/// The state of one partition.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// Not computed yet.
    Waiting,
    /// Being computed by this task.
    Running(TaskId),
    /// Computed: the location and the report of the first success.
    Done(Located, TaskReport),
}

/// The partitions of one exchange.
#[derive(Debug)]
pub(super) struct Output {
    /// The output survives the executors that wrote it.
    pub(super) durable: bool,
    /// The output is cached: it outlives its jobs until it is released.
    pub(super) keep: bool,
    /// The number of finished jobs whose result is this output and that have not released it.
    pub(super) holds: u32,
    cells: Vec<Cell>,
    /// The indices of the `Waiting` cells, so that starting a task does not search all of them.
    waiting: BTreeSet<Partition>,
    done: u32,
    /// The number of each partition's first attempt.
    first_attempt: u32,
    /// The partitions that have been computed before: their counts are not added again.
    counted: BTreeSet<Partition>,
    /// By partition: the number of its next attempt.
    next_attempts: Vec<u32>,
    /// The executors on which a partition was started: even an aborted attempt may have left data there.
    touched: BTreeSet<ExecutorId>,
    /// The location table, cached until a partition changes.
    table: Option<Arc<[Located]>>,
}

impl Output {
    /// The output of `spec` with nothing computed; attempts are numbered from `first_attempt`.
    pub(super) fn new(spec: &StageSpec, first_attempt: u32) -> Output {
        let count = spec.partitions as usize;
        Output {
            durable: spec.durable,
            keep: spec.keep,
            holds: 0,
            cells: vec![Cell::Waiting; count],
            waiting: (0..spec.partitions).map(Partition).collect(),
            done: 0,
            first_attempt,
            counted: BTreeSet::new(),
            next_attempts: vec![first_attempt; count],
            touched: BTreeSet::new(),
            table: None,
        }
    }

    pub(super) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    pub(super) fn total(&self) -> u32 {
        self.cells.len() as u32 // from a u32 in `new`
    }

    pub(super) fn done(&self) -> u32 {
        self.done
    }

    pub(super) fn waiting(&self) -> &BTreeSet<Partition> {
        &self.waiting
    }

    pub(super) fn is_complete(&self) -> bool {
        self.done == self.total()
    }

    /// Whether every partition has been computed at least once.
    pub(super) fn is_counted(&self) -> bool {
        self.counted.len() == self.cells.len()
    }

    /// An attempt number higher than all that were used.
    pub(super) fn unused_attempt(&self) -> u32 {
        self.next_attempts.iter().copied().max().unwrap_or(0)
    }

    /// The executors that may store data of this output.
    pub(super) fn touched(&self) -> impl Iterator<Item = ExecutorId> + '_ {
        self.touched.iter().copied()
    }

    /// The number of the next attempt at `partition`.
    pub(super) fn next_attempt(&self, partition: Partition) -> Attempt {
        Attempt(self.next_attempts.get(partition.0 as usize).copied().unwrap_or(0))
    }

    /// Whether `partition` was started before, by any job.
    pub(super) fn was_started(&self, partition: Partition) -> bool {
        self.next_attempt(partition).0 > self.first_attempt
    }

    /// Records that `task` is sent to `executor`.
    pub(super) fn start(&mut self, task: TaskId, executor: ExecutorId) {
        if let Some(next) = self.next_attempts.get_mut(task.partition.0 as usize) {
            *next = task.attempt.0.saturating_add(1);
        }
        self.touched.insert(executor);
        self.set(task.partition, Cell::Running(task));
    }

    /// Records that a running partition ended without success.
    pub(super) fn put_back(&mut self, partition: Partition) {
        self.set(partition, Cell::Waiting);
    }

    /// Records a success and returns whether it is the partition's first.
    pub(super) fn finish(&mut self, located: Located, report: TaskReport) -> bool {
        self.set(located.partition, Cell::Done(located, report));
        self.counted.insert(located.partition)
    }

    /// Drops `located` if it is still the current location, and returns whether it was.
    pub(super) fn lose(&mut self, located: Located) -> bool {
        let cell = self.cells.get(located.partition.0 as usize);
        let current = matches!(cell, Some(Cell::Done(winner, _)) if *winner == located);
        if current {
            self.set(located.partition, Cell::Waiting);
        }
        current
    }

    /// Drops all partitions that are stored on `executor` and returns their number.
    pub(super) fn lose_executor(&mut self, executor: ExecutorId) -> u32 {
        self.touched.remove(&executor);
        let there: Vec<Located> = self.winners().filter(|winner| winner.executor == executor).collect();
        there.into_iter().map(|located| u32::from(self.lose(located))).sum()
    }

    /// The locations of the computed partitions, in partition order.
    pub(super) fn winners(&self) -> impl Iterator<Item = Located> + '_ {
        self.cells.iter().filter_map(|cell| match cell {
            Cell::Done(located, _) => Some(*located),
            _ => None,
        })
    }

    /// The reports of the computed partitions, in partition order.
    pub(super) fn reports(&self) -> impl Iterator<Item = TaskReport> + '_ {
        self.cells.iter().filter_map(|cell| match cell {
            Cell::Done(_, report) => Some(report.clone()),
            _ => None,
        })
    }

    /// The location table, built once and shared by all tasks that read the output.
    pub(super) fn table(&mut self) -> Arc<[Located]> {
        let table = self.table.take().unwrap_or_else(|| self.winners().collect());
        self.table = Some(Arc::clone(&table));
        table
    }

    /// Every state change goes through here, so that the counter, the waiting set and the table stay
    /// consistent.
    fn set(&mut self, partition: Partition, cell: Cell) {
        let Some(place) = self.cells.get_mut(partition.0 as usize) else { return };
        self.done -= u32::from(matches!(place, Cell::Done(..)));
        self.done += u32::from(matches!(cell, Cell::Done(..)));
        match cell {
            Cell::Waiting => self.waiting.insert(partition),
            _ => self.waiting.remove(&partition),
        };
        *place = cell;
        self.table = None;
    }
}
