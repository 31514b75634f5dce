//! One action: what must be known first, its jobs, and the end of what they kept for each other.
//!
//! A plan enters, outcomes leave. An action may take several jobs: the sample of a sort, or a few
//! partitions now and more if they do not suffice. Stages that these jobs share run once, because
//! outputs are kept until the action is dropped; those of `persist` stay. What an action makes of
//! its rows is not known here.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::{ExchangeExec, ExchangeId, StageGraph, post_order};

use super::Context;
use crate::driver::{Event, Located, TaskReport};
use crate::error::{Error, Result};
use crate::plan::{OperatorExec, PartitionsExec};
use crate::runtime::{FetchedBatches, Runtime, whole};
use crate::ship::captures;
use crate::task::{ExchangeReader, counts};

/// Submissions of one job at most: a result that is lost before it is fetched is computed again.
pub(crate) const MAX_SUBMISSIONS: u32 = 4;
/// Names the result of a plan that is not a job yet.
pub(super) const RESULT: ExchangeId = ExchangeId(0);

/// An action that may run its jobs; dropped, it lets go of what they kept.
pub(crate) struct Action {
    cx: Context,
    plan: Arc<dyn ExecutionPlan>,
    /// The stages as they were before its first job: what it lets go of.
    graph: StageGraph,
    /// The first partition of the result of which nothing was counted yet.
    uncounted: usize,
}

/// What a job has brought.
pub(crate) struct Outcome {
    /// The rows of the result stage, by partition.
    pub(crate) batches: Vec<RecordBatch>,
    /// What its tasks noted, by partition.
    pub(crate) reports: Vec<TaskReport>,
}

impl Context {
    /// Runs an action of one job.
    pub(crate) fn act(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Outcome> {
        self.act_with(plan, false)
    }

    /// The same for an action that wants no rows but what the tasks noted: a sink, whose files lie in
    /// shared storage, survives its executors.
    pub(crate) fn act_with(&self, plan: &Arc<dyn ExecutionPlan>, durable: bool) -> Result<Outcome> {
        let mut action = self.begin(plan)?;
        if !durable {
            return action.run(0..action.partitions());
        }
        let done = self.submit(&*self.runtime()?, plan, self.new_exchange(), true)?;
        action.count(0, &done.reports);
        Ok(Outcome { batches: Vec::new(), reports: done.reports })
    }

    /// Checks the closures, and runs what operators must know before the first job.
    pub(crate) fn begin(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Action> {
        if counts::in_task() {
            let text = "an action was called inside a closure";
            return Err(Error::config(text).help("collect first and share the result with `cx.share`"));
        }
        let mut closures = Vec::new();
        self.visit(plan, &mut |node| {
            closures.extend(node.operator.closures());
            Ok(())
        })?;
        captures::check(&closures, self.config().captures)?;
        let graph = self.stages(plan, RESULT)?;
        let action = Action { cx: self.clone(), plan: Arc::clone(plan), graph, uncounted: 0 };
        self.visit(plan, &mut |node| node.operator.prepare(node, self))?;
        Ok(action)
    }

    /// Runs a job and fetches its rows; again if they are lost before that. On the way to an action, what it
    /// computes below its result is kept for the rest of the action.
    pub(crate) fn run(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Outcome> {
        let mut tries = 1;
        loop {
            let held = self.hold(plan)?;
            match held.read() {
                Err(e) if e.lost().is_some() && tries < MAX_SUBMISSIONS => tries += 1,
                batches => return Ok(Outcome { batches: batches?, reports: held.reports.clone() }),
            }
        }
    }

    /// Runs a job and leaves its rows where they are.
    fn hold(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Held> {
        let (runtime, result) = (self.runtime()?, self.new_exchange());
        let done = self.submit(&runtime, plan, result, false)?;
        Ok(Held { runtime, result, outputs: done.outputs, reports: done.reports })
    }

    /// Calls `act` for every operator of ours that an action on `plan` may run, inputs first: the walk ends at
    /// rows that are kept.
    pub(super) fn visit(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        act: &mut dyn FnMut(&OperatorExec) -> Result<()>,
    ) -> Result<()> {
        let ends = |node: &Arc<dyn ExecutionPlan>| {
            node.downcast_ref::<ExchangeExec>().is_some_and(|exchange| self.keeps(exchange))
        };
        post_order(plan, &ends, &mut |node| node.downcast_ref::<OperatorExec>().map_or(Ok(()), &mut *act))
    }
}

impl Action {
    /// Partitions of the result.
    pub(crate) fn partitions(&self) -> usize {
        self.graph.stages.last().map_or(0, |stage| stage.tasks)
    }

    /// Runs some partitions of the result and fetches their rows.
    pub(crate) fn run(&mut self, partitions: Range<usize>) -> Result<Outcome> {
        let outcome = self.cx.run(&self.only(partitions.clone()))?;
        self.count(partitions.start, &outcome.reports);
        Ok(outcome)
    }

    /// Runs some partitions of the result and leaves their rows where they are.
    pub(crate) fn hold(&mut self, partitions: Range<usize>) -> Result<Held> {
        let held = self.cx.hold(&self.only(partitions.clone()))?;
        self.count(partitions.start, &held.reports);
        Ok(held)
    }

    /// Adds what the closures of partitions have counted, once, however often they are computed. Jobs on
    /// the way do not count: their rows are computed again by the action's own.
    fn count(&mut self, first: usize, reports: &[TaskReport]) {
        let new = reports.iter().skip(self.uncounted.saturating_sub(first));
        let run = self.cx.job_run();
        new.for_each(|report| {
            run.add_counts(&report.counters);
            run.accumulators.merge(&report.accumulated);
        });
        self.uncounted = self.uncounted.max(first + reports.len());
    }

    fn only(&self, partitions: Range<usize>) -> Arc<dyn ExecutionPlan> {
        let plan = Arc::clone(&self.plan);
        if partitions.len() == self.partitions() {
            plan
        } else {
            Arc::new(PartitionsExec::new(plan, partitions))
        }
    }
}

impl Drop for Action {
    fn drop(&mut self) {
        let Some(runtime) = self.cx.lock().clone() else { return };
        for stage in self.graph.stages.iter().filter(|stage| !self.cx.is_kept(stage)) {
            runtime.events().send(Event::Release { exchange: stage.output });
        }
    }
}

/// A finished result on its executors, until this is dropped.
pub(crate) struct Held {
    runtime: Arc<Runtime>,
    result: ExchangeId,
    /// By partition.
    outputs: Vec<Located>,
    reports: Vec<TaskReport>,
}

impl Held {
    /// Partitions that it has.
    pub(crate) fn partitions(&self) -> usize {
        self.outputs.len()
    }

    /// The batches of one of its partitions, as they are asked for.
    pub(crate) fn open(&self, partition: usize) -> Result<FetchedBatches> {
        let source = self.outputs.get(partition).ok_or_else(|| Error::bug("a result lacks a partition"))?;
        self.runtime.reader(Vec::new())?.batches_of(self.result, source, 0)
    }

    /// All batches.
    fn read(&self) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        self.runtime.reader(vec![whole(self.result, &self.outputs)])?.read(self.result, 0, &mut |batch| {
            batches.push(batch);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(batches)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.runtime.events().send(Event::Release { exchange: self.result });
    }
}
