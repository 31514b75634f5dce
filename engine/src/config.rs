//! The configuration of a job, read from the environment: where and how it runs.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::error::{Error, MALFORMED_CONFIG, Result};
use crate::memory;
use crate::ship::captures::Captures;
use crate::source::Location;

/// The variable that selects where a job runs.
const CLUSTER: &str = "KILN_CLUSTER";
/// The variable that makes undeclared captures an error in one process too.
const STRICT: &str = "KILN_STRICT";
/// The variable that limits the memory of one process's tasks.
pub(crate) const MEMORY: &str = "KILN_MEMORY";
/// The variable with the folder for temporary files.
pub(crate) const TMP: &str = "KILN_TMP";
/// The variable with the seed for a job's sampling.
const SEED: &str = "KILN_SEED";
/// The default for the most rows in one batch.
const BATCH_ROWS: usize = 1 << 16;
/// The most task slots or executors, as a guard against typing errors such as `local[20000]`.
const MAX_COUNT: usize = 4096;

/// Where tasks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// On slots of this process.
    Local {
        /// The number of concurrent tasks.
        slots: usize,
    },
    /// On executor processes on this machine.
    LocalCluster {
        /// The number of processes.
        executors: usize,
        /// The number of concurrent tasks in each process.
        slots: usize,
    },
}

impl Cluster {
    /// Tasks at once, in all processes.
    pub(crate) fn slots(self) -> usize {
        match self {
            Cluster::Local { slots } => slots,
            Cluster::LocalCluster { executors, slots } => executors * slots,
        }
    }
}

/// How a context runs its jobs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where tasks run.
    pub cluster: Cluster,
    /// What happens to jobs whose closures capture undeclared values.
    pub captures: Captures,
    /// The arguments for starting this binary as an executor; tests need some.
    pub executor_args: Vec<String>,
    /// The memory for the tasks of one process and their outputs, in bytes, before they spill.
    pub memory: u64,
    /// The folder for temporary files.
    pub tmp: PathBuf,
    /// The most rows in a batch.
    pub batch_rows: usize,
    /// The value of [`Context::seed`](crate::Context::seed).
    pub seed: u64,
    /// The number of partitions after an exchange, unless the job sets an exact number for it; derived from
    /// the size of the input by default.
    pub exchange_partitions: Option<usize>,
    /// The number of sub-partitions of each partition after an exchange by key; derived from the size of the
    /// input by default.
    pub exchange_slices: Option<usize>,
}

impl Config {
    /// Runs tasks on `cluster`, with defaults for everything else.
    pub fn new(cluster: Cluster) -> Config {
        let (captures, processes) = match cluster {
            Cluster::Local { .. } => (Captures::Warn, 1),
            Cluster::LocalCluster { executors, .. } => (Captures::Refuse, executors),
        };
        Config {
            cluster,
            captures,
            executor_args: Vec::new(),
            memory: memory::default_bytes(processes),
            tmp: std::env::temp_dir(),
            batch_rows: BATCH_ROWS,
            seed: seed_of_program(),
            exchange_partitions: None,
            exchange_slices: None,
        }
    }

    /// The configuration in `KILN_CLUSTER`, `KILN_STRICT`, `KILN_MEMORY`, `KILN_TMP` and `KILN_SEED`.
    ///
    /// # Errors
    /// Of class config when one of them is malformed.
    pub fn from_env() -> Result<Config> {
        let cluster = match std::env::var(CLUSTER) {
            Ok(text) if !text.trim().is_empty() => parse_cluster(text.trim())?,
            Ok(_) | Err(std::env::VarError::NotPresent) => Cluster::Local { slots: all_cores() },
            Err(e) => return Err(malformed("", &e.to_string())),
        };
        let mut config = Config::new(cluster);
        if std::env::var(STRICT).is_ok_and(|v| v != "0" && !v.is_empty()) {
            config.captures = Captures::Refuse;
        }
        if let Some(text) = std::env::var_os(MEMORY).filter(|text| !text.is_empty()) {
            config.memory = memory::parse_bytes(MEMORY, &text.to_string_lossy())?;
        }
        if let Some(folder) = std::env::var_os(TMP).filter(|text| !text.is_empty()) {
            config.tmp = parse_tmp(&folder)?;
        }
        if let Some(text) = std::env::var_os(SEED).filter(|text| !text.is_empty()) {
            config.seed = parse_seed(&text.to_string_lossy())?;
        }
        Ok(config)
    }
}

