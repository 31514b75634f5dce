//! The start of a chain whose rows come from another plan node: the stage border's typed side.

use std::marker::PhantomData;
use std::ops::ControlFlow;

use super::{Chain, RowConsumer, Step};
use crate::error::Result;
use crate::row::{Row, RowReader};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::Task;

/// Views over the batches of the task's first input. Dispatch happens once per batch. The name is that of
/// `Dataset::erase`, so that two datasets whose types do not match name the cure.
pub struct Erased<T>(PhantomData<fn() -> T>);

impl<T> Erased<T> {
    /// The first input.
    pub fn new() -> Self {
        Erased(PhantomData)
    }
}

impl<T> Default for Erased<T> {
    fn default() -> Self {
        Erased::new()
    }
}

impl<T> Clone for Erased<T> {
    fn clone(&self) -> Self {
        Erased::new()
    }
}

impl<T> Ship for Erased<T> {
    fn ship(&self, _: &mut ParamWriter) -> Result<()> {
        Ok(())
    }
    fn rebuild(_: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Erased::new())
    }
}

impl<T: Row> Chain for Erased<T> {
    type Out = T;

    fn drive<S: RowConsumer<T>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        task.read_input(0, &mut |batch| {
            task.check()?;
            let rows = RowReader::<T>::open(&batch)?;
            for i in 0..rows.len() {
                sink.push(rows.get(i));
            }
            Ok(if sink.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    }

    fn steps(&self, _: &mut Vec<Step>) {}

    fn closures(&self, _: &mut Vec<Closure>) {}

    fn is_input(&self) -> bool {
        true
    }
}
