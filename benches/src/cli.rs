//! The command line: what can be asked for, and how the program asks itself.
//!
//! Arguments go in, a typed [`Command`] comes out. A contender is started as this same program with a
//! hidden command, so [`Work`] can also be turned back into arguments; both directions stand here, side
//! by side, because they must agree. What the commands do is not known here.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::generate::Kind;

/// Measures Kiln's jobs against programs written by hand for the same work.
#[derive(Debug, Parser)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Counts the words of a text: job against limit.
    WordCount(WordCount),
    /// Sums rows after ten maps: job against limit.
    MapChain(MapChain),
    /// Writes a text to count words in.
    Generate(Generate),
    /// Times a job that has nothing to do: in process, and with executors.
    Startup(Startup),
    /// Runs two trivial jobs in this process; started by `startup`.
    #[command(hide = true)]
    RunTrivial {
        #[command(flatten)]
        place: Place,
    },
    /// One run of the hand-written program.
    #[command(hide = true)]
    RunLimit {
        #[command(subcommand)]
        work: Work,
    },
    /// One run of the job.
    #[command(hide = true)]
    RunJob {
        #[command(subcommand)]
        work: Work,
    },
}

#[derive(Debug, Args)]
pub struct WordCount {
    /// The text; by default one is generated and kept below the temporary directory. It must not change
    /// while it is read.
    #[arg(long)]
    pub input: Option<PathBuf>,
    /// The kind of text to generate.
    #[arg(long, value_enum, default_value = "natural", conflicts_with = "input")]
    pub text: Kind,
    /// Threads of the limit and slots of the job; by default one per core.
    #[arg(long)]
    pub slots: Option<NonZeroUsize>,
    /// Runs the job on executor processes of one slot each.
    #[arg(long)]
    pub cluster: bool,
    /// Measured rounds, after one warm-up.
    #[arg(long, default_value = "3")]
    pub rounds: NonZeroUsize,
}

#[derive(Debug, Args)]
pub struct MapChain {
    /// Rows to map.
    #[arg(long, default_value = "200000000")]
    pub rows: u64,
    /// Slots of the job; the limit is one thread.
    #[arg(long, default_value = "1")]
    pub slots: NonZeroUsize,
    /// Measured rounds, after one warm-up.
    #[arg(long, default_value = "3")]
    pub rounds: NonZeroUsize,
}

/// What `startup` may be told.
#[derive(Debug, Args)]
pub struct Startup {
    /// Task slots in process, and executors of one slot.
    #[arg(long, default_value = "2")]
    pub slots: NonZeroUsize,
    /// Processes that count.
    #[arg(long, default_value = "7")]
    pub rounds: NonZeroUsize,
}

#[derive(Debug, Args)]
pub struct Generate {
    #[arg(value_enum)]
    pub kind: Kind,
    /// The file to write.
    #[arg(long)]
    pub output: PathBuf,
    /// Words to write; by default as many as the published figures are for.
    #[arg(long)]
    pub words: Option<u64>,
    /// Another seed, another text.
    #[arg(long, default_value_t = DEFAULT_SEED)]
    pub seed: u64,
}

/// The seed of the texts that the published figures are for.
pub const DEFAULT_SEED: u64 = 1;

/// One piece of work for both contenders.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Work {
    WordCount {
        #[arg(long)]
        input: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    MapChain {
        #[arg(long)]
        rows: u64,
        #[command(flatten)]
        place: Place,
    },
}

/// Where a job runs.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Place {
    #[arg(long)]
    pub slots: NonZeroUsize,
    #[arg(long)]
    pub cluster: bool,
}

impl Place {
    /// The arguments with which this program runs its trivial jobs there.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["run-trivial".into(), "--slots".into()];
        arguments.push(self.slots.to_string().into());
        arguments.extend(self.cluster.then(|| "--cluster".into()));
        arguments
    }

    /// The same in the words of `KILN_CLUSTER`.
    pub fn kiln_cluster(&self) -> String {
        match self.cluster {
            true => format!("local-cluster[{},1]", self.slots),
            false => format!("local[{}]", self.slots),
        }
    }
}

impl Work {
    /// The arguments that make this program do the work as `contender`, a hidden command.
    pub fn arguments(&self, contender: &str) -> Vec<OsString> {
        let (name, option, value, place): (_, _, OsString, _) = match self {
            Work::WordCount { input, place } => ("word-count", "--input", input.into(), place),
            Work::MapChain { rows, place } => ("map-chain", "--rows", rows.to_string().into(), place),
        };
        let mut arguments: Vec<OsString> = vec![contender.into(), name.into(), option.into(), value];
        arguments.extend(["--slots".into(), place.slots.to_string().into()]);
        arguments.extend(place.cluster.then(|| "--cluster".into()));
        arguments
    }

    /// How many rows, where the work is counted in rows.
    pub fn rows(&self) -> Option<u64> {
        match self {
            Work::WordCount { .. } => None,
            Work::MapChain { rows, .. } => Some(*rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_survives_the_way_through_the_command_line() {
        let place = Place { slots: NonZeroUsize::MIN, cluster: true };
        let word_count = Work::WordCount { input: "a b.txt".into(), place: place.clone() };
        for sent in [word_count, Work::MapChain { rows: 7, place }] {
            let arguments = [vec!["kiln-benches".into()], sent.arguments("run-job")].concat();
            let received = Cli::try_parse_from(arguments).expect("the program understands itself");
            assert!(matches!(received.command, Command::RunJob { work } if work == sent));
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
