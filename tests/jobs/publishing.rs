//! Publishes in every mode, repeatedly, in several attempts and runs, below one address, and reads back
//! after each.
//!
//! Every store must behave in the same way; a different behaviour ends the job with a panic. Everything
//! happens in this process, because its memory is one of the stores. To let an attempt be overtaken,
//! its first row starts the newer attempt.

use std::sync::{Arc, Mutex, PoisonError};

use kiln::job::{Identity, Progress, Run};
use kiln::{Class, Cluster, Config, Context, Mode, Result, Row};

#[derive(clap::Parser)]
struct Args {
    /// An address at which nothing exists yet.
    #[arg(long)]
    below: String,
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Number {
    day: u64,
    n: u64,
}

/// An output and its form.
#[derive(Clone)]
struct Place {
    uri: String,
    is_plain: bool,
}

/// The publish that one row of a job starts while it is computed.
static MEANWHILE: Mutex<Option<(Place, Mode, Who)>> = Mutex::new(None);

/// The run id and the attempt, if the run has an id.
type Who = Option<(&'static str, u32)>;

#[kiln::main]
fn main(_: Context, args: Args) -> Result<()> {
    for is_plain in [false, true] {
        let place = |name: &str| Place { uri: format!("{}/{is_plain}/{name}", args.below), is_plain };
        modes(&place("modes"))?;
        partitions(&place("partitions"))?;
        again(&place("again"))?;
        for mode in [Mode::Overwrite, Mode::Append, Mode::ReplacePartitions] {
            overtaken(
                &place(&format!("attempts-{mode:?}")),
                mode,
                (Some(("nightly", 1)), Some(("nightly", 2))),
            );
            let kept = mode == Mode::Append;
            let runs = place(&format!("runs-{mode:?}"));
            if !kept {
                overtaken(&runs, mode, (Some(("monday", 1)), Some(("tuesday", 1))));
            }
        }
        reading(&place("reading"))?;
    }
    println!("every mode does what it should");
    Ok(())
}

fn context(who: Who) -> Context {
    let run = match who {
        None => Run::new("nobody", Progress::silent()),
        Some((run, attempt)) => {
            let identity = Identity { run_id: run.to_owned(), attempt: Some(attempt), is_given: true };
            Run::with_identity(identity, Progress::silent())
        }
    };
    Context::new(Config::new(Cluster::Local { slots: 2 }), Arc::clone(&run))
}

/// Publishes 20 numbers from `from` on, of two days; returns how many rows were computed.
fn publish(place: &Place, mode: Mode, from: u64, who: Who) -> Result<u64> {
    let cx = context(who);
    let made = cx.counter("made");
    let both = cx.share(from);
    let rows = cx.parallelize_in(3, 0..20_u64).map_with(&both, |from, n| {
        let meanwhile = MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((place, mode, who)) = meanwhile {
            // A thread that computes rows must not start an action.
            let newer = std::thread::spawn(move || publish(&place, mode, 1000, who));
            newer.join().expect("it ends").expect("the newer one publishes");
        }
        Number { day: n % 2, n: n + from }
    });
    let rows = rows.map_with(&made, |made, row| {
        made.add(1);
        Number { day: row.day, n: row.n }
    });
    let write = rows.write().partition_by(["day"]).mode(mode);
    let write = if place.is_plain { write.plain() } else { write };
    write.parquet(&place.uri)?;
    Ok(cx.job_run().facts().counters.get("made").copied().unwrap_or(0))
}

/// The numbers that Kiln reads back, in order.
fn numbers(place: &Place) -> Result<Vec<u64>> {
    let read = context(None).read().hive_partitions().parquet::<Number>(&place.uri);
    let mut numbers = read.map(|number| number.n).collect()?;
    numbers.sort_unstable();
    Ok(numbers)
}

fn from(first: u64) -> Vec<u64> {
    (first..first + 20).collect()
}

fn modes(place: &Place) -> Result<()> {
    publish(place, Mode::Error, 0, None)?;
    let error = publish(place, Mode::Error, 100, None).expect_err("it is there");
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "output_exists"));
    assert_eq!(numbers(place)?, from(0));
    publish(place, Mode::Append, 20, None)?;
    assert_eq!(numbers(place)?, (0..40).collect::<Vec<u64>>());
    publish(place, Mode::Overwrite, 200, None)?;
    assert_eq!(numbers(place)?, from(200));
    assert_eq!(publish(place, Mode::Ignore, 300, None)?, 0);
    assert_eq!(numbers(place)?, from(200));
    let error = publish(place, Mode::AppendOnce, 0, None).expect_err("it needs a name");
    assert_eq!(error.reason_word(), "no_run_id");
    for _ in 0..2 {
        publish(place, Mode::AppendOnce, 220, Some(("once", 1)))?;
        assert_eq!(numbers(place)?, (200..240).collect::<Vec<u64>>());
    }
    let cx = context(None);
    let has_log = cx.read().delta::<Number>(&place.uri).count().is_ok();
    let is_disk = !place.uri.contains("://");
    assert_eq!(has_log, !place.is_plain && !is_disk, "{}", place.uri);
    Ok(())
}

