//! A function that merges two values in any process: the argument of `cx.accumulator`.
//!
//! It captures nothing, so it is determined by its type, and the link-time table identifies it in other
//! processes, like the makers of lazy values.

use std::any::Any;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::closure::conjure;
use super::table::{self, Shipped};

/// A function that merges a value into another one.
pub struct Merge<A> {
    /// Its position in the link-time table, if there is a table.
    entry: Option<u32>,
    call: fn(&mut A, A),
}

impl<A: 'static> Merge<A> {
    /// Wraps `closure`.
    pub fn new<F: Fn(&mut A, A) + Send + Sync + 'static>(_: F) -> Merge<A> {
        const {
            assert!(
                size_of::<F>() == 0,
                "the closure of `accumulator` must capture nothing: each process runs its own"
            )
        }
        table::anchor::<Merger<A, F>>();
        Merge { entry: table::position::<Merger<A, F>>(), call: call::<A, F> }
    }

    /// Merges `later` into `value`.
    #[inline]
    pub fn call(self, value: &mut A, later: A) {
        (self.call)(value, later);
    }
}

impl<A> Clone for Merge<A> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A> Copy for Merge<A> {}

fn call<A: 'static, F: Fn(&mut A, A) + Send + Sync + 'static>(value: &mut A, later: A) {
    match conjure::<F>() {
        Ok(closure) => closure(value, later),
        Err(error) => unreachable!("`new` accepts no captures: {error}"),
    }
}

/// The table entry of a merge function, which the same binary has in every process.
struct Merger<A, F>(PhantomData<fn() -> (A, F)>);

impl<A: 'static, F: Fn(&mut A, A) + Send + Sync + 'static> Shipped for Merger<A, F> {
    fn rebuild(_: &[u8]) -> Box<dyn Any> {
        Box::new(call::<A, F> as fn(&mut A, A))
    }
}

impl<A> Serialize for Merge<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = self.entry.ok_or_else(|| ser::Error::custom("this platform has no link-time table"))?;
        entry.serialize(serializer)
    }
}

impl<'de, A: 'static> Deserialize<'de> for Merge<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Merge<A>, D::Error> {
        let entry = u32::deserialize(deserializer)?;
        let merger = table::table().get(entry as usize).map(|entry| (entry.rebuild)(&[]));
        match merger.and_then(|merger| merger.downcast::<fn(&mut A, A)>().ok()) {
            Some(call) => Ok(Merge { entry: Some(entry), call: *call }),
            None => Err(de::Error::custom(format!("entry {entry} of the table merges no such values"))),
        }
    }
}
