//! Where the row that is being pushed was read: told by the source, asked by whoever refuses a row.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use crate::error::Error;

/// The place of the current row of a task's source. A source enters each file and then says, row by
/// row, how far it is: one store, so that a place costs nothing until it is asked for.
#[derive(Default)]
pub struct Place {
    file: RefCell<Option<(Arc<str>, &'static str)>>,
    position: Cell<u64>,
}

impl Place {
    /// The rows from here on are of `file`; their positions are counted in `unit`: "byte", "row".
    pub fn enter(&self, file: &str, unit: &'static str) {
        self.file.replace(Some((file.into(), unit)));
        self.position.set(0);
    }

    /// The next row stands at `position`.
    #[inline]
    pub fn at(&self, position: u64) {
        self.position.set(position);
    }

    /// Where the current row stands, if its source has said so.
    pub fn now(&self) -> Option<FilePlace> {
        let (file, unit) = self.file.borrow().clone()?;
        Some(FilePlace { file, unit, position: self.position.get() })
    }

    /// `error` with the current row's place: in its file where the source has said so, else the number
    /// of rows, from 1, that the operator has seen of its partition.
    pub fn tell(&self, error: Error, rows: u64) -> Error {
        match self.now() {
            Some(at) => error.at("file", at.file).at(at.unit, at.position),
            None => error.at("row", rows),
        }
    }
}

/// A row's place in a file.
pub struct FilePlace {
    /// The file's address.
    pub file: Arc<str>,
    /// What positions count.
    pub unit: &'static str,
    /// From 0.
    pub position: u64,
}

/// `file a.txt, byte 17`
impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file {}, {} {}", self.file, self.unit, self.position)
    }
}
