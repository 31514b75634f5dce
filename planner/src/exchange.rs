//! The two ends of an exchange: where rows must move, and where they are read after the cut.
//!
//! An exchange says how rows move and why; it says nothing about waiting, blocks or sockets. Its
//! input already puts every batch out under its target partition. Neither node runs by itself: the
//! engine reads an [`ExchangeReadExec`] from wherever the stage before it left its output.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{Result, internal_err};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion_physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};

use crate::ids::{ExchangeId, Site};
use crate::walk::Inputs;

/// How rows move from the partitions of one stage to those of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// Equal keys meet in one slice of one of `partitions`.
    Hash {
        /// Partitions of the stage after the exchange.
        partitions: usize,
        /// Slices of each, which its task reads one behind another.
        slices: usize,
    },
    /// Each of `partitions` holds a range of keys, in order.
    Range {
        /// Partitions after the exchange.
        partitions: usize,
    },
    /// Rows go to each of `partitions` in turn.
    RoundRobin {
        /// Partitions after the exchange.
        partitions: usize,
    },
    /// A function of the user's names one of `partitions` for each row.
    Chosen {
        /// Partitions after the exchange.
        partitions: usize,
    },
    /// All rows lie in one place, and every task behind the exchange reads them.
    Everywhere,
    /// Every partition stays as it is, and its rows are kept for later jobs.
    Keep,
    /// Every partition stays as it is: a task that ran the operators on both sides would run too many.
    Continue,
}

impl Movement {
    /// Partitions after the exchange, for an input of `before` partitions.
    pub fn partitions(self, before: usize) -> usize {
        match self {
            Movement::Hash { partitions, slices } => partitions * slices,
            Movement::Range { partitions }
            | Movement::RoundRobin { partitions }
            | Movement::Chosen { partitions } => partitions,
            Movement::Everywhere => 1,
            Movement::Keep | Movement::Continue => before,
        }
    }
}

impl fmt::Display for Movement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Movement::Hash { .. } => "by hash of the key",
            Movement::Range { .. } => "by range of the key",
            Movement::RoundRobin { .. } => "in turn",
            Movement::Chosen { .. } => "by the user's function",
            Movement::Everywhere => "to every task",
            Movement::Keep => "kept",
            Movement::Continue => "in place",
        })
    }
}

/// An edge on which rows move; the plan is cut here.
#[derive(Debug)]
pub struct ExchangeExec {
    /// Names the rows that cross.
    pub id: ExchangeId,
    inputs: Inputs,
    /// How they move.
    pub movement: Movement,
    /// Why they must, in the words of the user's operator.
    pub reason: String,
    /// The user's line that asked for it.
    pub site: Site,
    properties: Arc<PlanProperties>,
}

impl ExchangeExec {
    /// Rows of `input` move as `movement` says, because of `reason` at `site`.
    pub fn new(
        id: ExchangeId,
        input: Arc<dyn ExecutionPlan>,
        movement: Movement,
        reason: impl Into<String>,
        site: Site,
    ) -> ExchangeExec {
        let partitions = movement.partitions(input.properties().partitioning.partition_count());
        let properties = leaf_properties(input.schema(), partitions);
        ExchangeExec { id, inputs: input.into(), movement, reason: reason.into(), site, properties }
    }

    /// What puts out the rows, each batch under its target partition.
    pub fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.inputs[0]
    }

    /// Partitions after the exchange.
    pub fn partitions(&self) -> usize {
        self.properties.partitioning.partition_count()
    }
}

/// Rows that a stage before this one has put out.
#[derive(Debug)]
pub struct ExchangeReadExec {
    /// Names the rows.
    pub id: ExchangeId,
    properties: Arc<PlanProperties>,
}

impl ExchangeReadExec {
    /// The rows of exchange `id`, in `partitions`.
    pub fn new(id: ExchangeId, schema: SchemaRef, partitions: usize) -> ExchangeReadExec {
        ExchangeReadExec { id, properties: leaf_properties(schema, partitions) }
    }
}

/// Properties of a node about which a planner knows its schema and partitions and nothing else.
pub fn leaf_properties(schema: SchemaRef, partitions: usize) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(schema),
        Partitioning::UnknownPartitioning(partitions),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

impl DisplayAs for ExchangeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {} partitions", self.id, self.movement, self.partitions())
    }
}

impl DisplayAs for ExchangeReadExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read {}", self.id)
    }
}

impl ExecutionPlan for ExchangeExec {
    fn name(&self) -> &str {
        "ExchangeExec"
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
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop().filter(|_| children.is_empty()) else {
            return internal_err!("an exchange has one input");
        };
        Ok(Arc::new(ExchangeExec::new(self.id, input, self.movement, self.reason.clone(), self.site.clone())))
    }
    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }
    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("{} was not cut into stages", self.id)
    }
}

impl ExecutionPlan for ExchangeReadExec {
    fn name(&self) -> &str {
        "ExchangeReadExec"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }
    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }
    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!("{} is read by the task that holds it, not as a stream", self.id)
    }
}
