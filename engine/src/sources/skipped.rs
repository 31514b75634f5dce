//! Counts the files that a source leaves out because its options say so.
//!
//! What a listing has left out is counted when the dataset is made; a file that is gone when its task
//! begins, by that task, and so again by each action. The count is the job's counter `skipped files`, which its
//! result shows. Nothing is counted, or shown, for a source without such options.

use serde::{Deserialize, Serialize};

use super::files::Choice;
use crate::context::Context;
use crate::error::Result;
use crate::ship::shared::Shared;
use crate::source::{Listed, Piece, is_gone};
use crate::task::Counter;

/// The counter's name.
const NAME: &str = "skipped files";

/// The counter of one source, if it may leave files out.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Skipped {
    counter: Option<Shared<Counter>>,
    ignore_missing: bool,
}

impl Skipped {
    /// For a source with these options.
    pub(super) fn new(cx: &Context, choice: &Choice) -> Skipped {
        let ignore_missing = choice.list.ignore_missing;
        let may_skip = ignore_missing || choice.list.modified_since.is_some();
        Skipped { counter: may_skip.then(|| cx.counter(NAME)), ignore_missing }
    }

    /// Counts what a listing has left out.
    pub(super) fn add_listed(&self, listed: &Listed) {
        self.add(listed.skipped);
    }

    /// Whether the file of `piece` is gone, and left out for that; then it is counted.
    pub(super) fn is_gone(&self, piece: &Piece) -> Result<bool> {
        let is_gone = self.ignore_missing && is_gone(piece)?;
        if is_gone {
            log::info!("{} is gone and left out", piece.address);
            // The other pieces of a file that was cut are the same file.
            self.add(u64::from(piece.start == 0));
        }
        Ok(is_gone)
    }

    fn add(&self, count: u64) {
        if let Some(counter) = &self.counter {
            counter.add(count);
        }
    }
}
