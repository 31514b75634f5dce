//! What a write asks for before its rows are published: checks, a policy for other columns, a place for rejected rows.
//!
//! How they are decided is in `gated`; the other options of a write are in `write`.

use std::sync::Arc;

use super::Write;
use super::gated::Terms;
use super::write_to::Rows;
use crate::checks::{Check, Drift, Fitted, Gate, RejectLimits, Rejects};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::publish::{Format, Mode, PublishedColumns, has_published, published_columns};

impl<R: Rows> Write<'_, R> {
    /// Publishes the rows only if `check` holds; it may be called again for others. All checks are decided after the rows
    /// are written and before they are published, and all that fail are in one error of class data. What came of each is in
    /// the result of the run.
    ///
    /// ```
    /// # use kiln::{Check, Class, Context};
    /// # fn main() -> kiln::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let output = place.path().join("squares").display().to_string();
    /// let cx = Context::local(1);
    /// let squares = cx.range(0..10).map(|n| (n, n * n));
    /// let write = |most: u64| {
    ///     let write = squares.write().names(["n", "square"]).check(Check::unique(["n"]));
    ///     write.check(Check::at_most("square", most)).parquet(&output)
    /// };
    /// let error = write(50).unwrap_err();
    /// assert_eq!((error.class(), error.reason_word()), (Class::Data, "check_failed"));
    /// assert!(!std::path::Path::new(&output).exists());
    /// write(81)
    /// # }
    /// ```
    pub fn check(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// What becomes of the write when the columns of the rows are not those of what is published, which is looked up before
    /// any row is read: by the log of a Delta table, or by a file of the newest publish. Left out, any difference is an error
    /// where rows are appended or partitions replaced ([`Drift::Freeze`]), and an overwrite replaces the columns, too.
    ///
    /// ```
    /// # use kiln::{Context, Drift, Mode, Row};
    /// #[derive(Row)]
    /// struct Old { id: u64 }
    /// #[derive(Row, Debug, PartialEq)]
    /// struct New { id: u64, note: Option<String> }
    ///
    /// # fn main() -> kiln::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let output = place.path().join("rows").display().to_string();
    /// let cx = Context::local(1);
    /// cx.parallelize([Old { id: 1 }]).write().parquet(&output)?;
    /// let rows = cx.parallelize([New { id: 2, note: Some("new".to_owned()) }]);
    /// let append = || rows.write().mode(Mode::Append);
    /// assert!(append().parquet(&output).is_err());
    /// append().drift(Drift::Evolve).parquet(&output)?;
    /// assert_eq!(cx.read_parquet::<New>(&output).count()?, 2);
    /// # Ok(()) }
    /// ```
    pub fn drift(mut self, policy: Drift) -> Self {
        self.drift = Some(policy);
        self
    }

    /// Leaves out rows that cannot be converted by their source, or that break a check whose [`OnFail`](crate::OnFail) is `Reject`,
    /// and keeps them as JSON lines: each with its place, the row as text and the reason. Too many of them fail the write.
    ///
    /// They are in a folder of their own for each run, which is written just before the rows are published: an attempt that is
    /// made again replaces what the one before has left. A source rejects rows only where nothing that moves rows stands between
    /// it and the write; elsewhere a row that it cannot convert is an error.
    ///
    /// ```
    /// # use kiln::{Check, Context, OnFail, Rejects};
    /// # fn main() -> kiln::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let output = place.path().join("amounts").display().to_string();
    /// let cx = Context::local(1);
    /// let amounts = cx.parallelize([5_i64, -1, 7]);
    /// let positive = Check::at_least("amount", 0).on_fail(OnFail::Reject);
    /// let write = amounts.write().names(["amount"]).check(positive);
    /// write.rejects(Rejects::new().max_rows(10)).parquet(&output)?;
    /// assert_eq!(cx.read_parquet::<i64>(&output).collect()?, [5, 7]);
    /// assert!(std::path::Path::new(&format!("{output}_rejects/run_id={}", cx.job_run().run_id())).exists());
    /// # Ok(()) }
    /// ```
    pub fn rejects(mut self, rejects: Rejects) -> Self {
        self.rejects = Some(rejects);
        self
    }

    fn reject_limits(&self) -> Option<RejectLimits> {
        self.rejects.as_ref().map(|rejects| rejects.limits)
    }

    /// Checks all options and checks against the columns of the rows, without running anything.
    ///
    /// # Errors
    /// Config for an option that the columns do not allow, whatever the format; why the source cannot be read.
    pub fn validate(&self) -> Result<()> {
        self.rows.origin().check()?;
        let columns = self.columns()?;
        Gate::new(&self.checks, self.reject_limits(), &columns).map(drop)
    }

    /// What must hold for the rows, and the columns that they are written with.
    pub(super) fn terms(&self, uri: &str, published: Option<(Drift, PublishedColumns)>) -> Result<Terms> {
        let given = self.columns()?;
        let mut checks = self.checks.clone();
        let written = match published {
            None => Arc::clone(&given),
            Some((policy, there)) => {
                let fitted = policy.fit(&given, &self.layout.partition_by, &there);
                let Fitted { written, checks: more } = fitted.map_err(|e| e.at("output", uri))?;
                checks.extend(more);
                written
            }
        };
        let gate = Gate::new(&checks, self.reject_limits(), &given)?;
        let rejects = self.rejects.clone().unwrap_or_default().place(uri);
        Ok(Terms { gate, given, written, rejects })
    }

    /// The columns of what is published, and the policy by which the rows must fit them; nothing where they need not.
    pub(super) fn published(&self, uri: &str) -> Result<Option<(Drift, PublishedColumns)>> {
        let mode = self.chosen_mode();
        if self.drift.is_some() && self.layout.format != Format::Parquet {
            let error = Error::config(format!(
                "files of {} do not keep the types of columns",
                self.layout.format.name()
            ));
            return Err(error.help("a drift policy is for Parquet and Delta tables: leave it out"));
        }
        let policy = match (self.drift, mode) {
            (_, Mode::Error | Mode::Ignore) => None,
            (Some(policy), _) => Some(policy),
            (None, Mode::Overwrite) => None,
            (None, Mode::Append | Mode::AppendOnce | Mode::ReplacePartitions) => Some(Drift::Freeze),
        };
        let is_parquet = self.layout.format == Format::Parquet;
        let Some(policy) = policy.filter(|_| is_parquet && !failpoint::is_sabotaged("drift")) else {
            return Ok(None);
        };
        // What this run has published is published, whatever others have made of the columns since. A source that is not yet
        // planned has been asked before.
        let run = self.rows.context().job_run();
        if self.rows.is_planned() && has_published(uri, run)? {
            return Ok(None);
        }
        // A table compares the columns by itself when the publish begins.
        let there = published_columns(uri, self.form, self.drift.is_some(), run)?;
        Ok(there.map(|there| (policy, there)))
    }
}
