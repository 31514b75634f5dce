//! Accumulators: values of any type, with a function that merges two of them.
//!
//! They work like counters (`counts`): a closure changes the partial value of its task, the partial values
//! are sent with the task's report, and the driver merges those of the successful attempts.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::counts::in_task;
use crate::error::{Error, Result};
use crate::job::Run;
use crate::ship::merge::Merge;
use crate::ship::shared::Param;

/// Partial values by accumulator number.
pub type Partials = Vec<(u32, Box<dyn Partial>)>;

thread_local! {
    /// The partial values of the task on this thread.
    static PARTIALS: RefCell<Partials> = const { RefCell::new(Vec::new()) };
}

/// Takes the partial values of the task on this thread, and leaves none for the next task.
pub fn take() -> Partials {
    PARTIALS.take()
}

/// Adds the partial values that another thread has accumulated for the task on this one.
pub fn add(partials: Partials) {
    partials.into_iter().for_each(|(id, partial)| put(id, partial));
}

/// Encodes partial values for a task's report.
///
/// # Errors
/// Of class config when one cannot be serialised.
pub fn encode(partials: &Partials) -> Result<Vec<(u32, Vec<u8>)>> {
    partials.iter().map(|(id, partial)| Ok((*id, partial.encode()?))).collect()
}

/// Merges a partial value into the one of this thread.
fn put(id: u32, partial: Box<dyn Partial>) {
    // Merging runs user code, so the `RefCell` is not borrowed meanwhile.
    let partial = match take_one(id) {
        Some(mut earlier) => {
            earlier.merge(partial);
            earlier
        }
        None => partial,
    };
    PARTIALS.with_borrow_mut(|partials| partials.push((id, partial)));
}

fn take_one(id: u32) -> Option<Box<dyn Partial>> {
    PARTIALS.with_borrow_mut(|partials| {
        let at = partials.iter().position(|(known, _)| *known == id)?;
        Some(partials.swap_remove(at).1)
    })
}

/// A partial value of any type.
pub trait Partial: Send {
    /// Serialises the value.
    fn encode(&self) -> Result<Vec<u8>>;
    /// Merges a later value into this one.
    fn merge(&mut self, later: Box<dyn Partial>);
    /// For downcasts.
    fn as_any(&mut self) -> &mut dyn Any;
    /// For downcasts.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

struct Value<A> {
    value: A,
    merge: Merge<A>,
}

impl<A: Param> Partial for Value<A> {
    fn encode(&self) -> Result<Vec<u8>> {
        postcard::to_stdvec(&self.value)
            .map_err(|e| Error::config("the value of an accumulator cannot be serialised").because(e))
    }
    fn merge(&mut self, later: Box<dyn Partial>) {
        if let Ok(later) = later.into_any().downcast::<Value<A>>() {
            self.merge.call(&mut self.value, later.value);
        }
    }
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A value that closures add to, wherever they run: see
/// [`Context::accumulator`](crate::Context::accumulator), and, for counters of `i64` or `f64`,
/// [`Context::counter_i64`](crate::Context::counter_i64) and
/// [`Context::counter_f64`](crate::Context::counter_f64).
///
/// Each row counts once for every action that computes it, however often its task is retried, run twice or
/// lost: only successful attempts count. A failed action may have added some of its rows. Tasks end in any
/// order, so the merge must be commutative and associative; a sum of floats may differ in its last digits
/// from run to run.
pub struct Accumulator<A> {
    id: u32,
    zero: A,
    merge: Merge<A>,
    /// The run that merges the values; `None` on an executor.
    run: Option<Arc<Run>>,
}

impl<A: Param + Clone> Accumulator<A> {
    /// A new accumulator of `run`, or the existing one with this name and type.
    pub(crate) fn new<F>(name: Option<&str>, zero: A, merge: F, run: &Arc<Run>) -> Accumulator<A>
    where
        F: Fn(&mut A, A) + Send + Sync + 'static,
    {
        let merge = Merge::new(merge);
        let id = run.accumulators.register(name, zero.clone(), merge);
        Accumulator { id, zero, merge, run: Some(Arc::clone(run)) }
    }

    /// Merges `value` into the accumulator.
    #[inline]
    pub fn add(&self, value: A) {
        self.update(|partial| self.merge.call(partial, value));
    }

