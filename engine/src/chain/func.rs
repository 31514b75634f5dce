//! A closure as an operator calls it: with a view, and with a shared value where one was declared.
//!
//! The traits with an argument type as a parameter are the form in which stable Rust can say "for
//! every lifetime of the view, a function of that view". [`Func`] makes one operator serve its
//! plain form, its `…_with` form and its `…_to` form.

use std::marker::PhantomData;

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

/// A function of one argument with a known result.
pub trait Into1<A, R>: Fn(A) -> R {}
impl<A, R, F: Fn(A) -> R> Into1<A, R> for F {}

/// A function of a shared value and one argument with a known result.
pub trait Into2<'a, P: 'a, A, R>: Fn(&'a P, A) -> R {}
impl<'a, P: 'a, A, R, F: Fn(&'a P, A) -> R> Into2<'a, P, A, R> for F {}

/// What an operator calls for each row.
pub trait Func<'a, A> {
    /// The result.
    type Out;
    /// Calls the user's closure.
    fn call(&'a self, row: A) -> Self::Out;
}

/// A closure of the row alone.
pub struct Plain<F>(Code<F>);

/// A closure of a shared value and the row.
pub struct With<P, F> {
    shared: Shared<P>,
    code: Code<F>,
}

/// Either of them, with the result stated: the view of `O`, or for `Result<O, E>` that or a reason.
pub struct Exact<G, O>(G, PhantomData<fn() -> O>);

impl<F> Plain<F> {
    /// `closure`, given to an operator at `site`.
    pub fn new(closure: F, site: Site) -> Self {
        Plain(Code::new(closure, site))
    }
}

impl<P, F> With<P, F> {
    /// `closure`, given to an operator at `site` with a shared value.
    pub fn new(shared: &Shared<P>, closure: F, site: Site) -> Self {
        With { shared: shared.clone(), code: Code::new(closure, site) }
    }
}

impl<G, O> Exact<G, O> {
    /// `func` with its result stated.
    pub fn new(func: G) -> Self {
        Exact(func, PhantomData)
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

impl<'a, A, O: Row, F: Into1<A, O::View<'a>>> Func<'a, A> for Exact<Plain<F>, O> {
    type Out = O::View<'a>;
    #[inline]
    fn call(&'a self, row: A) -> O::View<'a> {
        (*self.0.0)(row)
    }
}

impl<'a, A, O: Row, P: 'a, F: Into2<'a, P, A, O::View<'a>>> Func<'a, A> for Exact<With<P, F>, O> {
    type Out = O::View<'a>;
    #[inline]
    fn call(&'a self, row: A) -> O::View<'a> {
        (*self.0.code)(&self.0.shared, row)
    }
}

impl<'a, A, O: Row, E, F: Into1<A, Result<O::View<'a>, E>>> Func<'a, A> for Exact<Plain<F>, Result<O, E>> {
    type Out = Result<O::View<'a>, E>;
    #[inline]
    fn call(&'a self, row: A) -> Self::Out {
        (*self.0.0)(row)
    }
}

impl<'a, A, O: Row, E, P: 'a, F> Func<'a, A> for Exact<With<P, F>, Result<O, E>>
where
    F: Into2<'a, P, A, Result<O::View<'a>, E>>,
{
    type Out = Result<O::View<'a>, E>;
    #[inline]
    fn call(&'a self, row: A) -> Self::Out {
        (*self.0.code)(&self.0.shared, row)
    }
}

/// A [`Func`] without its types: what explain and the capture check see.
pub trait FuncInfo: Ship + Clone + Send + Sync + 'static {
    /// The user's line.
    fn site(&self) -> &Site;
    /// What is known of the closure.
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

impl<G: FuncInfo, O: 'static> FuncInfo for Exact<G, O> {
    fn site(&self) -> &Site {
        self.0.site()
    }
    fn describe(&self, operator: &'static str) -> Closure {
        self.0.describe(operator)
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

impl<G: Clone, O> Clone for Exact<G, O> {
    fn clone(&self) -> Self {
        Exact(self.0.clone(), PhantomData)
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

impl<G: Ship, O> Ship for Exact<G, O> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.0.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Exact(G::rebuild(params)?, PhantomData))
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

    /// The shared value as it was declared.
    pub fn handle(&self) -> &Shared<P> {
        &self.shared
    }

    /// The shared value.
    #[inline]
    pub fn shared(&self) -> &P {
        &self.shared
    }
}
