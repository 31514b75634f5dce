//! The start of a chain whose rows come from another plan node: the stage border's typed side.

use std::marker::PhantomData;
use std::ops::ControlFlow;

use super::{Chain, Sink, Step};
use crate::error::Result;
use crate::row::{Row, RowReader};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::Task;

/// Views over the batches of the task's first input. Dispatch happens once per batch.
pub struct Input<T>(PhantomData<fn() -> T>);

impl<T> Input<T> {
    /// The first input.
    pub fn new() -> Self {
        Input(PhantomData)
    }
}

impl<T> Default for Input<T> {
    fn default() -> Self {
        Input::new()
    }
}

impl<T> Clone for Input<T> {
    fn clone(&self) -> Self {
        Input::new()
    }
}

impl<T> Ship for Input<T> {
    fn ship(&self, _: &mut ParamWriter) -> Result<()> {
        Ok(())
    }
    fn rebuild(_: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Input::new())
    }
}

impl<T: Row> Chain for Input<T> {
    type Out = T;

    fn drive<S: Sink<T>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
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