    /// Changes the partial value of this task in place; it is the zero before the first change. Suited to
    /// collections, where `add` would merge another collection each time.
    #[inline]
    pub fn update(&self, change: impl FnOnce(&mut A)) {
        if !in_task() {
            return self.update_outside(change);
        }
        let new = || Box::new(Value { value: self.zero.clone(), merge: self.merge }) as Box<dyn Partial>;
        let mut taken = Taken { id: self.id, partial: Some(take_one(self.id).unwrap_or_else(new)) };
        let partial = taken.partial.as_mut().and_then(|partial| partial.as_any().downcast_mut::<Value<A>>());
        match partial {
            Some(partial) => change(&mut partial.value),
            None => panic!("an accumulator of another context was used"),
        }
    }

    /// The merged value, on the driver; a closure on an executor gets the zero.
    ///
    /// # Panics
    /// When the merge function has panicked on values from tasks; the message names the line.
    pub fn value(&self) -> A {
        let value = self.run.as_ref().map_or(Ok(None), |run| run.accumulators.value(self.id));
        match value {
            Ok(value) => value.unwrap_or_else(|| self.zero.clone()),
            Err(error) => panic!("an accumulator has no value: {error}"),
        }
    }

    /// Code of the job outside tasks adds at once.
    #[cold]
    fn update_outside(&self, change: impl FnOnce(&mut A)) {
        let mut partial = self.zero.clone();
        change(&mut partial);
        if let Some(run) = &self.run {
            run.accumulators.merge_value(self.id, partial);
        }
    }
}

/// A partial value while a closure changes it; the closure may use accumulators too. The value is put back
/// even if the closure panics, because the panic may be caught.
struct Taken {
    id: u32,
    partial: Option<Box<dyn Partial>>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(partial) = self.partial.take() {
            put(self.id, partial);
        }
    }
}

impl<A: Serialize> Serialize for Accumulator<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.id, &self.zero, self.merge).serialize(serializer)
    }
}

impl<'de, A: Deserialize<'de> + 'static> Deserialize<'de> for Accumulator<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Accumulator<A>, D::Error> {
        let (id, zero, merge) = Deserialize::deserialize(deserializer)?;
        Ok(Accumulator { id, zero, merge, run: None })
    }
}

#[cfg(test)]
mod tests {
    use super::super::counts;
    use super::*;
    use crate::job::Progress;

    fn list(run: &Arc<Run>) -> Accumulator<Vec<u64>> {
        Accumulator::new(None, Vec::new(), |all: &mut Vec<u64>, more| all.extend(more), run)
    }

    #[test]
    fn what_a_task_accumulates_leaves_with_it_and_is_merged_when_its_attempt_has_won() {
        let run = Run::new("r", Progress::silent());
        let (numbers, others) = (list(&run), list(&run));
        counts::start();
        numbers.add(vec![1]);
        // A change may use any accumulator, including the one that is being changed.
        numbers.update(|all| {
            all.push(2);
            others.add(vec![9]);
            numbers.add(vec![3]);
        });
        let report = encode(&take()).unwrap();
        counts::finish();
        assert_eq!(
            (numbers.value(), others.value()),
            (vec![], vec![]),
            "nobody has said that this attempt won"
        );
        run.accumulators.merge(&report);
        let mut all = numbers.value();
        all.sort_unstable();
        assert_eq!((all, others.value()), (vec![1, 2, 3], vec![9]));
        numbers.add(vec![4]);
        assert_eq!(numbers.value().len(), 4, "outside of tasks it is added at once");
    }

    #[test]
    fn a_caught_panic_loses_nothing_of_what_was_added_before_it() {
        let run = Run::new("r", Progress::silent());
        let numbers = list(&run);
        counts::start();
        numbers.add(vec![1]);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            numbers.update(|_| panic!("bad luck"));
        }));
        run.accumulators.merge(&encode(&take()).unwrap());
        counts::finish();
        assert_eq!((caught.is_err(), numbers.value()), (true, vec![1]));
    }

    #[test]
    fn a_panic_of_a_merge_in_the_driver_comes_out_where_the_value_is_asked_for() {
        crate::job::install_panic_hook();
        let run = Run::new("r", Progress::silent());
        let small =
            Accumulator::new(None, 0_u64, |sum, n| *sum = sum.checked_add(n).expect("too large"), &run);
        let other = list(&run);
        let partial = |n: u64| (small.id, postcard::to_stdvec(&n).unwrap());
        run.accumulators.merge(&[
            partial(u64::MAX),
            partial(1),
            (other.id, postcard::to_stdvec(&[5_u64][..]).unwrap()),
        ]);
        assert_eq!(other.value(), [5]);
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| small.value())).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("too large") && text.contains("accumulator.rs"), "{text}");
    }
}
