//! The common part of narrow operators: a chain with one more operator.

use std::marker::PhantomData;

use super::{Chain, FuncInfo, RowConsumer, Step};
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::Task;

/// How a narrow operator applies the user's function `G` to one row.
pub trait Narrow<T: Row, G>: Send + Sync + 'static {
    /// The row type of the output.
    type Out: Row;
    /// Name of the operator's method.
    const NAME: &'static str;

    /// Processes one row. `func` and `row` have the same lifetime, so a result may borrow from both.
    fn push<'a, S: RowConsumer<Self::Out>>(func: &'a G, row: T::View<'a>, sink: &mut S);
}

/// The chain `C`, followed by the operator `N` with the function `G`.
pub struct Then<C, G, N> {
    chain: C,
    func: G,
    _operator: PhantomData<fn() -> N>,
}

impl<C, G, N> Then<C, G, N> {
    /// Appends the operator with `func` to `chain`.
    pub fn new(chain: C, func: G) -> Self {
        Then { chain, func, _operator: PhantomData }
    }
}

impl<C: Clone, G: Clone, N> Clone for Then<C, G, N> {
    fn clone(&self) -> Self {
        Then::new(self.chain.clone(), self.func.clone())
    }
}

impl<C: Ship, G: Ship, N> Ship for Then<C, G, N> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.chain.ship(params)?;
        self.func.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let chain = C::rebuild(params)?;
        Ok(Then::new(chain, G::rebuild(params)?))
    }
}

impl<C: Chain, G: FuncInfo, N: Narrow<C::Out, G>> Chain for Then<C, G, N> {
    type Out = N::Out;

    #[inline]
    fn drive<S: RowConsumer<N::Out>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        self.chain.drive(task, &mut Onto::<C::Out, G, N, S> { func: &self.func, sink, _types: PhantomData })
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
struct Onto<'s, T, G, N, S> {
    func: &'s G,
    sink: &'s mut S,
    _types: PhantomData<fn(T) -> N>,
}

impl<T: Row, G, N: Narrow<T, G>, S: RowConsumer<N::Out>> RowConsumer<T> for Onto<'_, T, G, N, S> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        let func = self.func;
        N::push(func, T::narrow(row), self.sink);
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.sink.is_full()
    }
}
