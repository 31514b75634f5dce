//! `try_map_or_reject`: the accepted rows, and the refused ones as a dataset of their own.

use std::fmt::Display;
use std::marker::PhantomData;

use kiln_planner::Site;

use super::fallible::{Attempt, Fallible, Refused, text};
use super::try_map::One;
use crate::chain::{Chain, FuncInfo, Plain, Sink, Step, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::{IntoRow, Row};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};
use crate::task::{Place, Task};

/// A row that a closure has refused.
#[derive(kiln_derive::Row, Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Where it stood: `file a.txt, byte 17` where a source knows it, else `partition 3, row 8`, with
    /// rows counted from 1.
    pub place: String,
    /// The row as text.
    pub record: String,
    /// Why it was refused.
    pub error: String,
}

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Turns each row into another, or refuses it: the first dataset holds the rows that were
    /// accepted, the second a [`Reject`] for each of the others.
    ///
    /// Each of the two goes over all rows when an action needs it, and calls `f` for each. Where
    /// they are dear to compute or to read, [`cache`](Dataset::cache) before.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["1", "two"].map(String::from));
    /// let (numbers, rejects) = lines.try_map_or_reject(|line| line.parse::<u64>());
    /// assert_eq!(numbers.collect()?, [1]);
    /// let two = &rejects.collect()?[0];
    /// assert_eq!((&*two.place, &*two.record), ("partition 0, row 2", "two"));
    /// assert_eq!(two.error, "invalid digit found in string");
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn try_map_or_reject<R, E, F>(
        self,
        f: F,
    ) -> (Dataset<R::Row, Attempt<C, Plain<F>, One<R, E>>>, Dataset<Reject, Rejects<C, Plain<F>, One<R, E>>>)
    where
        F: for<'a> Fn(T::View<'a>) -> Result<R, E> + Send + Sync + 'static,
        R: IntoRow + 'static,
        E: Display + 'static,
    {
        self.apart(Plain::new(f, Site::caller()))
    }

    /// `try_map_or_reject` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument.
    #[track_caller]
    pub fn try_map_or_reject_with<P: Param, R, E, F>(
        self,
        shared: &Shared<P>,
        f: F,
    ) -> (
        Dataset<R::Row, Attempt<C, With<P, F>, One<R, E>>>,
        Dataset<Reject, Rejects<C, With<P, F>, One<R, E>>>,
    )
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> Result<R, E> + Send + Sync + 'static,
        R: IntoRow + 'static,
        E: Display + 'static,
    {
        self.apart(With::new(shared, f, Site::caller()))
    }

    fn apart<G: Clone, R: IntoRow, E>(
        self,
        func: G,
    ) -> (Dataset<R::Row, Attempt<C, G, One<R, E>>>, Dataset<Reject, Rejects<C, G, One<R, E>>>) {
        let origin = self.origin.moved();
        let rejects = Rejects { chain: self.chain.clone(), func: func.clone(), _operator: PhantomData };
        let accepted = Attempt::new(self.chain, func, Refused::Drop);
        (Dataset::over(accepted, origin.clone()), Dataset::over(rejects, origin))
    }
}

/// The chain `C`, then the rows that the operator `N` refuses with the function `G`.
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

    fn drive<S: Sink<Reject>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let (partition, place) = (task.partition, &task.place);
        let mut refused = Refusals::<C::Out, G, N, S> {
            func: &self.func,
            sink,
            partition,
            rows: 0,
            place,
            _types: PhantomData,
        };
        self.chain.drive(task, &mut refused)
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        self.chain.steps(steps);
        steps.push(Step::new("rejects of try_map_or_reject", self.func.site()));
    }

    fn source_bytes(&self) -> u64 {
        self.chain.source_bytes()
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        self.chain.closures(closures);
        closures.push(self.func.describe("try_map_or_reject"));
    }
}

/// Passes on what is refused.
struct Refusals<'s, T, G, N, S> {
    func: &'s G,
    sink: &'s mut S,
    partition: usize,
    /// Rows of the partition so far.
    rows: u64,
    place: &'s Place,
    _types: PhantomData<fn(T) -> N>,
}

impl<T: Row, G, N: Fallible<T, G>, S: Sink<Reject>> Sink<T> for Refusals<'_, T, G, N, S> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        self.rows += 1;
        let func = self.func;
        if let Err(reason) = N::push(func, T::narrow(row), &mut Nowhere) {
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
        self.sink.is_full()
    }
}

/// The accepted rows are those of another dataset.
struct Nowhere;

impl<T: Row> Sink<T> for Nowhere {
    #[inline]
    fn push(&mut self, _: T::View<'_>) {}
}
