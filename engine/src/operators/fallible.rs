//! What `try_map`, `try_flat_map` and their rejects share: closures that may refuse a row.
//!
//! A refused row fails the job with the row's place, is counted and left out, or becomes a row of a
//! dataset of its own. Rows are pushed and pushing cannot fail, so an error waits in the sink until
//! the source looks up.

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

/// Characters of a record that an error shows.
const SHOWN_CHARS: usize = 120;

/// What becomes of the rows that a closure refuses.
///
/// A closure that returns [`Error::transient`] refuses nothing: its task is tried again under every policy.
#[derive(Clone, Copy)]
pub enum OnError<'a> {
    /// The first one fails the job: an error of class data, with the record, its place and the reason. A reason
    /// that is an [`Error`] keeps its class.
    Fail,
    /// They are left out and counted: [`Context::counter`](crate::Context::counter) makes a counter.
    Skip(&'a Shared<Counter>),
}

/// The same, as an operator holds it.
#[derive(Clone, Serialize, Deserialize)]
pub enum Refused {
    /// Fail.
    Fail,
    /// Leave out and count.
    Skip(Shared<Counter>),
    /// Leave out: whoever keeps the refused rows is another dataset.
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

/// What such an operator does with one row, by the function `G` that it was given.
pub trait Fallible<T: Row, G>: Send + Sync + 'static {
    /// The rows that come out.
    type Out: Row;
    /// Why a row was refused.
    type Reason: Display + 'static;
    /// The operator, as users call it.
    const NAME: &'static str;

    /// Handles one row; a refused one has put out nothing. `func` and `row` live equally long, so a
    /// result may borrow from both.
    fn push<'a, S: RowConsumer<Self::Out>>(
        func: &'a G,
        row: T::View<'a>,
        sink: &mut S,
    ) -> Result<(), Self::Reason>;
}

/// The chain `C`, then the operator `N` with the function `G`.
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
        // The source ends early and well when the sink says that it is full.
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

/// The sink that the operator puts in front of the sink below it.
struct Attempts<'s, T, G, N, S> {
    func: &'s G,
    sink: &'s mut S,
    /// Rows of the partition so far.
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

/// What a refused row comes to.
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

/// `error` with the record and its place.
pub(super) fn of_record<T: Row>(row: T::View<'_>, error: Error, place: &Place, rows: u64) -> Error {
    place.tell(error.at("record", format!("`{}`", shortened(text::<T>(row)))), rows)
}

/// The [`Error`] that a closure returned, also in a box.
///
/// The reason for a refusal may be of any type. One that is an `Error` keeps its class. A transient one
/// refuses nothing: the same record may be accepted when the task is tried again, so whatever becomes of
/// refused records, it fails the task.
pub(super) fn failure<E: 'static>(reason: &E) -> Option<&Error> {
    let reason: &dyn Any = reason;
    let boxed = || reason.downcast_ref::<Box<dyn std::error::Error + Send + Sync>>()?.downcast_ref();
    let local = || reason.downcast_ref::<Box<dyn std::error::Error>>()?.downcast_ref();
    reason.downcast_ref().or_else(boxed).or_else(local)
}

/// A row as text: a string as it is, a struct with the names of its fields.
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
