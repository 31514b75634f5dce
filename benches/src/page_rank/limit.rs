//! Hand-written PageRank on dense arrays.
//!
//! Links are sorted by their target page, so that each thread sums the ranks of a range of pages and
//! writes nowhere else.

use std::ops::Range;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use kiln::Result;

use super::ranks::{DAMPING, ROUNDS, Ranks, TOP_PAGES};
use crate::files::{on_threads, scan};

/// A link: from, to.
type Link = (u32, u32);

/// The links to a range of pages.
struct Inward {
    pages: Range<usize>,
    /// For each page of the range and one more: the position in `from` at which its links start.
    starts: Vec<usize>,
    from: Vec<u32>,
    /// Number of outgoing links of each page in the range.
    degrees: Vec<u32>,
}

/// Ranks the pages by the links in `input` on `slots` threads.
///
/// # Errors
/// Fails when a file cannot be read.
pub fn run(input: &Path, slots: usize) -> Result<Ranks> {
    let links = scan(input, slots, Vec::new, read)?;
    let pages =
        links.iter().flatten().map(|(from, to)| from.max(to)).max().map_or(0, |max| *max as usize + 1);
    let share = pages.div_ceil(slots).max(1);
    let ranges = (0..pages).step_by(share).map(|start| start..pages.min(start + share));
    let parts = on_threads(ranges.map(|range| || Inward::of(&links, range)));

    let mut ranks = vec![1.0 / pages as f64; pages];
    let mut flow = vec![0.0; pages];
    for _ in 0..ROUNDS {
        let shares = parts.iter().zip(flow.chunks_mut(share));
        on_threads(shares.map(|(part, flow)| || part.give(&ranks, flow)));
        let shares = parts.iter().zip(ranks.chunks_mut(share));
        on_threads(shares.map(|(part, ranks)| || part.take(&flow, ranks)));
    }
    let mut top: Vec<(i64, f64)> =
        ranks.iter().enumerate().map(|(page, rank)| (page as i64, *rank)).collect();
    top.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
    top.truncate(TOP_PAGES);
    Ok(Ranks { sum: ranks.iter().sum(), top })
}

/// Adds the links of a batch.
fn read(links: &mut Vec<Link>, batch: &RecordBatch) {
    let [from, to] = [0, 1].map(|i| batch.column(i).as_primitive::<Int64Type>().values());
    links.extend(from.iter().zip(to).map(|(from, to)| (*from as u32, *to as u32)));
}

impl Inward {
    /// Counts the links of each page first, then stores them.
    fn of(links: &[Vec<Link>], pages: Range<usize>) -> Inward {
        let (mut degrees, mut starts) = (vec![0; pages.len()], vec![0; pages.len() + 1]);
        let own = |page: u32| pages.contains(&(page as usize)).then(|| page as usize - pages.start);
        for (from, to) in links.iter().flatten() {
            own(*from).into_iter().for_each(|page| degrees[page] += 1);
            own(*to).into_iter().for_each(|page| starts[page + 1] += 1);
        }
        for page in 0..pages.len() {
            starts[page + 1] += starts[page];
        }
        let (mut next, mut sources) = (starts.clone(), vec![0; starts[pages.len()]]);
        for (from, to) in links.iter().flatten() {
            if let Some(page) = own(*to) {
                sources[next[page]] = *from;
                next[page] += 1;
            }
        }
        Inward { pages, starts, from: sources, degrees }
    }

    /// Computes the rank that each page of the range passes along each of its links.
    fn give(&self, ranks: &[f64], flow: &mut [f64]) {
        let own = flow.iter_mut().zip(&ranks[self.pages.clone()]).zip(&self.degrees);
        own.for_each(|((flow, rank), degree)| *flow = rank / f64::from(*degree));
    }

    /// Computes the new rank of each page of the range.
    fn take(&self, flow: &[f64], ranks: &mut [f64]) {
        let rest = (1.0 - DAMPING) / flow.len() as f64;
        for (rank, bounds) in ranks.iter_mut().zip(self.starts.windows(2)) {
            let sum: f64 = self.from[bounds[0]..bounds[1]].iter().map(|from| flow[*from as usize]).sum();
            *rank = rest + DAMPING * sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::pairs;
    use crate::harness::scratch::Scratch;
    use crate::page_rank::data;

    #[test]
    fn it_ranks_as_a_plain_loop_does_with_any_number_of_threads() {
        const LINKS: usize = 8_000;
        let scratch = Scratch::new().expect("the temporary directory is writable");
        data::table(&scratch.output(), LINKS as u64).expect("a table can be written");
        let (links, pages) = (pairs(&scratch.output()), LINKS / 8);
        let mut expected = vec![1.0 / pages as f64; pages];
        for _ in 0..ROUNDS {
            let mut next = vec![(1.0 - DAMPING) / pages as f64; pages];
            links
                .iter()
                .for_each(|(from, to)| next[*to as usize] += DAMPING * expected[*from as usize] / 8.0);
            expected = next;
        }
        let highest = expected.iter().copied().fold(0.0, f64::max);
        for slots in 1..=3 {
            let ranks = run(&scratch.output(), slots).expect("the table is there");
            assert!((ranks.sum - 1.0).abs() < 1e-9, "every page has links, so no rank is lost");
            assert!((ranks.top[0].1 - highest).abs() < 1e-12, "{slots} slots");
            assert_eq!(expected[ranks.top[0].0 as usize], highest);
        }
    }
}
