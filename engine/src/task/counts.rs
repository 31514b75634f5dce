//! The counts of a task, and the counters that a job's closures use.
//!
//! A closure adds to the counts of its task. They are sent with the task's report, and the driver adds up
//! those of the successful attempts. So an attempt that fails, is lost or finishes second counts nothing, and
//! counting takes no lock. Which attempt succeeds is not known here.

use std::cell::RefCell;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::job::Run;

/// Counts by counter number.
pub type Counts = Vec<(u32, u64)>;

thread_local! {
    /// The counts of the task on this thread, by counter number; `None` outside tasks.
    static COUNTS: RefCell<Option<Vec<u64>>> = const { RefCell::new(None) };
}

/// Starts a task on this thread, with all counts at zero.
pub fn start() {
    COUNTS.set(Some(Vec::new()));
}

/// Ends the task on this thread and returns its counts.
pub fn finish() -> Counts {
    let counts = COUNTS.take().unwrap_or_default();
    (0..).zip(counts).filter(|(_, count)| *count > 0).collect()
}

/// Adds the counts that another thread has collected for the task on this one.
pub fn add(counts: &[(u32, u64)]) {
    for (id, count) in counts {
        add_one(*id, *count);
    }
}

/// Whether the caller is inside a task, where an action would wait for the slot that the task occupies.
pub fn in_task() -> bool {
    COUNTS.with_borrow(Option::is_some)
}

/// Adds to the task on this thread, if there is one.
#[inline]
fn add_one(id: u32, delta: u64) -> bool {
    COUNTS.with_borrow_mut(|counts| {
        let Some(counts) = counts else { return false };
        match counts.get_mut(id as usize) {
            Some(count) => *count = count.saturating_add(delta),
            None => {
                counts.resize(id as usize + 1, 0);
                counts[id as usize] = delta;
            }
        }
        true
    })
}

/// A named number that closures increase, wherever they run: see
/// [`Context::counter`](crate::Context::counter).
///
/// Every row that reaches a counting closure counts once for every action that computes it, however often its
/// task is retried, run twice or lost: only successful attempts count. A failed action may have counted some
/// of its rows. For signed numbers, floats and other values use an [`Accumulator`](crate::Accumulator).
pub struct Counter {
    id: u32,
    /// The run that adds up the counts; `None` on an executor.
    run: Option<Arc<Run>>,
}

impl Counter {
    /// The counter `name` of `run`.
    pub(crate) fn new(name: &str, run: &Arc<Run>) -> Counter {
        Counter { id: run.counter(name), run: Some(Arc::clone(run)) }
    }

    /// Adds `delta` to the counter.
    #[inline]
    pub fn add(&self, delta: u64) {
        if !add_one(self.id, delta) {
            self.add_outside(delta);
        }
    }

    /// The count so far, on the driver; a closure on an executor gets 0.
    pub fn value(&self) -> u64 {
        self.run.as_ref().map_or(0, |run| run.counter_value(self.id))
    }

    /// Code of the job outside tasks counts at once.
    #[cold]
    fn add_outside(&self, delta: u64) {
        if let Some(run) = &self.run {
            run.add_counts(&[(self.id, delta)]);
        }
    }
}

impl Serialize for Counter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.id.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Counter, D::Error> {
        Ok(Counter { id: u32::deserialize(deserializer)?, run: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Progress;

    #[test]
    fn what_a_task_counts_leaves_with_it_and_what_the_driver_counts_is_added_at_once() {
        let run = Run::new("r", Progress::silent());
        let (rows, bad) = (Counter::new("rows", &run), Counter::new("bad", &run));
        start();
        bad.add(2);
        bad.add(1);
        assert!(in_task() && finish() == [(bad.id, 3)] && !in_task());
        assert_eq!(bad.value(), 0, "nobody has said that this attempt won");
        rows.add(5);
        assert_eq!((rows.value(), run.facts().counters["rows"]), (5, 5));
        assert_eq!(Counter::new("rows", &run).value(), 5, "one name is one counter");
    }
}
