//! The command line: what can be asked for.
//!
//! Arguments go in, a typed [`Command`] comes out, and from most of these a piece of [`Work`] on data
//! that is made first where it is not there. How the work is done and timed is not known here.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use kiln::Result;

use crate::data::DEFAULT_SEED;
use crate::data::text::Kind;
use crate::join::data::Keys;
use crate::suite;
use crate::work::{Place, Work};

/// Measures Kiln's jobs against programs written by hand for the same work.
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
    /// Sums rows after ten maps; the limit is one thread, and so is the job unless told otherwise.
    MapChain(Asked),
    /// Sorts rows of 100 bytes by an 8-byte key, Parquet to Parquet.
    Sort(Asked),
    /// Joins two tables and sums by segment.
    Join {
        /// How the left table's keys are spread.
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
    /// All of these but `map-chain`, on DuckDB, Polars, DataFusion and PySpark as well, where
    /// `benches/peers/install.sh` has installed them: one table.
    Peers(Peers),
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
    RunLimit(OneRun),
    /// One run of the job.
    #[command(hide = true)]
    RunJob(OneRun),
}

/// What every contest may be told.
#[derive(Clone, Debug, Args)]
pub struct Asked {
    /// Rows to generate, or words of a text; by default as many as the published figures are for.
    #[arg(long)]
    pub rows: Option<u64>,
    /// Threads of the limit and slots of the job; by default one per core.
    #[arg(long)]
    pub slots: Option<NonZeroUsize>,
    /// Runs the job on executor processes of one slot each.
    #[arg(long)]
    pub cluster: bool,
    /// Measured rounds, after one warm-up.
    #[arg(long, default_value = "3")]
    pub rounds: NonZeroUsize,
    /// Runs the job with this much memory, such as `256MB`, against itself without a limit; the data is
    /// then larger where memory would be enough for it.
    #[arg(long)]
    pub memory: Option<String>,
}

/// What `peers` may be told.
#[derive(Debug, Args)]
pub struct Peers {
    /// Works, such as `sort,join-skewed`; by default all that there are.
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

/// One run of one contender.
#[derive(Debug, Args)]
pub struct OneRun {
    #[command(flatten)]
    pub work: Work,
    /// Where files are written, by work that writes any.
    #[arg(long)]
    pub output: PathBuf,
}

impl Command {
    /// The contest that this command asks for, on data that is there afterwards; nothing for a command
    /// that asks for something else.
    ///
    /// # Errors
    /// When the data cannot be made.
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
    /// The rows asked for, else `usual`.
    fn rows_or(&self, usual: u64) -> u64 {
        self.rows.unwrap_or(usual)
    }

    /// Where the job runs; with so many `slots`, unless told otherwise.
    fn place(&self, slots: NonZeroUsize) -> Place {
        Place { slots: self.slots.unwrap_or(slots), cluster: self.cluster }
    }
}

/// The cores of this machine.
pub fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
