//! The two ends of an exchange: the node at which rows are exchanged, and the node that reads them after the
//! cut.
//!
//! An exchange declares how rows are partitioned and why; it knows nothing of waiting, blocks or sockets. Its
//! input already outputs every batch under its target partition. Neither node runs by itself: the engine
//! reads an [`ExchangeReadExec`] from wherever the upstream stage has stored its output.

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
    /// Rows with equal keys are in the same sub-partition of one of `partitions`.
    Hash {
        /// The partitions of the next stage.
        partitions: usize,
        /// The sub-partitions of each, which its task reads one after the other.
        slices: usize,
    },
    /// Each of `partitions` has a range of keys, and the ranges are in order.
    Range {
        /// The partitions after the exchange.
        partitions: usize,
    },
    /// Rows are distributed among `partitions` in turn.
    RoundRobin {
        /// The partitions after the exchange.
        partitions: usize,
    },
    /// A function of the user chooses one of `partitions` for each row.
    Chosen {
        /// The partitions after the exchange.
        partitions: usize,
    },
    /// All rows are in one partition, which every task downstream of the exchange reads (broadcast).
    Everywhere,
    /// Partitions do not change, and their rows are kept for later jobs (`persist`).
    Keep,
    /// Partitions do not change: the exchange only keeps one task from running too many operators.
    Continue,
}

impl Movement {
    /// The number of partitions after the exchange, for an input of `before` partitions. Sub-partitions are
    /// counted separately.
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

/// An exchange of rows between partitions; the plan is cut here.
#[derive(Debug)]
pub struct ExchangeExec {
    /// Identifies the rows.
    pub id: ExchangeId,
    inputs: Inputs,
    /// How the rows are partitioned.
    pub movement: Movement,
    /// Why an exchange is necessary, in the words of the user's operator.
    pub reason: String,
    /// The line in the user's program that needs the exchange.
    pub site: Site,
    properties: Arc<PlanProperties>,
}

impl ExchangeExec {
    /// Exchanges the rows of `input` as `movement` declares, because of `reason` at `site`.
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

    /// The input, which outputs each batch under its target partition.
    pub fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.inputs[0]
    }

    /// The number of partitions after the exchange, where sub-partitions are counted separately.
    pub fn partitions(&self) -> usize {
        self.properties.partitioning.partition_count()
    }
}

/// Reads the rows that an upstream stage has written.
#[derive(Debug)]
pub struct ExchangeReadExec {
    /// Identifies the rows.
    pub id: ExchangeId,
    properties: Arc<PlanProperties>,
}

impl ExchangeReadExec {
    /// Reads the rows of exchange `id`, in `partitions` partitions.
    pub fn new(id: ExchangeId, schema: SchemaRef, partitions: usize) -> ExchangeReadExec {
        ExchangeReadExec { id, properties: leaf_properties(schema, partitions) }
    }
}

/// The properties of a node of which a planner knows only the schema and the partitions.
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
