//! Common parts of `try_map`, `try_flat_map` and their variants: closures that may reject a row.
//!
//! A rejected row fails the job with the row's location, is counted and skipped, or becomes a row of
//! another dataset. Rows are pushed, and a push cannot fail, so an error is stored in the sink until
//! the source asks for it.

use std::any::Any;
use std::fmt::Display;
use std::marker::PhantomData;

use arrow::util::display::array_value_to_string;
use kiln_planner::Site;
use serde::{Deserialize, Serialize};

use crate::chain::{Chain, FuncInfo, RowConsumer, Step};
use crate::error::{Class, Error, Result};
use crate::row::{ColumnBuilder, Row};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::Shared;
use crate::task::{Counter, Place, Task};

/// Upper limit of the characters of a record in an error message.
const SHOWN_CHARS: usize = 120;

/// What happens to rows that a closure rejects.
///
/// A closure that returns [`Error::transient`] does not reject its row: the task is retried under every
/// policy.
#[derive(Clone, Copy)]
pub enum OnError<'a> {
    /// The first rejected row fails the job with a data error that names the record, its location and
    /// the reason. A reason that is an [`Error`] keeps its class.
    Fail,
    /// Rejected rows are skipped and counted, with a counter from
    /// [`Context::counter`](crate::Context::counter).
    Skip(&'a Shared<Counter>),
}

/// The serializable form of [`OnError`].
#[derive(Clone, Serialize, Deserialize)]
pub enum Refused {
    /// Fail the job.
    Fail,
    /// Skip and count.
    Skip(Shared<Counter>),
    /// Skip: another dataset holds the rejected rows.
    Drop,
}

impl From<OnError<'_>> for Refused {
    fn from(policy: OnError<'_>) -> Refused {
        match policy {
            OnError::Fail => Refused::Fail,
            OnError::Skip(counter) => Refused::Skip(counter.clone()),
        }
    }
}

/// How an operator applies the user's function `G` to one row.
pub trait Fallible<T: Row, G>: Send + Sync + 'static {
    /// The row type of the output.
    type Out: Row;
    /// The reason for rejecting a row.
    type Reason: Display + 'static;
    /// Name of the operator's method.
    const NAME: &'static str;

    /// Processes one row. A rejected row must not have pushed anything. `func` and `row` have the same
    /// lifetime, so a result may borrow from both.
    fn push<'a, S: RowConsumer<Self::Out>>(
        func: &'a G,
        row: T::View<'a>,
        sink: &mut S,
    ) -> Result<(), Self::Reason>;
}

/// The chain `C`, followed by the operator `N` with the function `G`.
pub struct Attempt<C, G, N> {
    chain: C,
    func: G,
    refused: Refused,
    _operator: PhantomData<fn() -> N>,
}

impl<C, G, N> Attempt<C, G, N> {
    pub(super) fn new(chain: C, func: G, refused: impl Into<Refused>) -> Self {
        Attempt { chain, func, refused: refused.into(), _operator: PhantomData }
    }
}

impl<C: Clone, G: Clone, N> Clone for Attempt<C, G, N> {
    fn clone(&self) -> Self {
        Attempt::new(self.chain.clone(), self.func.clone(), self.refused.clone())
    }
}

impl<C: Ship, G: Ship, N> Ship for Attempt<C, G, N> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.chain.ship(params)?;
        self.func.ship(params)?;
        params.put(&self.refused)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (chain, func) = (C::rebuild(params)?, G::rebuild(params)?);
        Ok(Attempt::new(chain, func, params.take::<Refused>()?))
    }
}

impl<C: Chain, G: FuncInfo, N: Fallible<C::Out, G>> Chain for Attempt<C, G, N> {
    type Out = N::Out;

