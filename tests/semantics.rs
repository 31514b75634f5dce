//! The semantics of every operator and action, compared with a simple model on a plain `Vec` or
//! `BTreeMap`.
//!
//! A job gets seeded rows and runs over 1, 2 and 7 partitions in batches of 1, 7 and 8192 rows, on one
//! slot, on two, and on two executor processes. Its output must equal that of the model, and its order
//! must be the same in every cluster, even if the operator does not promise an order. `support`
//! implements this; the other files contain the tests. One of the seeds is new in every run. A failure
//! prints the seed; `KILN_TEST_SEED` runs only that seed.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

#[path = "semantics/accumulators.rs"]
mod accumulators;
#[path = "semantics/actions.rs"]
mod actions;
#[path = "semantics/approx.rs"]
mod approx;
#[path = "semantics/beyond_memory.rs"]
mod beyond_memory;
#[path = "semantics/choices.rs"]
mod choices;
#[path = "semantics/effects.rs"]
mod effects;
#[path = "semantics/empty.rs"]
mod empty;
#[path = "semantics/failure.rs"]
mod failure;
#[path = "semantics/fallible.rs"]
mod fallible;
#[path = "semantics/files.rs"]
mod files;
#[path = "semantics/groups.rs"]
mod groups;
#[path = "semantics/joins.rs"]
mod joins;
#[path = "semantics/joins_outer.rs"]
mod joins_outer;
#[path = "semantics/keyed.rs"]
mod keyed;
#[path = "semantics/keys.rs"]
mod keys;
#[path = "semantics/narrow.rs"]
mod narrow;
#[path = "semantics/order.rs"]
mod order;
#[path = "semantics/partitioning.rs"]
mod partitioning;
#[path = "semantics/partitions.rs"]
mod partitions;
#[path = "semantics/persist.rs"]
mod persist;
#[path = "semantics/positions.rs"]
mod positions;
#[path = "semantics/random.rs"]
mod random;
#[path = "semantics/ranges.rs"]
mod ranges;
#[path = "semantics/results.rs"]
mod results;
#[path = "semantics/row_types.rs"]
mod row_types;
#[path = "semantics/sets.rs"]
mod sets;
#[path = "semantics/shared_values.rs"]
mod shared_values;
#[path = "semantics/state.rs"]
mod state;
#[path = "semantics/support.rs"]
mod support;
#[path = "semantics/text.rs"]
mod text;
#[path = "semantics/values.rs"]
mod values;
#[path = "semantics/with_forms.rs"]
mod with_forms;
#[path = "semantics/zips.rs"]
mod zips;

/// Executors of these tests run this binary with only this test; otherwise it does nothing.
#[test]
fn kiln_executor() {
    kiln::run_as_executor_if_asked();
}
