//! What a task counts, and the handle by which a job's closures count.
//!
//! A closure adds to the counts of the task that it runs in; they leave with the task's report, and
//! the driver adds up those of the attempts that won. So an attempt that fails, is lost or comes
//! second counts nothing, and adding takes no lock. Which attempt wins is not known here.

use std::cell::RefCell;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::job::Run;

/// Counts by the counter's number.
pub type Counts = Vec<(u32, u64)>;

thread_local! {
    /// By the counter's number: what the task of this thread has counted; nothing outside of tasks.
    static COUNTS: RefCell<Option<Vec<u64>>> = const { RefCell::new(None) };
}

/// Begins a task on this thread, with nothing counted.
pub fn start() {
    COUNTS.set(Some(Vec::new()));
}

/// Ends the task of this thread; gives what it counted.
pub fn finish() -> Counts {
    let counts = COUNTS.take().unwrap_or_default();
    (0..).zip(counts).filter(|(_, count)| *count > 0).collect()
}

/// Adds what another thread has counted for the task of this one.
pub fn add(counts: &[(u32, u64)]) {
    for (id, count) in counts {
        add_one(*id, *count);
    }
}

/// Whether the caller is inside a task: there an action would wait for a slot that it takes itself.
pub fn in_task() -> bool {
    COUNTS.with_borrow(Option::is_some)
}

/// Adds to the task of this thread, if it runs one.
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

/// A named number that closures count up, wherever they run: of
/// [`Context::counter`](crate::Context::counter).
///
/// Every row that reaches a counting closure counts once for each action that computes it, whatever
/// is tried again, computed twice or lost on the way: only attempts that won count. An action that
/// fails may have counted a part of its rows. Numbers of both signs, floats and other values go to an
/// [`Accumulator`](crate::Accumulator).
pub struct Counter {
    id: u32,
    /// The run that adds it up; an executor does not have it.
    run: Option<Arc<Run>>,
}

impl Counter {
    /// The counter `name` of `run`.
    pub(crate) fn new(name: &str, run: &Arc<Run>) -> Counter {
        Counter { id: run.counter(name), run: Some(Arc::clone(run)) }
    }

    /// Counts `delta` more.
    #[inline]
    pub fn add(&self, delta: u64) {
        if !add_one(self.id, delta) {
            self.add_outside(delta);
        }
    }

    /// What was counted so far, on the driver; a closure on an executor sees 0.
    pub fn value(&self) -> u64 {
        self.run.as_ref().map_or(0, |run| run.counter_value(self.id))
    }

    /// The job's own code counts at once.
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