    #[inline]
    fn drive<S: RowConsumer<N::Out>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let refusal =
            Refusal { refused: &self.refused, place: &task.place, site: self.func.site(), error: None };
        let mut attempts =
            Attempts::<C::Out, G, N, S> { func: &self.func, sink, rows: 0, refusal, _types: PhantomData };
        let driven = self.chain.drive(task, &mut attempts);
        // The source stops early without an error when the sink reports that it is full.
        attempts.refusal.error.map_or(driven, |error| Err(error.at("operator", N::NAME)))
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        self.chain.steps(steps);
        steps.push(Step::new(N::NAME, self.func.site()));
    }

    fn source_bytes(&self) -> u64 {
        self.chain.source_bytes()
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        self.chain.closures(closures);
        closures.push(self.func.describe(N::NAME));
    }
}

/// The sink in front of the next one: it applies the operator.
struct Attempts<'s, T, G, N, S> {
    func: &'s G,
    sink: &'s mut S,
    /// Number of rows of the partition so far.
    rows: u64,
    refusal: Refusal<'s>,
    _types: PhantomData<fn(T) -> N>,
}

impl<T: Row, G, N: Fallible<T, G>, S: RowConsumer<N::Out>> RowConsumer<T> for Attempts<'_, T, G, N, S> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        if self.refusal.error.is_some() {
            return; // the source has not looked up yet
        }
        self.rows += 1;
        let func = self.func;
        if let Err(reason) = N::push(func, T::narrow(row), self.sink) {
            self.refusal.take::<T>(row, &reason, self.rows);
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.refusal.error.is_some() || self.sink.is_full()
    }
}

/// Handles rejected rows.
struct Refusal<'s> {
    refused: &'s Refused,
    place: &'s Place,
    site: &'s Site,
    error: Option<Error>,
}

impl Refusal<'_> {
    #[cold]
    fn take<T: Row>(&mut self, row: T::View<'_>, reason: &(impl Display + 'static), rows: u64) {
        let error = failure(reason).filter(|error| error.class() != Class::Data);
        match (self.refused, error) {
            (_, Some(error)) if error.is_retryable() => self.fail::<T>(row, error.clone(), rows),
            (Refused::Drop, _) => {}
            (Refused::Skip(counter), _) => counter.add(1),
            (Refused::Fail, Some(error)) => self.fail::<T>(row, error.clone(), rows),
            (Refused::Fail, None) => {
                let advice = "to go on without such records give `OnError::Skip(&counter)`, or keep them with \
                              `try_map_or_reject` or `try_flat_map_or_reject`";
                let error = Error::data(format!("a record was refused: {reason}")).help(advice);
                self.fail::<T>(row, error, rows);
            }
        }
    }

    fn fail<T: Row>(&mut self, row: T::View<'_>, error: Error, rows: u64) {
        self.error = Some(of_record::<T>(row, error, self.place, rows).at("line", self.site));
    }
}

/// Adds the record and its location to `error`.
pub(super) fn of_record<T: Row>(row: T::View<'_>, error: Error, place: &Place, rows: u64) -> Error {
    place.tell(error.at("record", format!("`{}`", shortened(text::<T>(row)))), rows)
}

/// The [`Error`] that a closure returned, also in a box.
///
/// A closure may reject a row with a reason of any type. A reason that is an `Error` keeps its class. A
/// transient error does not reject the row: the same record may be accepted when the task is retried,
/// so it fails the task under every policy.
pub(super) fn failure<E: 'static>(reason: &E) -> Option<&Error> {
    let reason: &dyn Any = reason;
    let boxed = || reason.downcast_ref::<Box<dyn std::error::Error + Send + Sync>>()?.downcast_ref();
    let local = || reason.downcast_ref::<Box<dyn std::error::Error>>()?.downcast_ref();
    reason.downcast_ref().or_else(boxed).or_else(local)
}

/// A row as text: a string as it is, a struct with its field names.
pub(super) fn text<T: Row>(row: T::View<'_>) -> String {
    let mut builder = T::Builder::default();
    builder.push(row);
    array_value_to_string(&builder.finish(), 0).unwrap_or_else(|e| format!("it cannot be shown: {e}"))
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
