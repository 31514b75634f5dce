//! One piece of work for any contender: what to do, on which data, and where.
//!
//! A contender is this program, started with a hidden command, so [`Work`] can be converted to
//! arguments and back; both conversions are here because they must agree. The table of benchmarks, with
//! the hand-written program and the job of each, is here, too.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use kiln::job::{Progress, Run};
use kiln::{Config, Context, Error, Result, parse_cluster};

use crate::digest::{Order, digest};
use crate::{csv_to_parquet, group, join, k_means, map_chain, page_rank, sort, word_count};

/// The benchmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bench {
    WordCount,
    MapChain,
    Sort,
    Join,
    WideJoin,
    Group,
    KMeans,
    PageRank,
    CsvToParquet,
}

/// One piece of work for both contenders.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Work {
    #[arg(value_enum)]
    pub bench: Bench,
    /// The input: a text, or a folder of files.
    #[arg(long)]
    pub input: Option<PathBuf>,
    /// Number of rows, if known; `map-chain` generates this many.
    #[arg(long)]
    pub rows: Option<u64>,
    #[command(flatten)]
    pub place: Place,
}

/// Where a job runs.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Place {
    #[arg(long)]
    pub slots: NonZeroUsize,
    #[arg(long)]
    pub cluster: bool,
}

impl Work {
    /// The arguments that make this program do the work as the hidden command `contender`.
    pub fn arguments(&self, contender: &str, output: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![contender.into(), self.bench.name().into()];
        arguments.extend(self.input.iter().flat_map(|input| ["--input".into(), input.into()]));
        arguments.extend(self.rows.iter().flat_map(|rows| ["--rows".into(), rows.to_string().into()]));
        arguments.extend(["--output".into(), output.into()]);
        arguments.extend(["--slots".into(), self.place.slots.to_string().into()]);
        arguments.extend(self.place.cluster.then(|| "--cluster".into()));
        arguments
    }

    /// Runs the hand-written program and returns its answer.
    ///
    /// # Errors
    /// Fails when it fails, or when this work has none.
    pub fn run_limit(&self, output: &Path) -> Result<String> {
        let slots = self.place.slots.get();
        Ok(match self.bench {
            Bench::WordCount => word_count::limit::count_file(self.input()?, slots)?.to_string(),
            Bench::MapChain => format!("sum {}\n", map_chain::limit::sum(self.made_rows()?)),
            Bench::Sort => nothing(sort::limit::run(self.input()?, output, slots)?),
            Bench::Join => join::limit::run(self.input()?, slots)?.to_string(),
            Bench::WideJoin => return Err(Error::usage("there is no limit program for wide joins")),
            Bench::Group => group::limit::run(self.input()?, slots)?.to_string(),
            Bench::KMeans => k_means::limit::run(self.input()?, slots)?.to_string(),
            Bench::PageRank => page_rank::limit::run(self.input()?, slots)?.to_string(),
            Bench::CsvToParquet => nothing(csv_to_parquet::limit::run(self.input()?, output, slots)?),
        })
    }

    /// Runs the job and returns its answer.
    ///
    /// # Errors
    /// Fails when the job fails.
    pub fn run_job(&self, output: &Path) -> Result<String> {
        let cx = &self.place.context()?;
        Ok(match self.bench {
            Bench::WordCount => word_count::job::run(cx, self.input()?)?.to_string(),
            Bench::MapChain => format!("sum {}\n", map_chain::job::run(cx, self.made_rows()?)?),
            Bench::Sort => nothing(sort::job::run(cx, self.input()?, output)?),
            Bench::Join => join::job::run(cx, self.input()?)?.to_string(),
            Bench::WideJoin => join::wide::run(cx, self.input()?)?.to_string(),
            Bench::Group => group::job::run(cx, self.input()?)?.to_string(),
            Bench::KMeans => k_means::job::run(cx, self.input()?)?.to_string(),
            Bench::PageRank => page_rank::job::run(cx, self.input()?)?.to_string(),
            Bench::CsvToParquet => nothing(csv_to_parquet::job::run(cx, self.input()?, output)?),
        })
    }

    fn input(&self) -> Result<&Path> {
        self.input.as_deref().ok_or_else(|| Error::usage("this work needs an `--input`"))
    }

    fn made_rows(&self) -> Result<u64> {
        self.rows.ok_or_else(|| Error::usage("this work needs a number of `--rows`"))
    }
}

/// Work whose answer is in files prints nothing.
fn nothing((): ()) -> String {
    String::new()
}

impl Bench {
    /// Name on the command line and in tables of results.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// A digest of the files in `output`, or an empty text for work that writes none.
    ///
    /// # Errors
    /// Fails when they cannot be read.
    pub fn digest(self, output: &Path) -> Result<String> {
        match self {
            Bench::Sort => digest(output, &sort::schema(), Order::Kept),
            Bench::CsvToParquet => digest(output, &csv_to_parquet::schema(), Order::Any),
            _ => Ok(String::new()),
        }
    }
}

impl Place {
    /// The place as a value of `KILN_CLUSTER`.
    pub fn kiln_cluster(&self) -> String {
        match self.cluster {
            true => format!("local-cluster[{},1]", self.slots),
            false => format!("local[{}]", self.slots),
        }
    }

    /// A silent context for this place. Its memory is `KILN_MEMORY`, if set.
    ///
    /// # Errors
    /// Fails when the environment cannot be parsed.
    pub fn context(&self) -> Result<Context> {
        let (mut config, asked) = (Config::new(parse_cluster(&self.kiln_cluster())?), Config::from_env()?);
        config.tmp = asked.tmp;
        if std::env::var_os("KILN_MEMORY").is_some() {
            config.memory = asked.memory;
        }
        Ok(Context::new(config, Run::new("benchmark".to_owned(), Progress::silent())))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn work_survives_the_way_through_the_command_line() {
        let place = Place { slots: NonZeroUsize::MIN, cluster: true };
        let sort = Work { bench: Bench::Sort, input: Some("a b".into()), rows: None, place: place.clone() };
        for sent in [sort, Work { bench: Bench::MapChain, input: None, rows: Some(7), place }] {
            let arguments = [vec!["kiln-benches".into()], sent.arguments("run-job", Path::new("o"))].concat();
            let received = Cli::try_parse_from(arguments).expect("the program understands itself");
            assert!(matches!(received.command, Command::RunJob(one) if one.work == sent));
        }
    }

    #[test]
    fn a_cluster_has_executors_of_one_slot() {
        let mut place = Place { slots: NonZeroUsize::MIN, cluster: true };
        assert_eq!(place.kiln_cluster(), "local-cluster[1,1]");
        place.cluster = false;
        assert_eq!(place.kiln_cluster(), "local[1]");
    }
}
