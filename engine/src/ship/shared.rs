//! Values that closures may use on every executor: `cx.share`.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::params::{ParamReader, ParamWriter, Ship};
use crate::error::Result;

/// A value that can be sent to executors: it owns its data, and serde can serialise and deserialise it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared",
    note = "a shared value owns what it holds (`\"abc\".to_owned()`), and serde writes and reads it: structs derive `serde::Serialize` and `serde::Deserialize`"
)]
pub trait Param: Serialize + for<'de> OwnedValue<'de> + Send + Sync + 'static {}
impl<P: Serialize + for<'de> OwnedValue<'de> + Send + Sync + 'static> Param for P {}

/// `Deserialize` under the name that appears in the error of `cx.share("abc")`: a value that borrows cannot
/// be deserialised for every lifetime, and rustc does not allow any other text there.
pub trait OwnedValue<'de>: Deserialize<'de> {}
impl<'de, P: Deserialize<'de>> OwnedValue<'de> for P {}

/// A value declared to the engine, so that closures may use it wherever they run.
///
/// Created by [`Context::share`](crate::Context::share), passed to the `…_with` operators. Sharing is cheap
/// in one process; for executors the value is serialised once and sent with the stage.
pub struct Shared<P>(Arc<P>);

impl<P> Shared<P> {
    pub(crate) fn new(value: P) -> Self {
        Shared(Arc::new(value))
    }
}

impl<P> Clone for Shared<P> {
    fn clone(&self) -> Self {
        Shared(Arc::clone(&self.0))
    }
}

impl<P> Deref for Shared<P> {
    type Target = P;
    #[inline]
    fn deref(&self) -> &P {
        &self.0
    }
}

/// A shared value may be part of another: `cx.share((rules, bad_lines.clone()))`.
impl<P: Serialize> Serialize for Shared<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, P: Deserialize<'de>> Deserialize<'de> for Shared<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Shared::new(P::deserialize(deserializer)?))
    }
}

impl<P: Param> Ship for Shared<P> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&*self.0)
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Shared::new(params.take()?))
    }
}