fn partitions(place: &Place) -> Result<()> {
    let write = |rows: Vec<Number>, expected: &[&str]| {
        let rows = context(None).parallelize(rows);
        let write = rows.write().partition_by(["day"]).mode(Mode::ReplacePartitions);
        let write = write.expect_partitions(expected.iter().copied());
        let write = if place.is_plain { write.plain() } else { write };
        write.parquet(&place.uri)
    };
    let row = |day, n| Number { day, n };
    write(vec![row(1, 1), row(2, 2), row(3, 3)], &[])?;
    write(vec![row(2, 20), row(4, 40)], &[])?;
    assert_eq!(numbers(place)?, [1, 3, 20, 40]);
    write(vec![], &["day=3"])?;
    assert_eq!(numbers(place)?, [1, 20, 40]);
    Ok(())
}

/// A later attempt of a run that is already published.
fn again(place: &Place) -> Result<()> {
    for mode in [Mode::Error, Mode::Append, Mode::Overwrite] {
        let place = Place { uri: format!("{}-{mode:?}", place.uri), ..place.clone() };
        assert_eq!(publish(&place, mode, 0, Some(("nightly", 1)))?, 20);
        // The counter is restored from the first attempt, so only the rows show that nothing was
        // computed.
        publish(&place, mode, 500, Some(("nightly", 2)))?;
        assert_eq!(numbers(&place)?, from(0), "{mode:?}");
        let error = publish(&place, mode, 500, Some(("nightly", 1)));
        assert!(error.is_ok(), "an older attempt of a published run finds it published");
        assert_eq!(numbers(&place)?, from(0), "{mode:?}");
    }
    Ok(())
}

/// An attempt, or a run, during which a newer one publishes.
fn overtaken(place: &Place, mode: Mode, (old, new): (Who, Who)) {
    *MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner) = Some((place.clone(), mode, new));
    let error = publish(place, mode, 0, old).expect_err("it is overtaken");
    assert_eq!(error.class(), Class::Fenced, "{mode:?}: {error}");
    assert_eq!(numbers(place).expect("it can be read"), from(1000), "{mode:?}");
}

/// Reads files of every format, in full and in part.
fn reading(place: &Place) -> Result<()> {
    let cx = context(None);
    let rows = || cx.parallelize_in(2, (0..50).map(|n| Number { day: n % 3, n }).collect::<Vec<_>>());
    let at = |name: &str| format!("{}/{name}", place.uri);
    rows().write().csv(&at("csv"))?;
    rows().write().json(&at("json"))?;
    rows().map(|row| row.n.to_string()).write_text(&at("text"))?;
    rows().write().partition_by(["day"]).parquet(&at("days"))?;
    assert_eq!(cx.read_csv::<Number>(&at("csv")).count()?, 50);
    assert_eq!(cx.read().json::<Number>(&at("json")).count()?, 50);
    assert_eq!(cx.read_text(&at("text")).count()?, 50);
    assert_eq!(cx.read().hive_partitions().parquet::<Number>(&at("days")).count()?, 50);
    assert_eq!(cx.read_text(&format!("{}/text/part-*", place.uri)).count()?, 50);
    let error = cx.read_text(&at("nothing")).count().expect_err("nothing is there");
    assert_eq!(error.class(), Class::Config);
    Ok(())
}
