//! K-means: groups points around `k` centres.
//!
//! The centres are the loop's state: each round shares them with `cx.share`, assigns every point to the
//! nearest one and moves each centre to the mean of its points. The points are cached, so only the
//! centres are sent.

use kiln::{Context, Dataset};

/// A point, or a sum of points.
type Point = (f64, f64);

#[derive(clap::Parser)]
#[command(about = "Groups points around k centres")]
struct Args {
    /// Text files with one point per line: two numbers, separated by a space. Default: generated
    /// points.
    #[arg(long)]
    input: Option<String>,
    /// Number of groups.
    #[arg(long, default_value_t = 4)]
    k: usize,
    /// Number of rounds.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Where to publish the centres as Parquet.
    #[arg(long)]
    output: Option<String>,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let points = match &args.input {
        Some(input) => read(&cx, input),
        None => generated(&cx, 100_000),
    }
    .cache();

    let mut centres: Vec<Point> = points.take(args.k)?;
    for _ in 0..args.rounds {
        let shared = cx.share(centres.clone());
        let mut moved = points
            .clone()
            .map_with(&shared, |centres, point| (nearest(centres, point), (point, 1u64)))
            .reduce_by_key(|((x1, y1), n1), ((x2, y2), n2)| ((x1 + x2, y1 + y2), n1 + n2))
            .map(|(group, ((x, y), n))| (group, (x / n as f64, y / n as f64)))
            .collect()?;
        moved.sort_by_key(|(group, _)| *group);
        for (group, centre) in moved {
            centres[group as usize] = centre;
        }
    }

    for (x, y) in &centres {
        println!("{x:>12.6} {y:>12.6}");
    }
    match args.output {
        Some(output) => cx.parallelize(centres).write_parquet_as(&output, ["x", "y"]),
        None => Ok(()),
    }
}

/// The index of the centre that is nearest to a point.
fn nearest(centres: &[Point], (x, y): Point) -> u64 {
    let distance = |c: &Point| (c.0 - x).powi(2) + (c.1 - y).powi(2);
    let near = (0..centres.len()).min_by(|a, b| distance(&centres[*a]).total_cmp(&distance(&centres[*b])));
    near.unwrap_or(0) as u64
}

fn read(cx: &Context, input: &str) -> Dataset<Point> {
    cx.read_text(input).flat_map(parse).erase()
}

/// Lines without a point are skipped.
fn parse(line: &str) -> Option<Point> {
    let (x, y) = line.split_once(' ')?;
    Some((x.trim().parse().ok()?, y.trim().parse().ok()?))
}

/// Points around four centres, the same in every run.
fn generated(cx: &Context, count: u64) -> Dataset<Point> {
    cx.range(0..count)
        .map(|i| {
            let noise = |seed: u64| (i.wrapping_mul(seed) >> 40) as f64 / (1u64 << 24) as f64 - 0.5;
            let (x, y) = [(0.0, 0.0), (9.0, 1.0), (1.0, 8.0), (7.0, 9.0)][i as usize % 4];
            (x + 2.0 * noise(0x9e37_79b9_7f4a_7c15), y + 2.0 * noise(0xd1b5_4a32_d192_ed03))
        })
        .erase()
}
