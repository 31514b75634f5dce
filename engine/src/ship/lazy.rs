//! Values that each process creates on first use: `cx.lazy`.
//!
//! A compiled regular expression, a client with open sockets or a large table from a file cannot be sent to
//! another process, but the code that creates it can. That code captures nothing, so it is determined by its
//! type, and the link-time table identifies it in other processes.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::closure::conjure;
use super::table::{self, Shipped};

/// A value that is created once in each process that uses it, and lives as long as the process.
///
/// Created by [`Context::lazy`](crate::Context::lazy), passed to the `…_with` operators like any shared
/// value, and dereferenced like a reference.
pub struct Lazy<T> {
    /// The position of the maker in the link-time table, if there is a table.
    entry: Option<u32>,
    make: fn() -> Arc<T>,
    value: OnceLock<Arc<T>>,
}

impl<T: Send + Sync + 'static> Lazy<T> {
    pub(crate) fn new<F: Fn() -> T + Send + Sync + 'static>(_: F) -> Lazy<T> {
        const {
            assert!(
                size_of::<F>() == 0,
                "the closure of `lazy` must capture nothing: each process runs it anew"
            )
        }
        table::anchor::<Maker<T, F>>();
        Lazy::made_by(table::position::<Maker<T, F>>(), made::<T, F>)
    }

    fn made_by(entry: Option<u32>, make: fn() -> Arc<T>) -> Lazy<T> {
        Lazy { entry, make, value: OnceLock::new() }
    }
}

impl<T> Deref for Lazy<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        self.value.get_or_init(self.make)
    }
}

/// The value that this process created with `F`; the first call creates it.
fn made<T: Send + Sync + 'static, F: Fn() -> T + Send + Sync + 'static>() -> Arc<T> {
    type Cells = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;
    static MADE: LazyLock<Mutex<Cells>> = LazyLock::new(Mutex::default);
    let cell = {
        let mut cells = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(OnceLock::<Arc<T>>::new()) as Arc<dyn Any + Send + Sync>;
        Arc::clone(cells.entry(TypeId::of::<F>()).or_insert_with(new))
    };
    // The lock is released first: creating a value may take long, and may use another lazy value.
    let make = || match conjure::<F>() {
        Ok(make) => Arc::new(make()),
        Err(error) => unreachable!("`new` accepts no captures: {error}"),
    };
    match cell.downcast_ref::<OnceLock<Arc<T>>>() {
        Some(cell) => Arc::clone(cell.get_or_init(make)),
        None => make(),
    }
}

/// The table entry of a maker: a function that the same binary has in every process.
struct Maker<T, F>(PhantomData<fn() -> (T, F)>);

impl<T: Send + Sync + 'static, F: Fn() -> T + Send + Sync + 'static> Shipped for Maker<T, F> {
    fn rebuild(_: &[u8]) -> Box<dyn Any> {
        Box::new(made::<T, F> as fn() -> Arc<T>)
    }
}

impl<T> Serialize for Lazy<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = self.entry.ok_or_else(|| ser::Error::custom("this platform has no link-time table"))?;
        entry.serialize(serializer)
    }
}

impl<'de, T: Send + Sync + 'static> Deserialize<'de> for Lazy<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Lazy<T>, D::Error> {
        let entry = u32::deserialize(deserializer)?;
        let maker = table::table().get(entry as usize).map(|entry| (entry.rebuild)(&[]));
        match maker.and_then(|maker| maker.downcast::<fn() -> Arc<T>>().ok()) {
            Some(make) => Ok(Lazy::made_by(Some(entry), *make)),
            None => Err(de::Error::custom(format!("entry {entry} of the table makes no such value"))),
        }
    }
}
