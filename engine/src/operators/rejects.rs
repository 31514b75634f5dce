//! The rejected rows of `try_map_or_reject` and `try_flat_map_or_reject`, as a dataset.
//!
//! Outputs one [`Reject`] for each row that the operator's closure rejects. The accepted rows are in
//! another dataset (`fallible`).

use std::marker::PhantomData;

use super::fallible::{Attempt, Fallible, Refused, failure, of_record, text};
use crate::chain::{Chain, FuncInfo, RowConsumer, Step};
use crate::checks::Reject;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::row::Row;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::{Place, Task};

/// The rows that an operator makes of those that it accepts, and the others.
pub type AcceptedAndRejected<O, C, G, N> = (Dataset<O, Attempt<C, G, N>>, Dataset<Reject, Rejects<C, G, N>>);

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// The rows that the operator `N` accepts with `func`, and those that it rejects.
    pub(super) fn apart<G: Clone, N: Fallible<T, G>>(self, func: G) -> AcceptedAndRejected<N::Out, C, G, N> {
        let origin = self.origin.moved();
        let rejects = Rejects { chain: self.chain.clone(), func: func.clone(), _operator: PhantomData };
        let accepted = Attempt::new(self.chain, func, Refused::Drop);
        (Dataset::over(accepted, origin.clone()), Dataset::over(rejects, origin))
    }
}

/// The chain `C`, followed by the operator `N` with the function `G`, of which only the rejected rows
/// are output.
pub struct Rejects<C, G, N> {
    chain: C,
    func: G,
    _operator: PhantomData<fn() -> N>,
}

impl<C: Clone, G: Clone, N> Clone for Rejects<C, G, N> {
    fn clone(&self) -> Self {
        Rejects { chain: self.chain.clone(), func: self.func.clone(), _operator: PhantomData }
    }
}

impl<C: Ship, G: Ship, N> Ship for Rejects<C, G, N> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.chain.ship(params)?;
        self.func.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Rejects { chain: C::rebuild(params)?, func: G::rebuild(params)?, _operator: PhantomData })
    }
}

impl<C: Chain, G: FuncInfo, N: Fallible<C::Out, G>> Chain for Rejects<C, G, N> {
    type Out = Reject;

    fn drive<S: RowConsumer<Reject>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let (partition, place) = (task.partition, &task.place);
        let mut refused = Refusals::<C::Out, G, N, S> {
            func: &self.func,
            sink,
            partition,
            rows: 0,
            place,
            error: None,
            _types: PhantomData,
        };
        let driven = self.chain.drive(task, &mut refused);
        // The source stops early without an error when the sink reports that it is full.
        let place = |error: Error| error.at("line", self.func.site()).at("operator", N::NAME);
        refused.error.map_or(driven, |error| Err(place(error)))
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        self.chain.steps(steps);
        steps.push(Step::new(format!("rejects of {}", N::NAME), self.func.site()));
    }

    fn source_bytes(&self) -> u64 {
        self.chain.source_bytes()
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        self.chain.closures(closures);
        closures.push(self.func.describe(N::NAME));
    }
}

/// The sink that outputs the rejected rows.
struct Refusals<'s, T, G, N, S> {
    func: &'s G,
    sink: &'s mut S,
    partition: usize,
    /// Number of rows of the partition so far.
    rows: u64,
    place: &'s Place,
    /// A transient error, which fails the task.
    error: Option<Error>,
    _types: PhantomData<fn(T) -> N>,
}

impl<T: Row, G, N: Fallible<T, G>, S: RowConsumer<Reject>> RowConsumer<T> for Refusals<'_, T, G, N, S> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        if self.error.is_some() {
            return; // the source has not looked up yet
        }
        self.rows += 1;
        let func = self.func;
        if let Err(reason) = N::push(func, T::narrow(row), &mut Nowhere) {
            if let Some(error) = failure(&reason).filter(|error| error.is_retryable()) {
                self.error = Some(of_record::<T>(row, error.clone(), self.place, self.rows));
                return;
            }
            let place = match self.place.now() {
                Some(place) => place.to_string(),
                None => format!("partition {}, row {}", self.partition, self.rows),
            };
            let reject = Reject { place, record: text::<T>(row), error: reason.to_string() };
            self.sink.push(reject.view());
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.error.is_some() || self.sink.is_full()
    }
}

/// Discards the accepted rows, which belong to the other dataset.
struct Nowhere;

impl<T: Row> RowConsumer<T> for Nowhere {
    #[inline]
    fn push(&mut self, _: T::View<'_>) {}
}