/// The absolute path of the folder for temporary files, which must be on this machine.
fn parse_tmp(address: &OsStr) -> Result<PathBuf> {
    let text = address.to_str().ok_or_else(|| Error::config("the address is not UTF-8"));
    let folder = text.and_then(Location::folder).and_then(|location| {
        location.local_path().ok_or_else(|| Error::config("temporary files need a folder of this machine"))
    });
    folder.map_err(|e| e.at(TMP, address.display()).reason(MALFORMED_CONFIG))
}

/// A seed from the program's name, which is the same in every run, whatever the program's folder.
fn seed_of_program() -> u64 {
    let program = std::env::args_os().next().map(PathBuf::from);
    let name = program.as_deref().and_then(|path| path.file_name()).unwrap_or_default();
    twox_hash::XxHash3_64::oneshot(name.as_encoded_bytes())
}

fn parse_seed(text: &str) -> Result<u64> {
    let malformed =
        |e| Error::config(format!("{SEED}=`{text}` cannot be read")).because(e).reason(MALFORMED_CONFIG);
    text.trim().parse().map_err(|e: std::num::ParseIntError| malformed(e).help("give a number from 0"))
}

/// Parses `local`, `local[N]` or `local-cluster[E,S]`.
pub fn parse_cluster(text: &str) -> Result<Cluster> {
    if text == "local" {
        return Ok(Cluster::Local { slots: all_cores() });
    }
    if text.starts_with("agents:") {
        return Err(malformed(text, "agents cannot be used yet"));
    }
    let (name, counts) = text
        .strip_suffix(']')
        .and_then(|t| t.split_once('['))
        .ok_or_else(|| malformed(text, "it names no way to run a job"))?;
    let counts = counts.split(',').map(|n| count(text, n)).collect::<Result<Vec<usize>>>()?;
    match (name, counts.as_slice()) {
        ("local", [slots]) => Ok(Cluster::Local { slots: *slots }),
        ("local-cluster", [executors, slots]) => {
            Ok(Cluster::LocalCluster { executors: *executors, slots: *slots })
        }
        ("local", _) => Err(malformed(text, "`local[N]` takes one number of slots")),
        ("local-cluster", _) => Err(malformed(text, "`local-cluster[E,S]` takes executors and slots")),
        _ => Err(malformed(text, "it names no way to run a job")),
    }
}

fn count(text: &str, number: &str) -> Result<usize> {
    match number.trim().parse() {
        Ok(n) if (1..=MAX_COUNT).contains(&n) => Ok(n),
        _ => Err(malformed(text, &format!("`{}` is no number from 1 to {MAX_COUNT}", number.trim()))),
    }
}

fn malformed(text: &str, why: &str) -> Error {
    Error::config(format!("{CLUSTER}=`{text}` cannot be read: {why}")).reason(MALFORMED_CONFIG).help(
        "use `local`, `local[N]` with N task slots, or `local-cluster[E,S]` with E executors of S slots",
    )
}

fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    #[test]
    fn a_cluster_is_read_as_it_is_written() {
        assert_eq!(parse_cluster("local[3]").unwrap(), Cluster::Local { slots: 3 });
        let two = Cluster::LocalCluster { executors: 2, slots: 1 };
        assert_eq!(parse_cluster("local-cluster[2, 1]").unwrap(), two);
    }

    #[test]
    fn a_seed_is_a_number_and_the_same_for_a_program_that_is_given_none() {
        assert_eq!(parse_seed(" 42 ").unwrap(), 42);
        assert!(parse_seed("x").unwrap_err().to_string().starts_with("KILN_SEED=`x` cannot be read"));
        let seed = || Config::new(Cluster::Local { slots: 1 }).seed;
        assert_eq!(seed(), seed());
    }

    #[test]
    fn a_malformed_cluster_is_a_config_error_that_names_it() {
        for text in
            ["loca", "local[0]", "local[x]", "local[1,2]", "local-cluster[2]", "local-cluster[2,1", "local[]"]
        {
            let error = parse_cluster(text).unwrap_err();
            assert_eq!(error.class().exit_code(), 78);
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn temporary_files_go_to_any_address_of_this_machine() {
        let here = std::env::current_dir().unwrap();
        for (address, folder) in [
            ("/tmp/a#b%20?c".replace('?', "[?]"), "/tmp/a#b%20?c".into()),
            ("file:///tmp/a%20b".to_owned(), "/tmp/a b".into()),
            ("scratch/".to_owned(), here.join("scratch")),
            (".".to_owned(), here.clone()),
        ] {
            assert_eq!(parse_tmp(OsStr::new(&address)).unwrap(), folder, "{address}");
        }
        for address in ["memory:///tmp", "S4://bucket/tmp", "file:tmp", "file://host/tmp", "/tmp/*"] {
            assert_eq!(parse_tmp(OsStr::new(address)).unwrap_err().class(), Class::Config, "{address}");
        }
    }
}
