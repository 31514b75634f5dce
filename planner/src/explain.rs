//! Stages as text, in a stable form that tests can compare.

use std::fmt::{self, Write};
use std::sync::Arc;

use datafusion_physical_plan::{DisplayFormatType, ExecutionPlan};

use crate::cut::{Stage, StageExchange, StageGraph};
use crate::exchange::Movement;
use crate::union::UnionExec;

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
        write_nodes(&stage.plan, &mut text);
        let _ = writeln!(text, "  → {}", leaves_as(stage));
    }
    text
}

/// Writes a line for each node, with inputs below the node that reads them. The inputs of a union inside a
/// union are shown as inputs of the outer one: a long chain of unions is wide, not deep.
fn write_nodes(plan: &Arc<dyn ExecutionPlan>, text: &mut String) {
    let mut left = vec![(plan, 1, false)];
    while let Some((node, depth, is_in_union)) = left.pop() {
        let is_union = node.is::<UnionExec>();
        let depth = if is_union && is_in_union { depth - 1 } else { depth };
        if !(is_union && is_in_union) {
            let _ = writeln!(text, "{:indent$}{}", "", Line(&**node), indent = 2 * depth);
        }
        left.extend(node.children().into_iter().rev().map(|input| (input, depth + 1, is_union)));
    }
}

/// A node without its inputs.
struct Line<'a>(&'a dyn ExecutionPlan);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as(DisplayFormatType::Default, f)
    }
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
