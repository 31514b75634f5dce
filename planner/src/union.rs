//! The rows of several plans, as a plan.

use std::fmt;
use std::sync::Arc;

use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{Result, internal_err};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};

use crate::exchange::leaf_properties;
use crate::walk::Inputs;

/// The partitions of its inputs, those of the first input first. Unlike DataFusion's `UnionExec`, a union
/// that contains another one is created in constant time and dropped without recursion.
#[derive(Debug)]
pub struct UnionExec {
    inputs: Inputs,
    /// How many operators a task nests, at most: the largest number of any input. The engine computes it and
    /// stores it here, so that a chain of unions need not be traversed for it.
    pub nesting: usize,
    properties: Arc<PlanProperties>,
}

impl UnionExec {
    /// The rows of `inputs`, which have the same columns.
    ///
    /// # Errors
    /// Internal when there are no inputs.
    pub fn try_new(inputs: Vec<Arc<dyn ExecutionPlan>>, nesting: usize) -> Result<UnionExec> {
        let Some(first) = inputs.first() else { return internal_err!("a union has inputs") };
        let counts = inputs.iter().map(|input| input.properties().partitioning.partition_count());
        let partitions = counts.fold(0usize, usize::saturating_add);
        let properties = leaf_properties(first.schema(), partitions);
        Ok(UnionExec { inputs: inputs.into(), nesting, properties })
    }

    /// The input that contains `partition` of the union, and its partition there. The result is never a union
    /// itself.
    pub fn branch(&self, mut partition: usize) -> Option<(&Arc<dyn ExecutionPlan>, usize)> {
        let mut union = self;
        loop {
            let mut inputs = union.inputs.iter();
            let input = loop {
                let input = inputs.next()?;
                let count = input.properties().partitioning.partition_count();
                match partition.checked_sub(count) {
                    Some(rest) => partition = rest,
                    None => break input,
                }
            };
            match input.downcast_ref::<UnionExec>() {
                Some(inner) => union = inner,
                None => return Some((input, partition)),
            }
        }
    }
}

impl DisplayAs for UnionExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnionExec")
    }
}

impl ExecutionPlan for UnionExec {
    fn name(&self) -> &str {
        "UnionExec"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }
    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(UnionExec::try_new(children, self.nesting)?))
    }
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }
    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("a union is run by the task that holds it, not pulled as a stream")
    }
}
