//! The command line of the benchmarks.
//!
//! Parses arguments to a typed [`Command`] and, for most commands, to a [`Work`] whose data is
//! generated first if it does not exist. Running and timing are implemented elsewhere.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use kiln::Result;

use crate::data::DEFAULT_SEED;
use crate::data::text::Kind;
use crate::join::data::Keys;
use crate::suite;
use crate::work::{Place, Work};

/// Compares Kiln's jobs with hand-written programs for the same work.
#[derive(Debug, Parser)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Counts the words of a text.
    WordCount {
        /// The text; by default one is generated and kept below the temporary directory. It must not
        /// change while it is read.
        #[arg(long)]
        input: Option<PathBuf>,
        /// The kind of text to generate.
        #[arg(long, value_enum, default_value = "natural", conflicts_with = "input")]
        text: Kind,
        #[command(flatten)]
        asked: Asked,
    },
    /// Sums rows after ten maps. The limit program is single-threaded, and so is the job by default.
    MapChain(Asked),
    /// Sorts rows of 100 bytes by an 8-byte key, Parquet to Parquet.
    Sort(Asked),
    /// Joins two tables and sums by segment.
    Join {
        /// Distribution of the left table's keys.
        #[arg(long, value_enum, default_value = "uniform")]
        keys: Keys,
        #[command(flatten)]
        asked: Asked,
    },
    /// Sums values by key, where five of six rows have a new key.
    Group(Asked),
    /// Groups points around 16 centres in ten rounds.
    KMeans(Asked),
    /// Ranks pages by the links to them in ten rounds.
    PageRank(Asked),
    /// Reads a CSV file as typed rows and writes Parquet.
    CsvToParquet(Asked),
    /// All of these but `map-chain`, also on DuckDB, Polars, DataFusion and PySpark if they were
    /// installed by `benches/peers/install.sh`, in one table.
    Peers(Peers),
    /// Generates a text for word counts.
    Generate(Generate),
    /// Measures the start-up time of a trivial job, in process and with executors.
    Startup(Startup),
    /// Runs two trivial jobs in this process; used by `startup`.
    #[command(hide = true)]
    RunTrivial {
        #[command(flatten)]
        place: Place,
    },
    /// Runs the hand-written program once.
    #[command(hide = true)]
    RunLimit(OneRun),
    /// Runs the job once.
    #[command(hide = true)]
    RunJob(OneRun),
}

/// Options of every contest.
#[derive(Clone, Debug, Args)]
pub struct Asked {
    /// Rows to generate, or words of a text; by default those of the published figures.
    #[arg(long)]
    pub rows: Option<u64>,
    /// Threads of the limit program and slots of the job; by default one per core.
    #[arg(long)]
    pub slots: Option<NonZeroUsize>,
    /// Runs the job on executor processes of one slot each.
    #[arg(long)]
    pub cluster: bool,
    /// Measured rounds, after one warm-up.
    #[arg(long, default_value = "3")]
    pub rounds: NonZeroUsize,
    /// Runs the job with this much memory, such as `256MB`, and compares it with itself without a
    /// limit. The data is then larger for works that would otherwise fit.
    #[arg(long)]
    pub memory: Option<String>,
}

/// Options of `peers`.
#[derive(Debug, Args)]
pub struct Peers {
    /// Works, such as `sort,join-skewed`; by default all.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Threads of every engine; by default one per core.
    #[arg(long)]
    pub slots: Option<NonZeroUsize>,
    /// Measured rounds, after one warm-up.
    #[arg(long, default_value = "3")]
    pub rounds: NonZeroUsize,
    /// The folder of the engines' scripts.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/peers"))]
    pub scripts: PathBuf,
}

/// Options of `startup`.
#[derive(Debug, Args)]
pub struct Startup {
    /// Task slots in process, and the number of executors of one slot.
    #[arg(long, default_value = "2")]
    pub slots: NonZeroUsize,
    /// Measured processes.
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
    /// Words to write; by default those of the published figures.
    #[arg(long)]
    pub words: Option<u64>,
    /// Seed of the random text.
    #[arg(long, default_value_t = DEFAULT_SEED)]
    pub seed: u64,
}

/// Options for one run of one contender.
#[derive(Debug, Args)]
pub struct OneRun {
    #[command(flatten)]
    pub work: Work,
    /// The output folder, for works that write files.
    #[arg(long)]
    pub output: PathBuf,
}

impl Command {
    /// The contest of this command, with its data generated; `None` for commands without a contest.
    ///
    /// # Errors
    /// Fails when the data cannot be generated.
    pub fn contest(&self) -> Result<Option<(Work, &Asked)>> {
        let (work, asked) = match self {
            Command::WordCount { input: Some(input), asked, .. } => {
                (suite::given_text(input.clone(), asked.place(cores())), asked)
            }
            Command::WordCount { text, asked, .. } => {
                let words = asked.rows_or(text.default_words());
                (suite::word_count(*text, words, asked.place(cores()))?, asked)
            }
            Command::MapChain(asked) => {
                (suite::map_chain(asked.rows_or(suite::MAP_ROWS), asked.place(NonZeroUsize::MIN)), asked)
            }
            Command::Sort(asked) if asked.memory.is_some() => {
                (suite::sort(asked.rows_or(suite::LARGE_SORT_ROWS), asked.place(cores()))?, asked)
            }
            Command::Sort(asked) => {
                (suite::sort(asked.rows_or(suite::SORT_ROWS), asked.place(cores()))?, asked)
            }
            Command::Join { asked, .. } if asked.memory.is_some() => {
                (suite::wide_join(asked.rows_or(suite::WIDE_JOIN_ROWS), asked.place(cores()))?, asked)
            }
            Command::Join { keys, asked } => {
                (suite::join(*keys, asked.rows_or(suite::JOIN_ROWS), asked.place(cores()))?, asked)
            }
            Command::Group(asked) => {
                (suite::group(asked.rows_or(suite::GROUP_ROWS), asked.place(cores()))?, asked)
            }
            Command::KMeans(asked) => {
                (suite::k_means(asked.rows_or(suite::POINTS), asked.place(cores()))?, asked)
            }
            Command::PageRank(asked) => {
                (suite::page_rank(asked.rows_or(suite::LINKS), asked.place(cores()))?, asked)
            }
            Command::CsvToParquet(asked) => {
                (suite::csv_to_parquet(asked.rows_or(suite::ORDERS), asked.place(cores()))?, asked)
            }
            _ => return Ok(None),
        };
        Ok(Some((work, asked)))
    }
}

impl Asked {
    /// The number of rows in the options, else `usual`.
    fn rows_or(&self, usual: u64) -> u64 {
        self.rows.unwrap_or(usual)
    }

    /// Where the job runs, with `slots` slots unless the options set them.
    fn place(&self, slots: NonZeroUsize) -> Place {
        Place { slots: self.slots.unwrap_or(slots), cluster: self.cluster }
    }
}

/// Number of cores of this machine.
pub fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
