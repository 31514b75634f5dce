//! Loops that build a plan as deep as their number of rounds.
//!
//! Each shape prints its result, which depends on the number of rounds. The cached loop also prints the
//! cost of an early and a late round, in time and in memory.

use std::time::{Duration, Instant};

use kiln::{Context, Dataset};

/// Number of rounds over which the cost of one round is measured.
const WINDOW: usize = 50;
/// The first round of the early window; earlier rounds start threads and executors.
const EARLY: usize = 10;

#[derive(clap::Parser)]
struct Args {
    /// The shape of the loop.
    shape: String,
    /// Number of rounds.
    rounds: u64,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let rounds = args.rounds;
    match args.shape.as_str() {
        "reduce" => println!("{:?}", reduced(&cx, rounds).collect()?),
        "erase" => println!("{:?}", erased(&cx, rounds).collect()?),
        "union" => println!("{}", united(&cx, rounds).sum()?),
        "join" => println!("{:?}", joined(&cx, rounds).collect()?),
        "cached" => cached(&cx, rounds)?,
        "dropped" => dropped(&cx, rounds),
        "explained" => {
            let lines = |rows: kiln::Result<String>| rows.map(|text| text.lines().count());
            println!("{}", lines(reduced(&cx, rounds).explain())? > rounds as usize);
            println!("{}", lines(united(&cx, rounds).explain())? > rounds as usize);
        }
        other => return Err(kiln::Error::usage(format!("no such shape: {other}"))),
    }
    Ok(())
}

/// One exchange per round.
fn reduced(cx: &Context, rounds: u64) -> Dataset<(u64, u64)> {
    let mut rows = cx.parallelize_in(2, [(1u64, 0u64), (2, 0)]).erase();
    for _ in 0..rounds {
        rows = rows.map(|(key, value)| (key, value + 1)).reduce_by_key(|a, b| a + b);
    }
    rows
}

/// One operator per round, without exchanges.
fn erased(cx: &Context, rounds: u64) -> Dataset<u64> {
    let mut rows = cx.parallelize_in(2, [0u64, 1]).erase();
    for _ in 0..rounds {
        rows = rows.map(|n| n + 1).erase();
    }
    rows
}

/// A new source in every round.
fn united(cx: &Context, rounds: u64) -> Dataset<u64> {
    let mut rows = cx.parallelize_in(1, [0u64]).erase();
    for round in 1..=rounds {
        rows = rows.union(cx.parallelize_in(1, [round]));
    }
    rows
}

/// Every round joins the rows with themselves, so there are two paths from each round to the previous
/// one.
fn joined(cx: &Context, rounds: u64) -> Dataset<(u64, u64)> {
    let mut rows = cx.parallelize_in(1, [(7u64, 1u64)]).reduce_by_key(|a, b| a + b);
    for _ in 0..rounds {
        rows = rows.clone().join(rows).map_values(|(a, _)| a + 1).erase();
    }
    rows
}

/// Every round is cached, and the previous one is unpersisted.
fn cached(cx: &Context, rounds: u64) -> kiln::Result<()> {
    let mut rows = cx.parallelize_in(2, [(1u64, 0u64), (2, 0)]).cache();
    rows.count()?;
    let (mut times, mut early) = (Vec::new(), 0);
    for round in 0..rounds as usize {
        let started = Instant::now();
        let next = rows.clone().map(|(key, value)| (key, value + 1)).reduce_by_key(|a, b| a + b).cache();
        next.count()?;
        rows.unpersist();
        rows = next;
        times.push(started.elapsed());
        if round == EARLY + WINDOW {
            early = resident_kilobytes();
        }
    }
    let late = resident_kilobytes();
    println!("{:?}", rows.collect()?);
    let (first, last) = (median(&times[EARLY..EARLY + WINDOW]), median(&times[times.len() - WINDOW..]));
    println!("{} {} {}", first.as_micros(), last.as_micros(), late.saturating_sub(early));
    Ok(())
}

/// Datasets without actions, some of them shared.
fn dropped(cx: &Context, rounds: u64) {
    let (erased, reduced, united) = (erased(cx, rounds), reduced(cx, rounds), united(cx, rounds));
    let shared = erased.clone();
    drop((erased, reduced, united));
    drop(shared);
    println!("dropped");
}

/// The median, which a pause of the machine does not change.
fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}

/// Resident memory of this process.
fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
