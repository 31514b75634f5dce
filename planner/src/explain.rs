//! Stages as text: stable, so that a test can hold a plan against what it should be.

use std::fmt::Write;

use datafusion_physical_plan::{ExecutionPlan, displayable};

use crate::cut::{Stage, StageExchange, StageGraph};
use crate::exchange::Movement;

/// The stages, the reason of each exchange, and the user's source lines.
///
/// ```text
/// stage 1: 4 tasks
///   read_text, flat_map, map_to, combine
///   → exchange 1 by hash of the key, 8 partitions: reduce_by_key brings equal keys together (src/main.rs:9)
/// stage 2: 8 tasks
///   collect
///     reduce_by_key
///       read exchange 1
///   → result
/// ```
pub fn explain(graph: &StageGraph) -> String {
    let mut text = String::new();
    for stage in &graph.stages {
        let _ = writeln!(text, "{}: {}", stage.id, counted(stage.tasks, "task"));
        for line in displayable(&*stage.plan as &dyn ExecutionPlan).indent(false).to_string().lines() {
            let _ = writeln!(text, "  {line}");
        }
        let _ = writeln!(text, "  → {}", leaves_as(stage));
    }
    text
}

fn leaves_as(stage: &Stage) -> String {
    match &stage.exchange {
        None => "result".to_owned(),
        Some(how) => {
            format!("{} {}, {}: {} ({})", stage.output, how.movement, places(how), how.reason, how.site)
        }
    }
}

/// `8 partitions`, or `8 partitions of 4 slices`
fn places(how: &StageExchange) -> String {
    match how.movement {
        Movement::Hash { partitions, slices } if slices > 1 => {
            format!("{} of {slices} slices", counted(partitions, "partition"))
        }
        _ => counted(how.partitions, "partition"),
    }
}

/// `1 task`, `2 tasks`
fn counted(count: usize, of: &str) -> String {
    format!("{count} {of}{}", if count == 1 { "" } else { "s" })
}
