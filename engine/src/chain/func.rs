//! The closures of operators: called with a view, and with a shared value if there is one.
//!
//! Traits with the argument type as a parameter are how stable Rust expresses "for every lifetime of
//! the view, a function of that view". With [`Func`], one operator serves its plain method and its
//! `…_with` method; its `…_to` method uses a [`Func`] of `exact`.

use kiln_planner::Site;

use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::{Closure, Code};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::shared::{Param, Shared};

/// A function of one argument whose result may depend on the argument's lifetime.
pub trait Map1<A>: Fn(A) -> <Self as Map1<A>>::Out {
    /// The result.
    type Out;
}
impl<A, R, F: Fn(A) -> R> Map1<A> for F {
    type Out = R;
}

/// A function of a shared value and one argument.
pub trait Map2<'a, P: 'a, A>: Fn(&'a P, A) -> <Self as Map2<'a, P, A>>::Out {
    /// The result.
    type Out;
}
impl<'a, P: 'a, A, R, F: Fn(&'a P, A) -> R> Map2<'a, P, A> for F {
    type Out = R;
}

/// A closure that returns an owned row of type `R` for each row.
///
/// Operators use this bound instead of `R: Row`. rustc infers the argument of a closure from a
/// supertrait as it does from a plain `Fn` bound, and reports an `R` that is not a row at the closure.
pub trait RowFn<T: Row, R>: for<'a> Fn(T::View<'a>) -> R + Send + Sync + 'static {}
impl<T: Row, R: Row, F> RowFn<T, R> for F where F: for<'a> Fn(T::View<'a>) -> R + Send + Sync + 'static {}

/// A [`RowFn`] that also gets a shared value.
pub trait SharedRowFn<P, T: Row, R>: for<'a> Fn(&'a P, T::View<'a>) -> R + Send + Sync + 'static {}
impl<P, T: Row, R: Row, F> SharedRowFn<P, T, R> for F where
    F: for<'a> Fn(&'a P, T::View<'a>) -> R + Send + Sync + 'static
{
}

/// A closure that returns an iterator `I` of owned rows for each row. For the reason of the trait see
/// [`RowFn`].
pub trait RowsFn<T: Row, I>: for<'a> Fn(T::View<'a>) -> I + Send + Sync + 'static {}
impl<T: Row, I: IntoIterator<Item: Row>, F> RowsFn<T, I> for F where
    F: for<'a> Fn(T::View<'a>) -> I + Send + Sync + 'static
{
}

/// A [`RowsFn`] that also gets a shared value.
pub trait SharedRowsFn<P, T: Row, I>: for<'a> Fn(&'a P, T::View<'a>) -> I + Send + Sync + 'static {}
impl<P, T: Row, I: IntoIterator<Item: Row>, F> SharedRowsFn<P, T, I> for F where
    F: for<'a> Fn(&'a P, T::View<'a>) -> I + Send + Sync + 'static
{
}

/// The function that an operator calls for each row.
pub trait Func<'a, A> {
    /// The result.
    type Out;
    /// Calls the user's closure.
    fn call(&'a self, row: A) -> Self::Out;
}

/// A closure over the row alone.
pub struct Plain<F>(Code<F>);

/// A closure over a shared value and the row.
pub struct With<P, F> {
    shared: Shared<P>,
    code: Code<F>,
}

impl<F> Plain<F> {
    /// Wraps `closure`, which was passed to an operator at `site`.
    pub fn new(closure: F, site: Site) -> Self {
        Plain(Code::new(closure, site))
    }
}

impl<P, F> With<P, F> {
    /// Wraps `closure`, which was passed to an operator at `site` with a shared value.
    pub fn new(shared: &Shared<P>, closure: F, site: Site) -> Self {
        With { shared: shared.clone(), code: Code::new(closure, site) }
    }
}

impl<'a, A, F: Map1<A>> Func<'a, A> for Plain<F> {
    type Out = <F as Map1<A>>::Out;
    #[inline]
    fn call(&'a self, row: A) -> Self::Out {
        (*self.0)(row)
    }
}

impl<'a, A, P: 'a, F: Map2<'a, P, A>> Func<'a, A> for With<P, F> {
    type Out = <F as Map2<'a, P, A>>::Out;
    #[inline]
    fn call(&'a self, row: A) -> Self::Out {
        (*self.code)(&self.shared, row)
    }
}

/// A [`Func`] without its types, for `explain` and for the check of captured variables.
pub trait FuncInfo: Ship + Clone + Send + Sync + 'static {
    /// The line in the user's code.
    fn site(&self) -> &Site;
    /// Describes the closure.
    fn describe(&self, operator: &'static str) -> Closure;
}

impl<F: Send + Sync + 'static> FuncInfo for Plain<F> {
    fn site(&self) -> &Site {
        &self.0.site
    }
    fn describe(&self, operator: &'static str) -> Closure {
        self.0.describe(operator)
    }
}

impl<P: Param, F: Send + Sync + 'static> FuncInfo for With<P, F> {
    fn site(&self) -> &Site {
        &self.code.site
    }
    fn describe(&self, operator: &'static str) -> Closure {
        self.code.describe(operator)
    }
}

impl<F> Clone for Plain<F> {
    fn clone(&self) -> Self {
        Plain(self.0.clone())
    }
}

impl<P, F> Clone for With<P, F> {
    fn clone(&self) -> Self {
        With { shared: self.shared.clone(), code: self.code.clone() }
    }
}

impl<F: Send + Sync + 'static> Ship for Plain<F> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.0.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Plain(Code::rebuild(params)?))
    }
}

impl<P: Param, F: Send + Sync + 'static> Ship for With<P, F> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.shared.ship(params)?;
        self.code.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(With { shared: Shared::rebuild(params)?, code: Code::rebuild(params)? })
    }
}

impl<F> Plain<F> {
    /// The closure.
    #[inline]
    pub fn code(&self) -> &F {
        &self.0
    }
}

impl<P, F> With<P, F> {
    /// The closure.
    #[inline]
    pub fn code(&self) -> &F {
        &self.code
    }

    /// The handle of the shared value.
    pub fn handle(&self) -> &Shared<P> {
        &self.shared
    }

    /// The shared value.
    #[inline]
    pub fn shared(&self) -> &P {
        &self.shared
    }
}
