//! PageRank: ranks pages by the links to them.
//!
//! `ranks` is an ordinary loop variable of type `Dataset<(u64, f64)>`. Links and ranks are
//! hash-partitioned by page, so the join of each round does not shuffle the links. The rank of pages
//! without links is summed in every round and shared with the next one by `cx.share`.

use kiln::{Context, Dataset};

/// The share of a page's rank that follows its links; the rest is distributed evenly over all pages.
const DAMPING: f64 = 0.85;

#[derive(clap::Parser)]
#[command(about = "Ranks pages by the links to them")]
struct Args {
    /// Text files with one link per line: two page numbers, separated by a space. Default: generated
    /// links.
    #[arg(long)]
    input: Option<String>,
    /// Number of rounds.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Where to publish the ranks as Parquet.
    #[arg(long)]
    output: Option<String>,
}

/// Shared values of a round.
#[derive(serde::Serialize, serde::Deserialize)]
struct Round {
    pages: f64,
    /// Total rank of the pages without links.
    dangling: f64,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let links = match &args.input {
        Some(input) => cx.read_text(input).flat_map(parse).erase(),
        None => generated(&cx, 2_000),
    }
    .cache();
    let pages = links.clone().flat_map(|(from, to)| [from, to]).distinct().cache();
    let count = pages.count()? as f64;

    // The number of links of every page, also of pages without links, and every link with that of its
    // page.
    let none = pages.clone().map(|page| (page, 0u64));
    let degrees = links.clone().map(|(from, _)| (from, 1u64)).union(none).reduce_by_key(|a, b| a + b).cache();
    let links = links.join(degrees.clone()).cache();

    let start = cx.share(1.0 / count);
    let mut ranks: Dataset<(u64, f64)> =
        degrees.clone().map_values_with(&start, |start, _| *start).erase().cache();
    for _ in 0..args.rounds {
        let ends = degrees.clone().filter(|(_, links)| links == 0).join(ranks.clone());
        let dangling = ends.map(|(_, (_, rank))| rank).reduce(|a, b| a + b)?.unwrap_or(0.0);
        let round = cx.share(Round { pages: count, dangling });
        let flow =
            links.clone().join(ranks.clone()).map(|(_, ((to, links), rank))| (to, rank / links as f64));
        let nothing = ranks.map_values(|_| 0.0);
        ranks = flow
            .union(nothing)
            .reduce_by_key(|a, b| a + b)
            .map_values_with(&round, |r, flow| {
                (1.0 - DAMPING) / r.pages + DAMPING * (flow + r.dangling / r.pages)
            })
            .cache();
    }

    for (page, rank) in ranks.top(10, |(_, rank)| rank)? {
        println!("{page:>8}  {rank:.9}");
    }
    match args.output {
        Some(output) => ranks.write_parquet_as(&output, ["page", "rank"]),
        None => Ok(()),
    }
}

/// Lines without a link are skipped.
fn parse(line: &str) -> Option<(u64, u64)> {
    let (from, to) = line.split_once(char::is_whitespace)?;
    Some((from.trim().parse().ok()?, to.trim().parse().ok()?))
}

/// Links between `pages`, more of them to pages with low numbers; the same in every run.
fn generated(cx: &Context, pages: u64) -> Dataset<(u64, u64)> {
    let pages = cx.share(pages);
    cx.range(0..20_000)
        .map_with(&pages, |pages, i| {
            let mixed = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            (mixed % (pages - 20), (mixed / pages % pages) * (mixed / 7 % pages) / pages)
        })
        .erase()
}
