//! What the accumulators of a run have come to, in the driver.
//!
//! Partial values arrive as bytes from the attempts that won, and are merged one after the other. The merge is
//! the user's code: each total has a lock of its own, so that a merge that takes long keeps nobody from the others,
//! and a panic in it stays with its accumulator.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;

use super::lock;
use super::panic::catch;
use crate::error::{Error, Result};
use crate::ship::merge::Merge;

/// All totals, by the number of their accumulator.
#[derive(Default)]
pub(crate) struct Accumulators(Mutex<Vec<Entry>>);

#[derive(Clone)]
struct Entry {
    /// Counters have one, and are in the result.
    name: Option<String>,
    total: Arc<Mutex<dyn AnyTotal>>,
}

/// What one accumulator has come to.
struct Total<A> {
    value: A,
    merge: Merge<A>,
    /// Why the value is not right, if a merge has failed.
    failure: Option<Error>,
}

/// A total without its type.
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
    /// The number of a new accumulator, or of the one that has this name and type already.
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

    /// Merges what tasks have accumulated.
    pub(crate) fn merge(&self, partials: &[(u32, Vec<u8>)]) {
        for (id, partial) in partials {
            if let Some(entry) = self.entry(*id) {
                total_of(&entry).merge_bytes(partial);
            }
        }
    }

    /// Merges what the job's own code has accumulated.
    pub(crate) fn merge_value<A: 'static>(&self, id: u32, partial: A) {
        let Some(entry) = self.entry(id) else { return };
        if let Some(total) = total_of(&entry).as_any().downcast_mut::<Total<A>>() {
            total.merge(partial);
        }
    }

    /// What an accumulator has come to, if there is one.
    ///
    /// # Errors
    /// That of a merge which has failed.
    pub(crate) fn value<A: Clone + 'static>(&self, id: u32) -> Result<Option<A>> {
        let Some(entry) = self.entry(id) else { return Ok(None) };
        let mut total = total_of(&entry);
        match total.as_any().downcast_ref::<Total<A>>() {
            Some(Total { failure: Some(failure), .. }) => Err(failure.clone()),
            Some(Total { value, .. }) => Ok(Some(value.clone())),
            None => Ok(None),
        }
    }

    /// The values of the type `A` that have a name.
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
