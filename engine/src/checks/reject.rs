//! Rows that are left out and kept elsewhere, each with its place and the reason.
//!
//! A connector hands over what it cannot convert, a check what breaks it. Both end in the bin of their task, which is
//! bounded; the task's report carries them to the driver.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Rejected rows of one load at most, whatever the job allows: the driver holds them.
const MAX_ROWS: u64 = 100_000;
/// Bytes of the rejected rows of one task at most.
const MAX_BYTES: usize = 32 << 20;
/// Bytes of one row as text; what is longer is cut.
const MAX_RECORD_BYTES: usize = 16 << 10;
/// Rows that may be rejected, unless the job says how many.
const DEFAULT_ROWS: u64 = 1000;

/// A row that was refused: by a closure, by a check, or by the source that could not convert it.
#[derive(kiln_derive::Row, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Where it stood: `file a.txt, byte 17` where a source knows it, else `partition 3, row 8`, with
    /// rows counted from 1.
    pub place: String,
    /// The row as text.
    pub record: String,
    /// Why it was refused.
    pub error: String,
}

/// Where rejected rows are kept, and how many there may be; see [`Write::rejects`](crate::Write::rejects).
#[derive(Clone, Debug, Default)]
pub struct Rejects {
    pub(crate) uri: Option<String>,
    pub(crate) limits: RejectLimits,
}

impl Rejects {
    /// At most 1000 rows, kept beside the output.
    pub fn new() -> Rejects {
        Rejects::default()
    }

    /// The address of the folder in which they are kept, instead of that of the output with `_rejects` at its end.
    pub fn to(mut self, uri: &str) -> Rejects {
        self.uri = Some(uri.to_owned());
        self
    }

    /// More rejected rows fail the load: 1000 unless set, 100,000 at most.
    pub fn max_rows(mut self, rows: u64) -> Rejects {
        self.limits.rows = rows;
        self
    }

    /// A larger part of the rows that are read fails the load, from 0 to 1.
    pub fn max_share(mut self, share: f64) -> Rejects {
        self.limits.share = share;
        self
    }

    /// Where those of the write to `output` are kept.
    pub(crate) fn place(&self, output: &str) -> String {
        self.uri.clone().unwrap_or_else(|| format!("{}_rejects", output.trim_end_matches('/')))
    }
}

/// How many rows may be rejected before the load fails.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RejectLimits {
    /// So many.
    pub rows: u64,
    /// So large a part of the rows that were read, from 0 to 1.
    pub share: f64,
}

impl Default for RejectLimits {
    fn default() -> Self {
        RejectLimits { rows: DEFAULT_ROWS, share: 1.0 }
    }
}

impl RejectLimits {
    /// # Errors
    /// Config for a share that is none, and for more rows than a driver holds.
    pub fn check(self) -> Result<RejectLimits> {
        if !(0.0..=1.0).contains(&self.share) {
            return Err(Error::config(format!("{} is no share of the rows: 0 to 1 are", self.share)));
        }
        if self.rows > MAX_ROWS {
            return Err(Error::config(format!("at most {MAX_ROWS} rows of a load can be rejected")));
        }
        Ok(self)
    }

    /// Fails when `rejected` of `read` rows are too many.
    ///
    /// # Errors
    /// Data.
    pub fn allow(&self, rejected: u64, read: u64) -> Result<()> {
        if rejected > self.rows {
            return Err(too_many(format!("more than {} rows were rejected", self.rows)));
        }
        if rejected as f64 > self.share * read as f64 {
            let share = self.share * 100.0;
            return Err(too_many(format!("{rejected} of {read} rows were rejected, more than {share} %")));
        }
        Ok(())
    }
}

fn too_many(text: String) -> Error {
    Error::data(text).reason("too_many_rejects")
}

/// The rejected rows of one task.
#[derive(Debug)]
pub struct RejectBin {
    limits: RejectLimits,
    held: RefCell<Held>,
}

#[derive(Debug, Default)]
struct Held {
    rejects: Vec<Reject>,
    bytes: usize,
}

impl RejectBin {
    /// An empty one.
    pub fn new(limits: RejectLimits) -> RejectBin {
        RejectBin { limits, held: RefCell::default() }
    }

    /// Takes a row.
    ///
    /// # Errors
    /// Data when it is one too many, with the row that it is.
    pub fn take(&self, mut reject: Reject) -> Result<()> {
        shorten(&mut reject.record);
        let mut held = self.held.borrow_mut();
        held.bytes += reject.place.len() + reject.record.len() + reject.error.len();
        let rejected = held.rejects.len() as u64 + 1;
        let allowed = match held.bytes > MAX_BYTES {
            true => Err(too_many(format!("the rejected rows of a task are larger than {MAX_BYTES} bytes"))),
            // The share is known at the end.
            false => RejectLimits { share: 1.0, ..self.limits }.allow(rejected, u64::MAX),
        };
        let Reject { place, error, .. } = &reject;
        allowed.map_err(|e| e.at("row", place).help(format!("the last one: {error}")))?;
        held.rejects.push(reject);
        Ok(())
    }

    /// All that it has taken.
    pub fn into_rejects(self) -> Vec<Reject> {
        self.held.into_inner().rejects
    }
}

fn shorten(record: &mut String) {
    if record.len() > MAX_RECORD_BYTES {
        record.truncate(record.floor_char_boundary(MAX_RECORD_BYTES));
        record.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(record: &str) -> Reject {
        Reject { place: "row 1".to_owned(), record: record.to_owned(), error: "no date".to_owned() }
    }

    #[test]
    fn the_row_after_the_limit_fails_the_task() {
        let bin = RejectBin::new(RejectLimits { rows: 2, share: 1.0 });
        assert!(bin.take(reject("a")).is_ok() && bin.take(reject("b")).is_ok());
        let error = bin.take(reject("c")).unwrap_err();
        assert_eq!((error.class(), error.reason_word()), (crate::Class::Data, "too_many_rejects"));
        assert_eq!(bin.into_rejects().len(), 2);
    }

    #[test]
    fn a_share_counts_the_rows_that_were_read() {
        let limits = RejectLimits { rows: 100, share: 0.1 };
        assert!(limits.allow(10, 100).is_ok() && limits.allow(11, 100).is_err());
        assert!(RejectLimits { rows: 1, share: 1.5 }.check().is_err());
    }

    #[test]
    fn a_long_row_is_cut_between_two_characters() {
        let bin = RejectBin::new(RejectLimits::default());
        bin.take(reject(&"ü".repeat(MAX_RECORD_BYTES))).unwrap();
        let rejects = bin.into_rejects();
        assert!(rejects[0].record.len() <= MAX_RECORD_BYTES + 3 && rejects[0].record.ends_with("ü…"));
    }
}
