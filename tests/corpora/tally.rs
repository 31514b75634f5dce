//! What became of the attempts: one line each between two processes, then counts by format and by message.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Characters of a message by which it is counted.
const SHOWN_CHARS: usize = 120;

/// What reading one file in every way came to.
pub(crate) struct ReadFile {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) took: Duration,
    /// The most memory that the process held.
    pub(crate) peak_kib: u64,
}

/// One attempt at one file.
pub(crate) struct Attempt {
    pub(crate) format: String,
    /// How many columns were decoded at once.
    pub(crate) columns: usize,
    pub(crate) outcome: Outcome,
}

/// What became of it.
#[derive(Clone)]
pub(crate) enum Outcome {
    Read {
        rows: u64,
    },
    /// An error of class data that names the file, and should do.
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
    /// Between two processes: one line, fields behind tabs.
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

/// The attempts of one format.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) files: usize,
    /// Files of which all columns, or single ones, were decoded.
    pub(crate) decoded: usize,
    pub(crate) columns: usize,
    pub(crate) rows: u64,
    pub(crate) refused: usize,
}

/// All attempts.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) formats: BTreeMap<String, Count>,
    messages: BTreeMap<String, usize>,
    /// The file that took longest, and the one that took most memory.
    slowest: Option<(Duration, PathBuf)>,
    largest: Option<(u64, PathBuf)>,
}

impl Tally {
    /// Adds what was made of one file.
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

/// A message without what differs from file to file: numbers, where it was, advice.
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
