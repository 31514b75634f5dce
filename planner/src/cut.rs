//! Cuts a plan into stages at its exchanges.
//!
//! ```text
//! before                                after
//! top                                   stage 2:  top
//!   merge                                           merge
//!     ExchangeExec 7 by hash of the key               ExchangeReadExec 7
//!       flat_map, map, combine          stage 1:  flat_map, map, combine   → exchange 7
//! ```
//!
//! An exchange that is used several times, as in a loop over one cached dataset, becomes one stage.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use datafusion_common::{DataFusionError, Result, internal_err};
use datafusion_physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, ReplaceChildrenOptions,
};

use crate::exchange::{ExchangeExec, ExchangeReadExec, Movement};
use crate::ids::{ExchangeId, Site, StageId};
use crate::walk::{identity, post_order};

/// A part of the plan that runs partition by partition without waiting for another part.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The number of the stage within the job; its inputs have smaller ones.
    pub id: StageId,
    /// The plan of the stage; a task runs it at one partition.
    pub plan: Arc<dyn ExecutionPlan>,
    /// The exchanges that it reads.
    pub inputs: Vec<ExchangeId>,
    /// The exchange that it writes.
    pub output: ExchangeId,
    /// The number of tasks.
    pub tasks: usize,
    /// How its rows are exchanged, and why; `None` for the result stage.
    pub exchange: Option<StageExchange>,
}

/// How the rows of a stage reach the next one.
#[derive(Clone, Debug)]
pub struct StageExchange {
    /// How they are partitioned.
    pub movement: Movement,
    /// The number of partitions after the exchange, where sub-partitions are counted separately.
    pub partitions: usize,
    /// Why an exchange is necessary.
    pub reason: String,
    /// The line in the user's program.
    pub site: Site,
}

/// The stages of one job, inputs first; the last one computes the result.
#[derive(Clone, Debug)]
pub struct StageGraph {
    /// The stages.
    pub stages: Vec<Stage>,
    /// Outputs of earlier jobs that these stages read and do not compute.
    pub kept: BTreeSet<ExchangeId>,
}

/// Cuts `plan` into stages; the result stage writes `result`.
///
/// If `is_kept` is true for an exchange, its rows are read from where an earlier job has stored them. The
/// nodes below it are not visited, so a loop that keeps every round only pays for the last one.
///
/// # Errors
/// Those of nodes that refuse their new inputs.
pub fn cut(
    plan: &Arc<dyn ExecutionPlan>,
    result: ExchangeId,
    is_kept: &dyn Fn(&ExchangeExec) -> bool,
) -> Result<StageGraph> {
    // Asked once per exchange, because another thread may release it in the meantime.
    let known = RefCell::new(HashMap::new());
    let ends = |node: &Arc<dyn ExecutionPlan>| {
        let is_end = |exchange: &ExchangeExec| {
            *known.borrow_mut().entry(exchange.id).or_insert_with(|| is_kept(exchange))
        };
        node.downcast_ref::<ExchangeExec>().is_some_and(is_end)
    };
    let mut cutter = Cutter::default();
    post_order(plan, &ends, &mut |node| cutter.add(node, ends(node)))?;
    let top = cutter.replacement(plan)?;
    cutter.stage(top, result, None)?;
    let filled: HashSet<ExchangeId> = cutter.stages.iter().map(|stage| stage.output).collect();
    let inputs = cutter.stages.iter().flat_map(|stage| &stage.inputs);
    let kept = inputs.filter(|input| !filled.contains(input)).copied().collect();
    Ok(StageGraph { stages: cutter.stages, kept })
}

#[derive(Default)]
struct Cutter {
    stages: Vec<Stage>,
    /// By old node: the node with every exchange below it replaced by its reading end.
    new: HashMap<usize, Arc<dyn ExecutionPlan>>,
    /// The exchanges that a stage writes.
    filled: HashSet<ExchangeId>,
}

impl Cutter {
    /// Cuts at `node`, after all of its inputs.
    fn add(&mut self, node: &Arc<dyn ExecutionPlan>, is_kept: bool) -> Result<()> {
        let new: Arc<dyn ExecutionPlan> = match node.downcast_ref::<ExchangeExec>() {
            Some(exchange) => {
                if !is_kept && self.filled.insert(exchange.id) {
                    self.fill(exchange)?;
                }
                Arc::new(ExchangeReadExec::new(exchange.id, exchange.schema(), exchange.partitions()))
            }
            None => self.over_new_inputs(node)?,
        };
        self.new.insert(identity(node), new);
        Ok(())
    }

    fn replacement(&self, old: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        match self.new.get(&identity(old)) {
            Some(new) => Ok(Arc::clone(new)),
            None => internal_err!("a node was cut before its inputs"),
        }
    }

    fn over_new_inputs(&self, node: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let old = node.children();
        let new = old.iter().map(|input| self.replacement(input)).collect::<Result<Vec<_>>>()?;
        if old.iter().zip(&new).all(|(old, new)| Arc::ptr_eq(old, new)) {
            return Ok(Arc::clone(node));
        }
        let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        Arc::clone(node).replace_children(new, recompute)
    }

    fn fill(&mut self, exchange: &ExchangeExec) -> Result<()> {
        let how = StageExchange {
            movement: exchange.movement,
            partitions: exchange.partitions(),
            reason: exchange.reason.clone(),
            site: exchange.site.clone(),
        };
        let plan = self.replacement(exchange.input())?;
        self.stage(plan, exchange.id, Some(how))
    }

    /// Adds the stage that runs `plan`; the stages of its inputs must exist.
    fn stage(
        &mut self,
        plan: Arc<dyn ExecutionPlan>,
        output: ExchangeId,
        exchange: Option<StageExchange>,
    ) -> Result<()> {
        let id = StageId(self.stages.len() as u32 + 1);
        let tasks = plan.output_partitioning().partition_count();
        let inputs = reads(&plan)?;
        self.stages.push(Stage { id, plan, inputs, output, tasks, exchange });
        Ok(())
    }
}

/// The exchanges that a stage reads, each once.
fn reads(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<ExchangeId>> {
    let (mut inputs, mut known) = (Vec::new(), HashSet::new());
    post_order(plan, &|_| false, &mut |node| {
        let read = node.downcast_ref::<ExchangeReadExec>();
        inputs.extend(read.map(|read| read.id).filter(|id| known.insert(*id)));
        Ok::<_, DataFusionError>(())
    })?;
    Ok(inputs)
}
