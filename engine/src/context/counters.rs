//! Counters and accumulators that closures can use wherever they run.

use super::Context;
use crate::ship::shared::{Param, Shared};
use crate::task::{Accumulator, Counter};

impl Context {
    /// The counter `name`, which is 0 unless it was used before. Pass it to a closure with the `…_with`
    /// operators. Its total is in the result JSON under `counters`, and available as [`Counter::value`].
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let odd = cx.counter("odd numbers");
    /// let rows = cx.range(0..9).inspect_with(&odd, |odd, n| odd.add(n % 2));
    /// assert_eq!((rows.count()?, odd.value()), (9, 4));
    /// # Ok(()) }
    /// ```
    pub fn counter(&self, name: &str) -> Shared<Counter> {
        Shared::new(Counter::new(name, &self.0.run))
    }

    /// A counter that can also decrease, which is 0 unless the name was used before: a
    /// [`counter`](Context::counter) of signed numbers. Like other counters it is in the result JSON. It
    /// saturates at the limits of `i64`.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let balance = cx.counter_i64("balance");
    /// let moves = cx.parallelize([5_i64, -8, 2]).inspect_with(&balance, |balance, n| balance.add(n));
    /// assert_eq!((moves.count()?, balance.value()), (3, -1));
    /// # Ok(()) }
    /// ```
    pub fn counter_i64(&self, name: &str) -> Shared<Accumulator<i64>> {
        let add = |sum: &mut i64, n| *sum = sum.saturating_add(n);
        Shared::new(Accumulator::new(Some(name), 0, add, &self.0.run))
    }

    /// A counter of floats, which is 0 unless the name was used before; NaN and infinities are null in the
    /// result JSON. Tasks end in any order, so the last digits may differ from run to run; use
    /// [`sum`](crate::Dataset::sum) where the result must be the same in every run.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let hours = cx.counter_f64("hours");
    /// let tasks = cx.parallelize([0.5, 1.25]).inspect_with(&hours, |hours, n| hours.add(n));
    /// assert_eq!((tasks.count()?, hours.value()), (2, 1.75));
    /// # Ok(()) }
    /// ```
    pub fn counter_f64(&self, name: &str) -> Shared<Accumulator<f64>> {
        Shared::new(Accumulator::new(Some(name), 0.0, |sum: &mut f64, n| *sum += n, &self.0.run))
    }

    /// A new accumulator: a value that closures add to, wherever they run, and that the driver reads. `merge`
    /// merges a value into another one. It must capture nothing and be associative and commutative, and
    /// `zero` must be neutral, because every task starts with it.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// use std::collections::BTreeSet;
    /// let cx = kiln::Context::local(2);
    /// let seen = cx.accumulator(BTreeSet::new(), |all: &mut BTreeSet<u64>, more| all.extend(more));
    /// let rows = cx.range(0..100).inspect_with(&seen, |seen, n| seen.update(|all| {
    ///     all.insert(n % 3);
    /// }));
    /// assert_eq!((rows.count()?, seen.value()), (100, BTreeSet::from([0, 1, 2])));
    /// # Ok(()) }
    /// ```
    pub fn accumulator<A, F>(&self, zero: A, merge: F) -> Shared<Accumulator<A>>
    where
        A: Param + Clone,
        F: Fn(&mut A, A) + Send + Sync + 'static,
    {
        Shared::new(Accumulator::new(None, zero, merge, &self.0.run))
    }
}
