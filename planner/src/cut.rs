//! Cuts a plan at its exchanges.
//!
//! ```text
//! before                                after
//! top                                   stage 2:  top
//!   merge                                           merge
//!     ExchangeExec 7 by hash of the key               ExchangeReadExec 7
//!       flat_map, map, combine          stage 1:  flat_map, map, combine   → exchange 7
//! ```
//!
//! An exchange that is used twice, as in a loop over one cached dataset, becomes one stage.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, ReplaceChildrenOptions,
};

use crate::exchange::{ExchangeExec, ExchangeReadExec, Movement};
use crate::ids::{ExchangeId, Site, StageId};

/// A part of the plan that runs partition by partition without waiting for another part.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its number within the job; inputs have smaller ones.
    pub id: StageId,
    /// What each task runs; a task is this plan at one partition.
    pub plan: Arc<dyn ExecutionPlan>,
    /// Exchanges that it reads.
    pub inputs: Vec<ExchangeId>,
    /// The exchange that it fills.
    pub output: ExchangeId,
    /// Tasks.
    pub tasks: usize,
    /// How its rows leave, and why; nothing for the result stage.
    pub exchange: Option<StageExchange>,
}

/// How the rows of a stage reach the next one.
#[derive(Clone, Debug)]
pub struct StageExchange {
    /// How they move.
    pub movement: Movement,
    /// Partitions after it.
    pub partitions: usize,
    /// Why they must.
    pub reason: String,
    /// The user's line.
    pub site: Site,
}

/// The stages of one job in an order in which inputs come first; the last one gives the result.
#[derive(Clone, Debug)]
pub struct StageGraph {
    /// The stages.
    pub stages: Vec<Stage>,
}

/// Cuts `plan` into stages; the result stage fills `result`.
pub fn cut(plan: &Arc<dyn ExecutionPlan>, result: ExchangeId) -> Result<StageGraph> {
    let mut cutter = Cutter { stages: Vec::new() };
    cutter.stage(plan, result, None)?;
    Ok(StageGraph { stages: cutter.stages })
}

struct Cutter {
    stages: Vec<Stage>,
}

impl Cutter {
    /// Adds the stage that computes `plan`, after all stages that it needs.
    fn stage(
        &mut self,
        plan: &Arc<dyn ExecutionPlan>,
        output: ExchangeId,
        exchange: Option<StageExchange>,
    ) -> Result<()> {
        let mut inputs = Vec::new();
        let plan = self.below(plan, &mut inputs)?;
        let id = StageId(self.stages.len() as u32 + 1);
        let tasks = plan.output_partitioning().partition_count();
        self.stages.push(Stage { id, plan, inputs, output, tasks, exchange });
        Ok(())
    }

    /// `plan` with every exchange below it replaced by its reading end.
    fn below(
        &mut self,
        plan: &Arc<dyn ExecutionPlan>,
        inputs: &mut Vec<ExchangeId>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(exchange) = plan.downcast_ref::<ExchangeExec>() {
            return self.read(exchange, inputs);
        }
        let old = plan.children();
        if old.is_empty() {
            return Ok(Arc::clone(plan));
        }
        let new = old.into_iter().map(|child| self.below(child, inputs)).collect::<Result<Vec<_>>>()?;
        let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        Arc::clone(plan).replace_children(new, recompute)
    }

    fn read(
        &mut self,
        exchange: &ExchangeExec,
        inputs: &mut Vec<ExchangeId>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if !self.stages.iter().any(|s| s.output == exchange.id) {
            let how = StageExchange {
                movement: exchange.movement,
                partitions: exchange.partitions(),
                reason: exchange.reason.clone(),
                site: exchange.site.clone(),
            };
            self.stage(&exchange.input, exchange.id, Some(how))?;
        }
        if !inputs.contains(&exchange.id) {
            inputs.push(exchange.id);
        }
        Ok(Arc::new(ExchangeReadExec::new(exchange.id, exchange.schema(), exchange.partitions())))
    }
}
