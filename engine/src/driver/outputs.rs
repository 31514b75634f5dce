//! All stage outputs that the driver knows: those of running jobs, and those kept after their job.
//!
//! An output is added by the first job that uses it and removed when nobody needs it. Only one number
//! survives the removal: a later job that computes the same output numbers its attempts from there, so that a
//! late message from the earlier job cannot be mistaken for a new attempt. Which job needs which output is
//! decided by the jobs.

use std::collections::BTreeMap;

use super::ids::{ExchangeId, ExecutorId};
use super::output::Output;
use super::spec::StageSpec;
use crate::error::{Error, Result};

/// The outputs, by exchange.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    known: BTreeMap<ExchangeId, Output>,
    /// The first unused attempt number of each removed output.
    retired: BTreeMap<ExchangeId, u32>,
    /// The outputs that may have changed since the jobs last checked.
    touched: Vec<ExchangeId>,
}

impl Outputs {
    /// Checks that `spec` agrees with what an earlier job declared about the same exchange.
    pub(super) fn check(&self, spec: &StageSpec) -> Result<()> {
        let agrees = |known: &Output| known.total() == spec.partitions && known.durable == spec.durable;
        if self.known.get(&spec.output).is_none_or(agrees) {
            return Ok(());
        }
        let text = format!("{} has another shape than in an earlier job", spec.output);
        Err(Error::bug(text).at("stage", spec.id.0))
    }

    /// Adds the output of a stage, or reuses the one that an earlier job left.
    pub(super) fn admit(&mut self, spec: &StageSpec) {
        let first_attempt = self.retired.remove(&spec.output).unwrap_or(0);
        let output = self.known.entry(spec.output).or_insert_with(|| Output::new(spec, first_attempt));
        output.keep |= spec.keep;
        self.touched.push(spec.output);
    }

    pub(super) fn find(&self, exchange: ExchangeId) -> Option<&Output> {
        self.known.get(&exchange)
    }

    pub(super) fn find_mut(&mut self, exchange: ExchangeId) -> Option<&mut Output> {
        let output = self.known.get_mut(&exchange)?;
        self.touched.push(exchange);
        Some(output)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ExchangeId, &Output)> {
        self.known.iter().map(|(exchange, output)| (*exchange, output))
    }

    /// Whether every partition of `exchange` is computed.
    pub(super) fn is_complete(&self, exchange: ExchangeId) -> bool {
        self.find(exchange).is_some_and(Output::is_complete)
    }

    /// Drops the partitions that are stored only on `executor` and returns their number.
    pub(super) fn lose_executor(&mut self, executor: ExecutorId) -> u32 {
        let mortal = self.known.iter_mut().filter(|(_, output)| !output.durable);
        let lose = |(exchange, output): (&ExchangeId, &mut Output)| {
            self.touched.push(*exchange);
            output.lose_executor(executor)
        };
        mortal.map(lose).sum()
    }

    /// The outputs that may have changed since the last call.
    pub(super) fn take_touched(&mut self) -> Vec<ExchangeId> {
        std::mem::take(&mut self.touched)
    }

    /// Removes an output that nobody needs any more.
    pub(super) fn retire(&mut self, exchange: ExchangeId) -> Option<Output> {
        let output = self.known.remove(&exchange)?;
        self.touched.push(exchange);
        self.retired.insert(exchange, output.unused_attempt());
        Some(output)
    }
}
