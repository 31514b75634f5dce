//! PageRank as a Kiln job: the ranks are a dataset that each round replaces.

use std::path::Path;

use kiln::{Context, Dataset, Result};

use super::ranks::{DAMPING, ROUNDS, Ranks, TOP_PAGES};
use crate::address;

/// Ranks the pages by the links in `input`.
///
/// # Errors
/// Fails when the job fails.
pub fn run(cx: &Context, input: &Path) -> Result<Ranks> {
    let links = cx.read_parquet::<(i64, i64)>(&address(input)).erase();
    let degrees = links.clone().map(|(from, _)| (from, 1u64)).reduce_by_key(|a, b| a + b).cache();
    let links = links.join(degrees.clone()).cache();
    let pages = degrees.count()? as f64;

    let start = cx.share(1.0 / pages);
    let rest = cx.share((1.0 - DAMPING) / pages);
    let mut ranks: Dataset<(i64, f64)> = degrees.map_values_with(&start, |start, _| *start).erase().cache();
    for _ in 0..ROUNDS {
        let flow =
            links.clone().join(ranks.clone()).map(|(_, ((to, degree), rank))| (to, rank / degree as f64));
        // Keeps the pages without incoming links.
        let nothing = ranks.map_values(|_| 0.0);
        ranks = flow
            .union(nothing)
            .reduce_by_key(|a, b| a + b)
            .map_values_with(&rest, |rest, flow| rest + DAMPING * flow)
            .cache();
    }
    // Ranks are positive, so their bits have the same order as their values.
    let top = ranks.top(TOP_PAGES, |(_, rank)| rank)?;
    let sum = ranks.map(|(_, rank)| rank).reduce(|a, b| a + b)?.unwrap_or(0.0);
    Ok(Ranks { sum, top })
}
