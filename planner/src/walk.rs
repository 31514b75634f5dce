//! Traversals of plans, and dropping them.
//!
//! **The depth of a plan must not be the depth of the stack.** A loop in a user's program creates a plan as
//! deep as its number of rounds, so nothing recurses over a plan:
//!
//! - code that plans, explains or serialises one uses [`post_order`], which keeps its path on the heap and
//!   visits a shared node once, however many paths lead to it;
//! - every node holds its inputs as [`Inputs`], which drops a plan node by node;
//! - a task only recurses over the operators of its stage, and the engine limits those by an exchange.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;

/// Calls `visit` for every node of `plan`, inputs first, shared nodes once. Nodes below one for which `ends`
/// is true are not visited.
///
/// # Errors
/// The first error of `visit`, which ends the traversal.
pub fn post_order<'a, E>(
    plan: &'a Arc<dyn ExecutionPlan>,
    ends: &dyn Fn(&Arc<dyn ExecutionPlan>) -> bool,
    visit: &mut dyn FnMut(&'a Arc<dyn ExecutionPlan>) -> Result<(), E>,
) -> Result<(), E> {
    let mut seen = HashSet::new();
    let mut path = vec![(plan, false)];
    while let Some((node, has_inputs_visited)) = path.pop() {
        if has_inputs_visited {
            visit(node)?;
        } else if seen.insert(identity(node)) {
            path.push((node, true));
            if !ends(node) {
                path.extend(node.children().into_iter().rev().map(|input| (input, false)));
            }
        }
    }
    Ok(())
}

/// Identifies a node: equal for two references to it.
pub fn identity(plan: &Arc<dyn ExecutionPlan>) -> usize {
    Arc::as_ptr(plan).addr()
}

/// The inputs of a plan node. The last owner of a plan drops its nodes one after the other, not recursively.
#[derive(Clone)]
pub struct Inputs(Vec<Arc<dyn ExecutionPlan>>);

impl From<Vec<Arc<dyn ExecutionPlan>>> for Inputs {
    fn from(plans: Vec<Arc<dyn ExecutionPlan>>) -> Inputs {
        Inputs(plans)
    }
}

impl From<Arc<dyn ExecutionPlan>> for Inputs {
    fn from(plan: Arc<dyn ExecutionPlan>) -> Inputs {
        Inputs(vec![plan])
    }
}

impl Deref for Inputs {
    type Target = [Arc<dyn ExecutionPlan>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Shows only their number: the nodes themselves would be written recursively.
impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} inputs", self.0.len())
    }
}

thread_local! {
    /// Inputs of nodes that this thread is dropping; `None` while it drops none.
    static DROPPED: RefCell<Option<Vec<Arc<dyn ExecutionPlan>>>> = const { RefCell::new(None) };
}

impl Drop for Inputs {
    fn drop(&mut self) {
        // A thread that is ending has no list any more. Its plans are leaked, as dropping them could overflow
        // the stack.
        let mut inputs = ManuallyDrop::new(std::mem::take(&mut self.0));
        let is_outermost = DROPPED.try_with(|dropped| match &mut *dropped.borrow_mut() {
            Some(plans) => {
                plans.append(&mut inputs);
                false
            }
            none => {
                *none = Some(std::mem::take(&mut inputs));
                true
            }
        });
        if is_outermost.unwrap_or(false) {
            let _reset = ResetDropped;
            while let Some(plan) = DROPPED.with(|dropped| dropped.borrow_mut().as_mut()?.pop()) {
                drop(plan);
            }
        }
    }
}

/// Ends the dropping of a plan, even if an operator's own `drop` panics.
struct ResetDropped;

impl Drop for ResetDropped {
    fn drop(&mut self) {
        let rest = DROPPED.with(|dropped| dropped.borrow_mut().take());
        drop(rest);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use arrow::datatypes::Schema;

    use super::*;
    use crate::{ExchangeId, ExchangeReadExec, UnionExec};

    fn leaf() -> Arc<dyn ExecutionPlan> {
        Arc::new(ExchangeReadExec::new(ExchangeId(1), Arc::new(Schema::empty()), 1))
    }

    fn union(a: &Arc<dyn ExecutionPlan>, b: &Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(UnionExec::try_new(vec![Arc::clone(a), Arc::clone(b)], 0).unwrap())
    }

    #[test]
    fn a_node_that_is_reached_on_many_ways_is_visited_once_and_after_its_inputs() {
        // There are 2^200 paths from the last node to the first.
        let plan = (0..200).fold(leaf(), |plan, _| union(&plan, &plan));
        let mut visited = HashSet::new();
        let walked = post_order(&plan, &|_| false, &mut |node| {
            assert!(node.children().into_iter().all(|input| visited.contains(&identity(input))));
            assert!(visited.insert(identity(node)));
            Ok::<_, Infallible>(())
        });
        assert!(walked.is_ok() && visited.len() == 201);
    }

    #[test]
    fn a_walk_leaves_out_what_feeds_its_ends() {
        let (first, second) = (leaf(), leaf());
        let inner = union(&first, &second);
        let plan = union(&inner, &second);
        let mut visited = Vec::new();
        let walked = post_order(&plan, &|node| Arc::ptr_eq(node, &inner), &mut |node| {
            visited.push(identity(node));
            Ok::<_, Infallible>(())
        });
        assert!(walked.is_ok());
        assert_eq!(visited, [identity(&inner), identity(&second), identity(&plan)]);
    }

    #[test]
    fn a_deep_plan_is_dropped_on_any_thread_and_as_a_whole() {
        let first = leaf();
        let plan = (0..200_000).fold(Arc::clone(&first), |plan, _| union(&plan, &leaf()));
        let shared = Arc::clone(&plan);
        drop(plan);
        assert_eq!(Arc::strong_count(&first), 2);
        let small = std::thread::Builder::new().stack_size(256 << 10);
        small.spawn(move || drop(shared)).unwrap().join().unwrap();
        assert_eq!(Arc::strong_count(&first), 1);
    }
}
