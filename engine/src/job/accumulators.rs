//! The totals of a run's accumulators, in the driver.
//!
//! Partial values arrive as bytes from successful attempts and are merged one after the other. The
//! merge is the user's code. Each total has its own lock, so a slow merge does not delay other
//! accumulators, and a panic affects only its own.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;

use super::lock;
use super::panic::catch;
use crate::error::{Error, Result};
use crate::ship::merge::Merge;

/// All totals, indexed by accumulator id.
#[derive(Default)]
pub(crate) struct Accumulators(Mutex<Vec<Entry>>);

#[derive(Clone)]
struct Entry {
    /// The name of a counter. Named accumulators appear in the result.
    name: Option<String>,
    total: Arc<Mutex<dyn AnyTotal>>,
}

/// The total of one accumulator.
struct Total<A> {
    value: A,
    merge: Merge<A>,
    /// The error of a failed merge, after which the value is wrong.
    failure: Option<Error>,
}

/// A total with its type erased.
trait AnyTotal: Any + Send {
    fn merge_bytes(&mut self, partial: &[u8]);
    fn as_any(&mut self) -> &mut dyn Any;
}

impl<A: DeserializeOwned + Send + 'static> AnyTotal for Total<A> {
    fn merge_bytes(&mut self, partial: &[u8]) {
        match postcard::from_bytes(partial) {
            Ok(partial) => self.merge(partial),
            Err(e) => {
                let error = Error::bug("what a task has accumulated cannot be read").because(e);
                self.failure.get_or_insert(error);
            }
        }
    }
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

impl<A: 'static> Total<A> {
    fn merge(&mut self, partial: A) {
        let (merge, value) = (self.merge, &mut self.value);
        let merged = catch(AssertUnwindSafe(|| {
            merge.call(value, partial);
            Ok(())
        }));
        if let Err(error) = merged {
            self.failure.get_or_insert(error);
        }
    }
}

impl Accumulators {
    /// Registers an accumulator and returns its id. If one with this name and type exists, returns the
    /// id of that one.
    pub(crate) fn register<A>(&self, name: Option<&str>, zero: A, merge: Merge<A>) -> u32
    where
        A: DeserializeOwned + Send + 'static,
    {
        let mut entries = lock(&self.0);
        let is_same =
            |entry: &Entry| entry.name.as_deref() == name && total_of(entry).as_any().is::<Total<A>>();
        let known = entries.iter().position(is_same).filter(|_| name.is_some());
        let at = known.unwrap_or_else(|| {
            let total = Arc::new(Mutex::new(Total { value: zero, merge, failure: None }));
            entries.push(Entry { name: name.map(str::to_owned), total });
            entries.len() - 1
        });
        at as u32
    }

    /// Merges the partial values of tasks.
    pub(crate) fn merge(&self, partials: &[(u32, Vec<u8>)]) {
        for (id, partial) in partials {
            if let Some(entry) = self.entry(*id) {
                total_of(&entry).merge_bytes(partial);
            }
        }
    }

    /// Merges a partial value of the job's own code.
    pub(crate) fn merge_value<A: 'static>(&self, id: u32, partial: A) {
        let Some(entry) = self.entry(id) else { return };
        if let Some(total) = total_of(&entry).as_any().downcast_mut::<Total<A>>() {
            total.merge(partial);
        }
    }

    /// The total of an accumulator, if it exists.
    ///
    /// # Errors
    /// Fails with the error of a merge that failed.
    pub(crate) fn value<A: Clone + 'static>(&self, id: u32) -> Result<Option<A>> {
        let Some(entry) = self.entry(id) else { return Ok(None) };
        let mut total = total_of(&entry);
        match total.as_any().downcast_ref::<Total<A>>() {
            Some(Total { failure: Some(failure), .. }) => Err(failure.clone()),
            Some(Total { value, .. }) => Ok(Some(value.clone())),
            None => Ok(None),
        }
    }

    /// The totals of all named accumulators of type `A`.
    pub(super) fn named<A: Clone + 'static>(&self) -> BTreeMap<String, A> {
        let entries = lock(&self.0).clone();
        let named = entries.into_iter().filter_map(|entry| {
            let name = entry.name.clone()?;
            let mut total = total_of(&entry);
            total.as_any().downcast_ref::<Total<A>>().map(|total| (name, total.value.clone()))
        });
        named.collect()
    }

    fn entry(&self, id: u32) -> Option<Entry> {
        lock(&self.0).get(id as usize).cloned()
    }
}

fn total_of(entry: &Entry) -> MutexGuard<'_, dyn AnyTotal + 'static> {
    entry.total.lock().unwrap_or_else(PoisonError::into_inner)
}
