//! The start of a chain that reads the rows of another plan node: a typed view of its batches.

use std::marker::PhantomData;
use std::ops::ControlFlow;

use super::{Chain, RowConsumer, Step};
use crate::error::Result;
use crate::row::{Row, RowReader};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::Task;

/// Reads the batches of the task's first input as views, with one dispatch per batch. The name is that
/// of `Dataset::erase`, so that a type error about two datasets names the method that fixes it.
pub struct Erased<T>(PhantomData<fn() -> T>);

impl<T> Erased<T> {
    /// Reads the first input.
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
