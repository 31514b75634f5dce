//! `try_for_each_partition`: calls a closure for the rows of every partition, which may fail. The work is
//! that of `for_each_partition`.

use kiln_planner::Site;

use crate::chain::{Chain, Plain, With};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::operators::PartitionRows;
use crate::row::Row;
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Calls `f` once per partition, as [`for_each_partition`](Dataset::for_each_partition) does; an error
    /// fails the task. Rows that `f` has not taken are let be.
    ///
    /// The class of the error says what becomes of the job: a task that fails with
    /// [`Error::transient`](crate::Error::transient) is run again and calls `f` again for the same
    /// partition, any other class fails the job.
    ///
    /// ```
    /// use kiln::Error;
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// # let place = tempfile::tempdir().unwrap();
    /// # let folder = place.path().to_owned();
    /// let folder = cx.share(folder);
    /// cx.parallelize_in(2, 0..10u64).try_for_each_partition_with(&folder, |folder, index, rows| {
    ///     let text: String = rows.map(|n| format!("{n}\n")).collect();
    ///     let file = folder.join(format!("{index}.txt"));
    ///     std::fs::write(&file, text)
    ///         .map_err(|e| Error::io("numbers cannot be written", e).at("file", file.display()))
    /// })?;
    /// # assert_eq!(std::fs::read_to_string(folder.join("0.txt")).unwrap(), "0\n1\n2\n3\n4\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of `f` with their class, and the partition. Else whatever stops the job.
    #[track_caller]
    pub fn try_for_each_partition<F>(&self, f: F) -> Result<()>
    where
        F: Fn(usize, PartitionRows<T>) -> Result<()> + Send + Sync + 'static,
    {
        self.for_each_partition_by(Plain::new(f, Site::caller()))
    }

    /// `try_for_each_partition` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument.
    ///
    /// # Errors
    /// Those of [`try_for_each_partition`](Dataset::try_for_each_partition).
    #[track_caller]
    pub fn try_for_each_partition_with<P: Param, F>(&self, shared: &Shared<P>, f: F) -> Result<()>
    where
        F: Fn(Shared<P>, usize, PartitionRows<T>) -> Result<()> + Send + Sync + 'static,
    {
        self.for_each_partition_by(With::new(shared, f, Site::caller()))
    }
}
