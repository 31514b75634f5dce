//! The same work on other engines, if they are installed: a table of works and engines.
//!
//! Every engine is a script that runs as a separate process, in turn with the hand-written program and
//! the job. Its answer is compared with that of the hand-written program. A script prints as `inner`
//! its time without the start-up of the interpreter and of the engine. The scripts, and how to install
//! the engines, are in `benches/peers`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kiln::{Error, Result};

use crate::cli::{Peers, cores};
use crate::harness::contest::{Contender, median};
use crate::harness::measure::{self, Run};
use crate::harness::scratch::Scratch;
use crate::suite;
use crate::work::{Bench, Place, Work};

/// The other engines, as Python modules.
const MODULES: [&str; 4] = ["duckdb", "polars", "datafusion", "pyspark"];
/// The only engine with scripts for iterative works, which are not queries.
const LOOPS: &str = "pyspark";

/// Column width, enough for `123.45 (123.45)`.
const CELL: usize = 17;

/// The contender of a column.
enum Engine {
    Own(Contender),
    Other { module: &'static str, installed: bool },
}

/// The contents of a cell.
enum Cell {
    /// Seconds of whole processes, and seconds without start-up if known.
    Times { whole: Vec<f64>, inner: Vec<f64> },
    /// The reason for a missing time.
    Word(&'static str),
}

/// Runs all requested works, and prints the table line by line.
///
/// # Errors
/// Fails for an unknown work, and when one of Kiln's contenders fails.
pub fn run(asked: &Peers) -> Result<()> {
    if let Some(name) = asked.only.iter().find(|name| suite::ALL.iter().all(|(known, _)| known != name)) {
        return Err(Error::usage("there is no such work").at("work", name));
    }
    let place = Place { slots: asked.slots.unwrap_or_else(cores), cluster: false };
    let engines = engines();
    let names = engines.iter().map(|engine| format!("{:>CELL$}", engine.name()));
    println!("median seconds of whole processes (without start-up and sync)");
    println!("{:<20}{}", "", names.collect::<String>());
    for (name, make) in suite::ALL {
        if asked.only.is_empty() || asked.only.iter().any(|only| only == name) {
            let cells = line(&make(place.clone())?, &engines, asked)?;
            println!("{name:<20}{}", cells.iter().map(Cell::text).collect::<String>());
        }
    }
    Ok(())
}

/// The hand-written program, the job, and the other engines.
fn engines() -> Vec<Engine> {
    let own = [Contender::Limit, Contender::Job { memory: None }].map(Engine::Own);
    let other = MODULES.map(|module| {
        let mut import = Command::new(python());
        import.args(["-c", &format!("import {module}")]).stdout(Stdio::null()).stderr(Stdio::null());
        // Without Python, no engine is installed.
        let installed = import.status().is_ok_and(|status| status.success());
        Engine::Other { module, installed }
    });
    own.into_iter().chain(other).collect()
}

/// The interpreter that `install.sh` has installed.
fn python() -> PathBuf {
    std::env::temp_dir().join("kiln-bench-peers/bin/python")
}

/// Runs one work on all engines in turn: a warm-up, then the measured rounds.
fn line(work: &Work, engines: &[Engine], asked: &Peers) -> Result<Vec<Cell>> {
    let mut cells: Vec<Cell> = engines.iter().map(|engine| engine.first_cell(work)).collect();
    for round in 0..=asked.rounds.get() {
        let mut answer = String::new();
        for (engine, cell) in engines.iter().zip(&mut cells) {
            let Cell::Times { whole, inner } = cell else { continue };
            match engine.run(work, &asked.scripts)? {
                Ok((run, seconds)) if answer.is_empty() || run.output == answer => {
                    answer = run.output;
                    whole.extend((round > 0).then_some(run.seconds));
                    inner.extend(seconds.filter(|_| round > 0));
                }
                Ok((run, _)) => {
                    eprintln!("{} answers\n{}\nand the limit\n{answer}", engine.name(), run.output);
                    *cell = Cell::Word("other answer");
                }
                Err(error) => {
                    eprintln!("{}: {error}", engine.name());
                    *cell = Cell::Word("failed");
                }
            }
        }
    }
    Ok(cells)
}

impl Engine {
    fn name(&self) -> String {
        match self {
            Engine::Own(contender) => contender.name(),
            Engine::Other { module, .. } => (*module).to_owned(),
        }
    }

