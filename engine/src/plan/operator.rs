//! The single node type for all Kiln operators, whatever their row types.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{Result as PlanResult, internal_err};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use kiln_planner::{Inputs, leaf_properties};

use super::continued::nesting;
use crate::chain::Step;
use crate::context::Context;
use crate::error::Result;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::table::{self, Shipped};
use crate::task::{Output, Task};

/// The work of a plan node on one partition, without its row types.
pub trait Operator: Send + Sync + 'static {
    /// Computes one partition on the calling thread.
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()>;

    /// The output columns.
    fn schema(&self) -> SchemaRef;

    /// Its steps, for explain.
    fn steps(&self) -> Vec<Step>;

    /// Lists its closures.
    fn closures(&self) -> Vec<Closure>;

    /// The bytes that its source will read, if known.
    fn source_bytes(&self) -> u64 {
        0
    }

    /// Writes its data for another process.
    fn ship(&self, params: &mut ParamWriter) -> Result<()>;

    /// Creates it from its type and that data.
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self>
    where
        Self: Sized;

    /// Its position in the link-time table.
    fn entry(&self) -> Option<u32> {
        table::position::<Self>()
    }

    /// Determines, before the job runs, what it must know about its rows; it may run a job for that.
    fn prepare(&self, _: &OperatorExec, _: &Context) -> Result<()> {
        Ok(())
    }
}

/// The table entry of an operator yields a `Result<Arc<dyn Operator>>`.
impl<O: Operator> Shipped for O {
    fn rebuild(params: &[u8]) -> Box<dyn Any> {
        let operator = <O as Operator>::rebuild(&mut ParamReader::new(params));
        Box::new(operator.map(|operator| Arc::new(operator) as Arc<dyn Operator>))
    }
}

/// An [`Operator`] and its inputs, as a plan node.
pub struct OperatorExec {
    /// The operator.
    pub operator: Arc<dyn Operator>,
    /// Its inputs.
    pub inputs: Inputs,
    /// How many operators a task nests: this one, and those of its stage that produce its input.
    pub(super) nesting: usize,
    properties: Arc<PlanProperties>,
}

impl OperatorExec {
    /// `operator` over `inputs`, in `partitions` partitions.
    pub fn new(
        operator: Arc<dyn Operator>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        partitions: usize,
    ) -> OperatorExec {
        let properties = leaf_properties(operator.schema(), partitions);
        let nesting = inputs.iter().fold(1, |sum: usize, input| sum.saturating_add(nesting(input)));
        OperatorExec { operator, inputs: inputs.into(), nesting, properties }
    }
}

impl fmt::Debug for OperatorExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorExec").field("steps", &self.operator.steps()).finish_non_exhaustive()
    }
}

/// `read_text data/*.txt (src/main.rs:9), flat_map (src/main.rs:10)`
impl DisplayAs for OperatorExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<String> = self.operator.steps().iter().map(Step::to_string).collect();
        if steps.is_empty() {
            // A chain that only passes the rows of one exchange to the next has no step of the user's
            // program.
            return f.write_str("pass on");
        }
        f.write_str(&steps.join(", "))
    }
}

impl ExecutionPlan for OperatorExec {
    fn name(&self) -> &str {
        "OperatorExec"
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
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let partitions = self.properties.partitioning.partition_count();
        Ok(Arc::new(OperatorExec::new(Arc::clone(&self.operator), children, partitions)))
    }
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }
    fn execute(&self, _: usize, _: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        // No plan has DataFusion's operators above Kiln's yet; then rows must be pulled here.
        internal_err!("a typed operator is pushed by its task, not pulled as a stream")
    }
}
