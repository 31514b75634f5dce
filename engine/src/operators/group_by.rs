//! `group_by`: rows of one key together.

use kiln_planner::Site;

use crate::chain::{Chain, Plain, With};
use crate::dataset::Dataset;
use crate::operators::key_by::KeyBy;
use crate::row::{IntoRow, Key, Row};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Brings the rows for which `key` gives the same key together: `key_by`, then
    /// [`group_by_key`](Dataset::group_by_key), whose advice and limits are the same here.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let words = cx.parallelize(["to", "be", "or", "not"].map(String::from));
    /// let mut groups = words.group_by(|word| word.len() as u64).collect()?;
    /// groups.sort();
    /// assert_eq!(groups[1], (3, vec!["not".to_owned()]));
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn group_by<R: IntoRow, F>(self, key: F) -> Dataset<(R::Row, Vec<T>)>
    where
        R::Row: Key,
        F: for<'a> Fn(T::View<'a>) -> R + Send + Sync + 'static,
    {
        self.then::<_, KeyBy<R::Row>>(Plain::new(key, Site::caller())).group_by_key()
    }

    /// `group_by` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn group_by_with<P: Param, R: IntoRow, F>(
        self,
        shared: &Shared<P>,
        key: F,
    ) -> Dataset<(R::Row, Vec<T>)>
    where
        R::Row: Key,
        F: for<'a> Fn(&'a P, T::View<'a>) -> R + Send + Sync + 'static,
    {
        self.then::<_, KeyBy<R::Row>>(With::new(shared, key, Site::caller())).group_by_key()
    }
}