    /// The cell before the first run: the reason not to run, or no times yet.
    fn first_cell(&self, work: &Work) -> Cell {
        let is_loop = matches!(work.bench, Bench::KMeans | Bench::PageRank);
        match self {
            Engine::Other { installed: false, .. } => Cell::Word("not installed"),
            Engine::Other { module, .. } if is_loop && *module != LOOPS => Cell::Word("-"),
            _ => Cell::Times { whole: Vec::new(), inner: Vec::new() },
        }
    }

    /// One run with its answer, and its seconds without start-up, or the error of another engine.
    fn run(&self, work: &Work, scripts: &Path) -> Result<std::result::Result<(Run, Option<f64>), Error>> {
        match self {
            Engine::Own(contender) => contender.run(work).map(|run| Ok((run, None))),
            Engine::Other { module, .. } => Ok(run_script(module, work, scripts)),
        }
    }
}

/// Runs the script of another engine once.
fn run_script(module: &str, work: &Work, scripts: &Path) -> Result<(Run, Option<f64>)> {
    let scratch = Scratch::new()?;
    let input = work.input.as_ref().ok_or_else(|| Error::bug("work for others has an input"))?;
    let mut command = Command::new(python());
    command.arg(scripts.join(format!("{module}_peer.py"))).arg(work.bench.name());
    command.arg(input).arg(scratch.output()).arg(work.place.slots.to_string());
    // Temporary files of other engines are removed with the folder; their standard error is shown if
    // they fail.
    let said = scratch.tmp().join("stderr");
    let log = File::create(&said).map_err(|e| Error::io("an engine's log cannot be written", e))?;
    command.env("TMPDIR", scratch.tmp()).env("PYTHONDONTWRITEBYTECODE", "1");
    command.current_dir(scratch.tmp()).stderr(log);
    let mut run = measure::run(command).map_err(|error| match fs::read_to_string(&said) {
        Ok(said) => error.at("its last words", said.lines().last().unwrap_or_default()),
        Err(_) => error,
    })?;
    let (answer, inner) = split_inner(&run.output);
    run.output = answer + &work.bench.digest(&scratch.output())?;
    Ok((run, inner))
}

/// Splits off the last line that a script printed: `inner` and its seconds.
fn split_inner(printed: &str) -> (String, Option<f64>) {
    match printed.trim_end().rsplit_once("inner ") {
        Some((answer, seconds)) => (answer.to_owned(), seconds.parse().ok()),
        None => (printed.to_owned(), None),
    }
}

impl Cell {
    /// The text of the cell, right-aligned after at least one space.
    fn text(&self) -> String {
        let text = match self {
            Cell::Times { whole, inner } if inner.is_empty() => format!("{:.2}", middle(whole)),
            Cell::Times { whole, inner } => format!("{:.2} ({:.2})", middle(whole), middle(inner)),
            Cell::Word(word) => (*word).to_owned(),
        };
        format!("{text:>CELL$}")
    }
}

fn middle(seconds: &[f64]) -> f64 {
    median(seconds.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_without_start_up_is_no_part_of_the_answer() {
        assert_eq!(split_inner("sum 7\ninner 1.250\n"), ("sum 7\n".to_owned(), Some(1.25)));
        assert_eq!(split_inner("sum 7\n"), ("sum 7\n".to_owned(), None));
    }

    #[test]
    fn a_cell_says_why_it_has_no_times() {
        assert_eq!(Cell::Word("not installed").text().trim(), "not installed");
        let times = Cell::Times { whole: vec![3.0, 1.0, 2.0], inner: vec![0.5] };
        assert_eq!(times.text().trim(), "2.00 (0.50)");
    }
}
