//! Where the row that is being pushed was read: told by the source, asked by whoever refuses a row.
//!
//! A source enters each file and then says, row by row, how far it is: one store. What that is in the
//! words of the file, a line or a row, is found when somebody asks. When a closure panics, the place
//! outlives its task until the panic has become an error.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use crate::error::Error;

thread_local! {
    /// The place at which the latest panic of this thread found its task.
    static PANICKED_AT: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// The place of the current row of a task's source. A row costs one store.
#[derive(Default)]
pub struct Place {
    part: RefCell<Option<Part>>,
    position: Cell<u64>,
    /// Whether rows of another place are being worked on.
    is_left: Cell<bool>,
}

/// What rows are read from: a file, or what another source is cut into.
struct Part {
    /// In the word of an error: "file".
    what: &'static str,
    address: Arc<str>,
    counted: Option<Counted>,
}

/// What positions in a part are counted in, and how the number of a row becomes one.
struct Counted {
    unit: &'static str,
    find: Box<dyn FnMut(u64) -> Option<u64>>,
}

impl Place {
    /// The rows from here on are of `file`; their positions are counted in `unit`, as in "byte".
    pub fn enter(&self, file: &str, unit: &'static str) {
        self.enter_finding("file", file, unit, Box::new(Some));
    }

    /// The same for a part that errors call `what`, where `find` turns what [`Place::at`] is told into a position; it is
    /// called when somebody asks.
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

    /// The next row is all of `file`.
    pub fn enter_whole(&self, file: &str) {
        self.part.replace(Some(Part { what: "file", address: file.into(), counted: None }));
    }

    /// The next row stands at `position`.
    #[inline]
    pub fn at(&self, position: u64) {
        self.position.set(position);
    }

    /// Runs `body`, which works on other rows than the current one: those of a whole batch.
    pub fn left<T>(&self, body: impl FnOnce() -> T) -> T {
        let before = self.is_left.replace(true);
        let result = body();
        self.is_left.set(before);
        result
    }

    /// Where the current row stands, if its source has said so.
    pub fn now(&self) -> Option<PartPlace> {
        let mut part = self.part.borrow_mut();
        let Part { what, address, counted } = part.as_mut()?;
        let position = counted.as_mut().and_then(|Counted { unit, find }| {
            let position = find(self.position.get())?;
            Some((*unit, position))
        });
        Some(PartPlace { what, address: Arc::clone(address), position })
    }

    /// `error` with the current row's place: in its file where the source has said so, else the number
    /// of rows, from 1, that the operator has seen of its partition.
    pub fn tell(&self, error: Error, rows: u64) -> Error {
        match self.now() {
            Some(place) => place.of(error),
            None => error.at("row", rows),
        }
    }
}

/// A panic goes through the task: the place is kept for the one who makes an error of it.
impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.is_left.get() && self.part.get_mut().is_some() {
            let place = std::mem::take(self);
            // While the thread is torn down nobody is left to ask.
            let _ = PANICKED_AT.try_with(|at| at.replace(Some(place)));
        }
    }
}

/// Forgets the place of an earlier panic.
pub(super) fn forget_panic() {
    PANICKED_AT.take();
}

/// Where the row stood at which the latest panic of this thread happened.
pub(super) fn of_panic() -> Option<PartPlace> {
    PANICKED_AT.take()?.now()
}

/// A row's place in a file, or in a part of another source.
pub struct PartPlace {
    what: &'static str,
    address: Arc<str>,
    /// What positions count, and the position; nothing where the row is the whole part, or its position
    /// is not known.
    position: Option<(&'static str, u64)>,
}

impl PartPlace {
    /// What positions count, and the position.
    pub fn position(&self) -> Option<(&'static str, u64)> {
        self.position
    }

    /// Adds the place to an error.
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
