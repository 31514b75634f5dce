//! Outcomes of attempts: passed between processes as lines, and counted by format and by message.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Characters of a message that are used to count it.
const SHOWN_CHARS: usize = 120;

/// The outcome of reading one file in every way.
pub(crate) struct ReadFile {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) took: Duration,
    /// Peak memory of the process.
    pub(crate) peak_kib: u64,
}

/// One attempt to read one file.
pub(crate) struct Attempt {
    pub(crate) format: String,
    /// Number of columns that were decoded together.
    pub(crate) columns: usize,
    pub(crate) outcome: Outcome,
}

/// The outcome of an attempt.
#[derive(Clone)]
pub(crate) enum Outcome {
    Read {
        rows: u64,
    },
    /// A data error that names the file, as it should.
    Refused(String),
    /// Any other error.
    Wrong(String),
}

impl Outcome {
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Outcome::Refused(_))
    }
}

impl Attempt {
    /// Formats the attempt as one line, with fields separated by tabs.
    pub(crate) fn to_line(&self) -> String {
        let (word, text) = match &self.outcome {
            Outcome::Read { rows } => ("read", rows.to_string()),
            Outcome::Refused(text) => ("refused", text.clone()),
            Outcome::Wrong(text) => ("wrong", text.clone()),
        };
        format!("{}\t{}\t{word}\t{}", self.format, self.columns, text.replace(['\n', '\t', '\r'], " "))
    }

    pub(crate) fn from_line(line: &str) -> Option<Attempt> {
        let mut parts = line.splitn(4, '\t');
        let (format, columns) = (parts.next()?.to_owned(), parts.next()?.parse().ok()?);
        let outcome = match (parts.next()?, parts.next()?) {
            ("read", rows) => Outcome::Read { rows: rows.parse().ok()? },
            ("refused", text) => Outcome::Refused(text.to_owned()),
            ("wrong", text) => Outcome::Wrong(text.to_owned()),
            _ => return None,
        };
        Some(Attempt { format, columns, outcome })
    }
}

/// Counts of the attempts of one format.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) files: usize,
    /// Number of files of which all columns, or single ones, were decoded.
    pub(crate) decoded: usize,
    pub(crate) columns: usize,
    pub(crate) rows: u64,
    pub(crate) refused: usize,
}

/// Counts of all attempts.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) formats: BTreeMap<String, Count>,
    messages: BTreeMap<String, usize>,
    /// The file that took the longest, and the one that took the most memory.
    slowest: Option<(Duration, PathBuf)>,
    largest: Option<(u64, PathBuf)>,
}

impl Tally {
    /// Adds the outcome of one file.
    pub(crate) fn add(&mut self, path: &Path, file: &ReadFile) {
        self.slowest = self.slowest.take().max(Some((file.took, path.to_owned())));
        self.largest = self.largest.take().max(Some((file.peak_kib, path.to_owned())));
        let mut seen = BTreeMap::<&str, bool>::new();
        for Attempt { format, columns, outcome } in &file.attempts {
            let count = self.formats.entry(format.clone()).or_default();
            let is_decoded = seen.entry(format).or_default();
            match outcome {
                Outcome::Read { rows } => {
                    *is_decoded = true;
                    count.columns += columns;
                    count.rows += rows;
                }
                Outcome::Refused(text) => {
                    count.refused += 1;
                    *self.messages.entry(format!("{format}: {}", kind(text))).or_default() += 1;
                }
                Outcome::Wrong(_) => {}
            }
        }
        for (format, is_decoded) in seen {
            let count = self.formats.entry(format.to_owned()).or_default();
            count.files += 1;
            count.decoded += usize::from(is_decoded);
        }
    }
}

/// A message without the parts that differ from file to file: numbers, location, advice.
fn kind(text: &str) -> String {
    let text = text.split(" help: ").next().unwrap_or(text);
    let (what, place) = text.split_once(", at ").unwrap_or((text, ""));
    let cause = place.split_once("executor 0").map_or("", |(_, cause)| cause);
    let mut kind = String::new();
    for c in what.chars().chain(cause.chars()) {
        match c {
            '0'..='9' if kind.ends_with('N') => {}
            '0'..='9' => kind.push('N'),
            c => kind.push(c),
        }
    }
    kind.chars().take(SHOWN_CHARS).collect()
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (message, count) in &self.messages {
            writeln!(f, "{count:6} {message}")?;
        }
        for (format, Count { files, decoded, columns, rows, refused }) in &self.formats {
            writeln!(
                f,
                "{format}: {files} files, of which {decoded} gave rows ({columns} columns, {rows} rows); {refused} reads refused"
            )?;
        }
        if let (Some((took, slowest)), Some((kib, largest))) = (&self.slowest, &self.largest) {
            writeln!(f, "slowest: {took:?}, {}", slowest.display())?;
            writeln!(f, "most memory: {} MiB, {}", kib >> 10, largest.display())?;
        }
        Ok(())
    }
}
