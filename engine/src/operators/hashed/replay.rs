//! An input of a task that may be read more than once.
//!
//! An exchange is read again as it is. Whatever else feeds an operator would be computed again, with
//! the user's closures in it; it goes to a temporary file when it is first known to be needed again.

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
    /// Its batches, once they lie in a file of ours.
    spilled: Option<Vec<Spilled>>,
}

/// What came of holding an input whole.
pub enum Gathered {
    /// All of its batches.
    Whole(Vec<RecordBatch>, Size),
    /// There is no room for so much.
    TooLarge(Size),
}

impl<'t, 'p> Replay<'t, 'p> {
    /// The input `input` of `task` at its partition.
    pub fn new(task: &'t Task<'p>, input: usize) -> Self {
        Replay::at(task, input, task.partition)
    }

    /// The input `input` of `task` at another partition.
    pub fn at(task: &'t Task<'p>, input: usize, partition: usize) -> Self {
        Replay { task, input, partition, spilled: None }
    }

    /// Passes on all batches; they will not be asked for again.
    pub fn read_once(&mut self, take: &mut BatchSink<'_>) -> Result<()> {
        match self.spilled.take() {
            Some(spilled) => replay(self.task, &spilled, take),
            None => self.direct(take),
        }
    }

    /// Passes on all batches; they will be asked for again, unless `take` breaks off.
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

    /// Holds all batches if `room` has so many bytes as `needs` says of them.
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

/// Batches on their way into a file.
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
