//! Some partitions of a plan, as a plan, for an action that may not need the others.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{Result as PlanResult, internal_err};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use kiln_planner::{Inputs, leaf_properties};

/// The partitions `range` of `input`, counted from 0. It is only used at the top of a result stage: the
/// worker runs `input` in its place.
#[derive(Debug)]
pub struct PartitionsExec {
    inputs: Inputs,
    /// The partitions that are needed.
    pub range: Range<usize>,
    properties: Arc<PlanProperties>,
}

impl PartitionsExec {
    /// The partitions `range` of `input`, which must have them.
    pub fn new(input: Arc<dyn ExecutionPlan>, range: Range<usize>) -> PartitionsExec {
        let properties = leaf_properties(input.schema(), range.len());
        PartitionsExec { inputs: input.into(), range, properties }
    }

    /// The plan with all partitions.
    pub fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.inputs[0]
    }
}

impl DisplayAs for PartitionsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partitions {} to {}", self.range.start, self.range.end)
    }
}

impl ExecutionPlan for PartitionsExec {
    fn name(&self) -> &str {
        "PartitionsExec"
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
            return internal_err!("a choice of partitions has one input");
        };
        Ok(Arc::new(PartitionsExec::new(input, self.range.clone())))
    }
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }
    fn execute(&self, _: usize, _: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        internal_err!("a choice of partitions is run by the worker, not pulled as a stream")
    }
}
