//! The load file: what is read, where it goes, and how. It holds no secrets.

use std::fmt;
use std::fs;
use std::path::Path;

use clap::ValueEnum;
use kiln::connect::Scan;
use kiln::{Compression, Copied, Error, Mode, Result, Write};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::params::Params;
use super::sources::Source;

/// A load.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LoadFile {
    pub source: Source,
    pub target: Target,
}

/// Where rows go.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub uri: String,
    #[serde(default)]
    pub format: Format,
    /// Left open, the caller chooses by `--kiln-mode` or `KILN_MODE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_by: Vec<String>,
    /// Partitions that are emptied or created without rows, as `day=2026-11-20`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
}

/// The kind of the files.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Parquet,
    Delta,
    Csv,
    Json,
}

/// Reads a load file and puts in the values of parameters.
///
/// # Errors
/// Config, with file and line, for what cannot be read, is not known or has no value.
pub fn read(path: &Path, given: &[(String, String)]) -> Result<LoadFile> {
    read_with(path, given, |load: &mut LoadFile, params| {
        load.source.fill(params)?;
        load.target.fill(params)
    })
}

/// Reads a file in TOML; `fill` puts in the values of parameters.
///
/// # Errors
/// As [`read`].
pub fn read_with<T: DeserializeOwned>(
    path: &Path,
    given: &[(String, String)],
    fill: impl FnOnce(&mut T, &mut Params<'_>) -> Result<()>,
) -> Result<T> {
    let at = |e: Error| e.at("file", path.display());
    let text = fs::read_to_string(path).map_err(|e| at(Error::io("cannot read the load file", e)))?;
    let malformed = |e: toml::de::Error| {
        let line = e.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count().max(1));
        Error::config(e.message().replace('\n', " ")).reason("malformed_load").at("line", line)
    };
    let mut file: T = toml::from_str(&text).map_err(|e| at(malformed(e)))?;
    let mut params = Params::new(given);
    fill(&mut file, &mut params).map_err(at)?;
    params.check_used().map_err(at)?;
    Ok(file)
}

/// The mode that a file calls `name`.
///
/// # Errors
/// Config, with the names that there are.
pub fn mode(name: &str) -> Result<Mode> {
    Mode::from_str(name, false).map_err(|_| {
        let names = Mode::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = names.map(|value| value.get_name().to_owned()).collect();
        let error = Error::config(format!("`{name}` is no mode")).at("section", "target");
        error.help(format!("modes are {}", names.join(", ")))
    })
}

impl Target {
    fn fill(&mut self, params: &mut Params<'_>) -> Result<()> {
        self.uri = params.fill(&self.uri)?;
        for partition in &mut self.expect {
            *partition = params.fill(partition)?;
        }
        Ok(())
    }

    /// Refuses options that do not fit the rows.
    ///
    /// # Errors
    /// Config.
    pub fn check<S: Scan>(&self, rows: &Copied<S>) -> Result<()> {
        let schema = rows.schema()?;
        self.mode()?;
        match self.partition_by.iter().find(|column| schema.index_of(column).is_err()) {
            None => Ok(()),
            Some(column) => {
                Err(Error::config(format!("the source has no column `{column}` to partition by")))
            }
        }
    }

    /// Writes the rows.
    ///
    /// # Errors
    /// Those of the options, and whatever stops the job.
    pub fn write<S: Scan>(&self, rows: &Copied<S>) -> Result<()> {
        let write = self.options(rows.write())?;
        match self.format {
            Format::Parquet => write.parquet(&self.uri),
            Format::Delta => write.delta(&self.uri),
            Format::Csv => write.csv(&self.uri),
            Format::Json => write.json(&self.uri),
        }
    }

    fn options<'r, S: Scan>(&self, write: Write<'r, Copied<S>>) -> Result<Write<'r, Copied<S>>> {
        let mut write = write.partition_by(self.partition_by.iter().map(String::as_str));
        if let Some(mode) = self.mode()? {
            write = write.mode(mode);
        }
        if !self.expect.is_empty() {
            write = write.expect_partitions(self.expect.iter().map(String::as_str));
        }
        if let Some(compression) = self.compression {
            write = write.compression(compression);
        }
        Ok(write)
    }

    fn mode(&self) -> Result<Option<Mode>> {
        self.mode.as_deref().map(mode).transpose()
    }
}

/// `to s3://lake/orders as parquet, by day, mode overwrite`
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to {} as {}", self.uri, format!("{:?}", self.format).to_lowercase())?;
        if !self.partition_by.is_empty() {
            write!(f, ", by {}", self.partition_by.join(", "))?;
        }
        match &self.mode {
            Some(mode) => write!(f, ", mode {mode}"),
            None => write!(f, ", mode as the caller says"),
        }
    }
}
