//! Reads one file in every format, in a process that may crash.
//!
//! For each attempt it prints one line to standard output, which `tally` parses, and at the end its
//! peak memory. If the columns of a file cannot all be read, it is read again column by column, so that
//! one bad column does not hide the others.

use std::panic::{catch_unwind, set_hook, take_hook};
use std::path::Path;

use arrow::datatypes::Field;
use kiln::expr::col;
use kiln::job::{Progress, Run, install_panic_hook};
use kiln::{Class, Context, Result};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::any_row::{AnyRow, set_columns};
use crate::columns;
use crate::tally::{Attempt, Outcome};

/// Prefix of the last line, which contains the peak memory.
pub(crate) const PEAK: &str = "peak KiB\t";
/// Limit of the address space: the program, its threads and whatever a file makes it allocate.
pub(crate) const MAX_BYTES: u64 = 1 << 30;

type Find = fn(&Path) -> Option<Vec<Field>>;
type Read = fn(&Context, &str) -> Result<u64>;

/// How columns are found and read in each format. Text has no columns to find.
const FORMATS: [(&str, Find, Read); 4] = [
    ("parquet", columns::parquet, |cx, at| cx.read_parquet::<AnyRow>(at).count()),
    ("arrow", columns::arrow, |cx, at| cx.read_arrow::<AnyRow>(at).count()),
    ("csv", columns::csv, |cx, at| cx.read_csv::<AnyRow>(at).count()),
    ("json", columns::json, |cx, at| cx.read_json::<AnyRow>(at).count()),
];

/// Reads the file at `path` in every way.
pub(crate) fn read(path: &Path) {
    install_panic_hook();
    setrlimit(Resource::As, Rlimit { current: Some(MAX_BYTES), maximum: Some(MAX_BYTES) }).unwrap();
    let cx = Context::from_env(Run::new("corpora".to_owned(), Progress::silent())).unwrap();
    for (format, find, read) in FORMATS {
        let found = found(find, path);
        let all = found.clone().unwrap_or_else(columns::unknown);
        let outcome = attempt(&cx, format, path, all.clone(), read);
        if outcome.is_refused() && all.len() > 1 {
            for field in all.clone() {
                attempt(&cx, format, path, vec![field], read);
            }
        }
        if format == "parquet" && found.is_some() {
            filtered(&cx, path, &all);
        }
    }
    attempt(&cx, "text", path, Vec::new(), |cx, at| cx.read_text(at).count());
    println!("{PEAK}{}", peak_kib());
}

/// Peak memory of the process.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The columns, unless the crate that looks for them panics, because that crate is not under test.
fn found(find: Find, path: &Path) -> Option<Vec<Field>> {
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let found = catch_unwind(|| find(path)).ok().flatten();
    set_hook(hook);
    found.filter(|columns| !columns.is_empty())
}

/// Statistics and page indexes are read only for filters.
fn filtered(cx: &Context, path: &Path, columns: &[Field]) {
    let text = path.display().to_string();
    for field in columns.iter().filter(|field| !field.data_type().is_nested()) {
        let filter = col(field.name()).is_not_null();
        set_columns(vec![field.clone()]);
        let rows = cx.read().filter(filter).parquet::<AnyRow>(&text).count();
        report("parquet filtered", &text, 1, rows);
    }
}

fn attempt(cx: &Context, format: &str, path: &Path, columns: Vec<Field>, read: Read) -> Outcome {
    let (text, count) = (path.display().to_string(), columns.len());
    set_columns(columns);
    report(format, &text, count, read(cx, &text))
}

/// Prints the outcome of an attempt at once, because the next one may crash the process.
fn report(format: &str, path: &str, columns: usize, rows: Result<u64>) -> Outcome {
    let outcome = match rows {
        Ok(rows) => Outcome::Read { rows },
        Err(error) if error.class() == Class::Data && error.to_string().contains(path) => {
            Outcome::Refused(error.to_string().replace(path, "FILE"))
        }
        Err(error) => Outcome::Wrong(format!("{} error: {error}", error.class().name())),
    };
    println!("{}", Attempt { format: format.to_owned(), columns, outcome: outcome.clone() }.to_line());
    outcome
}
