//! Ends a stage that would otherwise nest too many operators in one task.

use std::fmt;
use std::sync::Arc;

use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{Result as PlanResult, internal_err};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use kiln_planner::{ExchangeExec, Inputs, Movement, Site, UnionExec, leaf_properties};

use super::OperatorExec;
use crate::context::Context;

/// The approximate number of operators that a task may nest: each has a frame on the stack of its slot and an
/// unfinished batch in memory. An operator that is reached on two paths runs twice and counts twice. This
/// keeps a loop over `rows.join(rows)` from taking twice as long with each round.
const MAX_NESTING: usize = 64;

/// The number of nested operators in a task of `plan`, summed over all paths.
pub(super) fn nesting(plan: &Arc<dyn ExecutionPlan>) -> usize {
    match (plan.downcast_ref::<OperatorExec>(), plan.downcast_ref::<UnionExec>()) {
        (Some(operator), _) => operator.nesting,
        // A task runs only one of the inputs.
        (_, Some(union)) => union.nesting,
        _ => 0,
    }
}

/// The union of `inputs`.
///
/// # Errors
/// Of class bug when there are no inputs.
pub fn union(inputs: Vec<Arc<dyn ExecutionPlan>>) -> crate::error::Result<Arc<dyn ExecutionPlan>> {
    let nesting = inputs.iter().map(nesting).max().unwrap_or(0);
    Ok(Arc::new(UnionExec::try_new(inputs, nesting)?))
}

/// The rows of `plan`, in the same partitions. If its tasks are nested too deeply, a stage ends here.
pub fn bounded(plan: Arc<dyn ExecutionPlan>, cx: &Context) -> Arc<dyn ExecutionPlan> {
    if nesting(&plan) < MAX_NESTING {
        return plan;
    }
    let steps = plan.downcast_ref::<OperatorExec>().map(|node| node.operator.steps()).unwrap_or_default();
    let site = steps.into_iter().next_back().map_or_else(Site::caller, |step| step.site);
    let reason = format!("a task runs {MAX_NESTING} operators in a row at most");
    let rows = Arc::new(ContinuedExec::new(plan));
    Arc::new(ExchangeExec::new(cx.new_exchange(), rows, Movement::Continue, reason, site))
}

/// Passes on the rows of its input, each partition under its own number. It is only used at the top of a
/// stage, where the worker runs it.
#[derive(Debug)]
pub struct ContinuedExec {
    inputs: Inputs,
    properties: Arc<PlanProperties>,
}

impl ContinuedExec {
    /// Passes on the rows of `input`.
    pub fn new(input: Arc<dyn ExecutionPlan>) -> ContinuedExec {
        let properties = leaf_properties(input.schema(), input.properties().partitioning.partition_count());
        ContinuedExec { inputs: input.into(), properties }
    }

    /// The input.
    pub fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.inputs[0]
    }
}

impl DisplayAs for ContinuedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pass on")
    }
}

impl ExecutionPlan for ContinuedExec {
    fn name(&self) -> &str {
        "ContinuedExec"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }
    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop().filter(|_| children.is_empty()) else {
            return internal_err!("the end of a stage has one input");
        };
        Ok(Arc::new(ContinuedExec::new(input)))
    }
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }
    fn execute(&self, _: usize, _: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        internal_err!("the end of a stage is run by the worker, not pulled as a stream")
    }
}
