//! An input of a task that can be read more than once.
//!
//! An exchange can simply be read again. Any other input would be computed again, together with the
//! user's closures in it, so it is spilled to a temporary file as soon as it is known to be read again.

use std::ops::ControlFlow;

use arrow::array::RecordBatch;
use kiln_planner::ExchangeReadExec;

use super::room::{Room, Size};
use crate::error::Result;
use crate::memory::{SpillFile, Spilled};
use crate::task::{BatchSink, Task};

/// One input of a task.
pub struct Replay<'t, 'p> {
    task: &'t Task<'p>,
    input: usize,
    partition: usize,
    /// The batches of the input, once they have been spilled.
    spilled: Option<Vec<Spilled>>,
}

/// Result of holding a whole input.
pub enum Gathered {
    /// All of its batches.
    Whole(Vec<RecordBatch>, Size),
    /// There is not enough memory.
    TooLarge(Size),
}

impl<'t, 'p> Replay<'t, 'p> {
    /// The input `input` of `task`, at the task's own partition.
    pub fn new(task: &'t Task<'p>, input: usize) -> Self {
        Replay::at(task, input, task.partition)
    }

    /// The input `input` of `task` at another partition.
    pub fn at(task: &'t Task<'p>, input: usize, partition: usize) -> Self {
        Replay { task, input, partition, spilled: None }
    }

    /// Passes on all batches for the last time.
    pub fn read_once(&mut self, take: &mut BatchSink<'_>) -> Result<()> {
        match self.spilled.take() {
            Some(spilled) => replay(self.task, &spilled, take),
            None => self.direct(take),
        }
    }

    /// Passes on all batches, which can then be read again unless `take` stops early.
    pub fn read(&mut self, take: &mut BatchSink<'_>) -> Result<()> {
        if let Some(spilled) = &self.spilled {
            return replay(self.task, spilled, take);
        }
        if self.is_exchange() {
            return self.direct(take);
        }
        let mut copy = Copy::new(self.task)?;
        self.direct(&mut |batch| {
            copy.push(&batch)?;
            take(batch)
        })?;
        self.spilled = Some(copy.spilled);
        Ok(())
    }

    /// Holds all batches if `room` has as many bytes as `needs` returns for their size.
    pub fn gather(&mut self, room: &mut Room, needs: impl Fn(Size) -> usize) -> Result<Gathered> {
        let (mut held, mut size, mut copy) = (Some(Vec::new()), Size::default(), None);
        let is_exchange = self.is_exchange();
        self.direct(&mut |batch| {
            size.add(&batch);
            match &mut held {
                Some(batches) => batches.push(batch),
                None => copy.iter_mut().try_for_each(|copy: &mut Copy| copy.push(&batch))?,
            }
            if held.is_some() && !room.hold(needs(size)) {
                let batches = held.take().unwrap_or_default();
                if !is_exchange {
                    let copy = copy.insert(Copy::new(self.task)?);
                    batches.iter().try_for_each(|batch| copy.push(batch))?;
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.spilled = copy.map(|copy| copy.spilled);
        Ok(match held {
            Some(batches) => Gathered::Whole(batches, size),
            None => Gathered::TooLarge(size),
        })
    }

    fn direct(&self, take: &mut BatchSink<'_>) -> Result<()> {
        self.task.read_partition(self.input, self.partition, &mut |batch| {
            self.task.check()?;
            take(batch)
        })
    }

    fn is_exchange(&self) -> bool {
        self.task.inputs.get(self.input).is_some_and(|input| input.is::<ExchangeReadExec>())
    }
}

/// Writes batches to a spill file.
struct Copy {
    file: SpillFile,
    spilled: Vec<Spilled>,
}

impl Copy {
    fn new(task: &Task<'_>) -> Result<Copy> {
        Ok(Copy { file: task.spill_file("an input that is read again")?, spilled: Vec::new() })
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.spilled.push(self.file.push(batch)?);
        Ok(())
    }
}

fn replay(task: &Task<'_>, spilled: &[Spilled], take: &mut BatchSink<'_>) -> Result<()> {
    for batch in spilled {
        task.check()?;
        if take(batch.read()?)?.is_break() {
            break;
        }
    }
    Ok(())
}
