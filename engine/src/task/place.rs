//! The position of the current row in its source: set by the source, and used in the error of a row that is
//! rejected.
//!
//! A source enters each file and then records its position for every row, which costs one store. Only when an
//! error needs the position is it converted to one that fits the file, a line or a row. After a panic in a
//! closure the position outlives its task, until the panic has become an error.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use crate::error::Error;

thread_local! {
    /// The position of the task on this thread at its latest panic.
    static PANICKED_AT: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// The position of the current row of a task's source. A row costs one store.
#[derive(Default)]
pub struct Place {
    part: RefCell<Option<Part>>,
    position: Cell<u64>,
    /// Whether rows from other positions are being processed.
    is_left: Cell<bool>,
}

/// What rows are read from: a file, or a split of another source.
struct Part {
    /// What errors call it: "file".
    what: &'static str,
    address: Arc<str>,
    counted: Option<Counted>,
}

/// The unit of positions in a part, and the function that converts a row's number to a position.
struct Counted {
    unit: &'static str,
    find: Box<dyn FnMut(u64) -> Option<u64>>,
}

impl Place {
    /// Starts a file; positions in it are counted in `unit`, as in "byte".
    pub fn enter(&self, file: &str, unit: &'static str) {
        self.enter_finding("file", file, unit, Box::new(Some));
    }

    /// Starts a part that errors call `what`. When a position is needed, `find` computes it from the number
    /// passed to [`Place::at`].
    pub fn enter_finding(
        &self,
        what: &'static str,
        address: &str,
        unit: &'static str,
        find: Box<dyn FnMut(u64) -> Option<u64>>,
    ) {
        let counted = Some(Counted { unit, find });
        self.part.replace(Some(Part { what, address: address.into(), counted }));
        self.position.set(0);
    }

    /// The next row is the whole `file`.
    pub fn enter_whole(&self, file: &str) {
        self.part.replace(Some(Part { what: "file", address: file.into(), counted: None }));
    }

    /// Sets the position of the next row.
    #[inline]
    pub fn at(&self, position: u64) {
        self.position.set(position);
    }

    /// Runs `body`, which processes other rows than the current one: those of a whole batch.
    pub fn left<T>(&self, body: impl FnOnce() -> T) -> T {
        let before = self.is_left.replace(true);
        let result = body();
        self.is_left.set(before);
        result
    }

    /// The position of the current row, if its source has set one.
    pub fn now(&self) -> Option<PartPlace> {
        let mut part = self.part.borrow_mut();
        let Part { what, address, counted } = part.as_mut()?;
        let position = counted.as_mut().and_then(|Counted { unit, find }| {
            let position = find(self.position.get())?;
            Some((*unit, position))
        });
        Some(PartPlace { what, address: Arc::clone(address), position })
    }

    /// Adds the position of the current row to `error`: its position in the file if the source has set one,
    /// otherwise the number of rows, from 1, that the operator has read of its partition.
    pub fn tell(&self, error: Error, rows: u64) -> Error {
        match self.now() {
            Some(place) => place.of(error),
            None => error.at("row", rows),
        }
    }
}

/// Keeps the position when a panic unwinds through the task, for the code that turns the panic into an error.
impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.is_left.get() && self.part.get_mut().is_some() {
            let place = std::mem::take(self);
            // While the thread is being torn down nobody can read the position.
            let _ = PANICKED_AT.try_with(|at| at.replace(Some(place)));
        }
    }
}

/// Drops the position of an earlier panic.
pub(super) fn forget_panic() {
    PANICKED_AT.take();
}

/// The position of the current row at the latest panic of this thread.
pub(super) fn of_panic() -> Option<PartPlace> {
    PANICKED_AT.take()?.now()
}

/// The position of a row in a file, or in a part of another source.
pub struct PartPlace {
    what: &'static str,
    address: Arc<str>,
    /// The unit and the position; `None` if the row is the whole part, or if its position is not known.
    position: Option<(&'static str, u64)>,
}

impl PartPlace {
    /// The unit and the position.
    pub fn position(&self) -> Option<(&'static str, u64)> {
        self.position
    }

    /// Adds the position to an error.
    pub fn of(self, error: Error) -> Error {
        let error = error.at(self.what, self.address);
        match self.position {
            Some((unit, position)) => error.at(unit, position),
            None => error,
        }
    }
}

/// `file a.txt, byte 17`
impl fmt::Display for PartPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.address)?;
        match self.position {
            Some((unit, position)) => write!(f, ", {unit} {position}"),
            None => Ok(()),
        }
    }
}
