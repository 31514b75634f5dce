//! One action: the preparation of its operators, its jobs, and the release of outputs that these jobs shared.
//!
//! An action may need several jobs: the sample for a sort, or a few partitions first and more if they are not
//! enough. Stages that these jobs share run once, because outputs are kept until the action is dropped;
//! outputs of `persist` stay longer. What an action does with its rows is not known here.

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

/// The most submissions of one job: a result that is lost before it is fetched is computed again.
pub(crate) const MAX_SUBMISSIONS: u32 = 4;
/// A placeholder for the result of a plan that is not a job yet.
pub(super) const RESULT: ExchangeId = ExchangeId(0);

/// An action that is ready to run its jobs. When it is dropped, the outputs that they kept are released.
pub(crate) struct Action {
    cx: Context,
    plan: Arc<dyn ExecutionPlan>,
    /// The stages before the first job, whose outputs are released in the end.
    graph: StageGraph,
    /// The first partition of the result whose counts have not been added yet.
    uncounted: usize,
}

/// The result of a job.
pub(crate) struct Outcome {
    /// The rows of the result stage, by partition.
    pub(crate) batches: Vec<RecordBatch>,
    /// The reports of its tasks, by partition.
    pub(crate) reports: Vec<TaskReport>,
}

impl Context {
    /// Runs an action that is a single job.
    pub(crate) fn act(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Outcome> {
        self.act_with(plan, false)
    }

    /// The same for an action that needs no rows but only the reports of its tasks. A sink is `durable`: its
    /// files are in shared storage and survive its executors.
    pub(crate) fn act_with(&self, plan: &Arc<dyn ExecutionPlan>, durable: bool) -> Result<Outcome> {
        let mut action = self.begin(plan)?;
        if !durable {
            return action.run(0..action.partitions());
        }
        let done = self.submit(&*self.runtime()?, plan, self.new_exchange(), true)?;
        action.count(0, &done.reports);
        Ok(Outcome { batches: Vec::new(), reports: done.reports })
    }

    /// Checks the closures, and runs what operators need before the first job.
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

    /// Runs a job and fetches its rows; runs it again if they are lost before that. Within an action,
    /// intermediate outputs are kept for the rest of the action.
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

    /// Runs a job and leaves its rows on the executors.
    fn hold(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<Held> {
        let (runtime, result) = (self.runtime()?, self.new_exchange());
        let done = self.submit(&runtime, plan, result, false)?;
        Ok(Held { runtime, result, outputs: done.outputs, reports: done.reports })
    }

    /// Calls `act` for every typed operator that an action on `plan` may run, inputs first. The traversal
    /// ends at exchanges whose rows are kept.
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
    /// The number of partitions of the result.
    pub(crate) fn partitions(&self) -> usize {
        self.graph.stages.last().map_or(0, |stage| stage.tasks)
    }

    /// Runs some partitions of the result and fetches their rows.
    pub(crate) fn run(&mut self, partitions: Range<usize>) -> Result<Outcome> {
        let outcome = self.cx.run(&self.only(partitions.clone()))?;
        self.count(partitions.start, &outcome.reports);
        Ok(outcome)
    }

    /// Runs some partitions of the result and leaves their rows on the executors.
    pub(crate) fn hold(&mut self, partitions: Range<usize>) -> Result<Held> {
        let held = self.cx.hold(&self.only(partitions.clone()))?;
        self.count(partitions.start, &held.reports);
        Ok(held)
    }

    /// Adds the counts of these partitions once, however often they are computed. Preparatory jobs are not
    /// counted, because the action's own job computes their rows again.
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

/// A finished result on the executors, which is released when this is dropped.
pub(crate) struct Held {
    runtime: Arc<Runtime>,
    result: ExchangeId,
    /// By partition.
    outputs: Vec<Located>,
    reports: Vec<TaskReport>,
}

impl Held {
    /// The number of its partitions.
    pub(crate) fn partitions(&self) -> usize {
        self.outputs.len()
    }

    /// The batches of one of its partitions, fetched on demand.
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
