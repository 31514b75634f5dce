//! Reads the public corpora of Parquet and Arrow files, including files that once broke a reader.
//!
//! Every file is read in every format, with all of its columns decoded, by a separate process with
//! little memory and little time. The only accepted outcomes are rows, or a data error that names the
//! file. The test needs a download and some minutes, so it runs only on request:
//!
//! ```text
//! git clone https://github.com/apache/parquet-testing corpora/parquet-testing
//! git clone https://github.com/apache/arrow-testing corpora/arrow-testing
//! KILN_CORPORA=$PWD/corpora cargo test -p kiln-tests --test corpora
//! ```

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "corpora/any_row.rs"]
mod any_row;
#[path = "corpora/columns.rs"]
mod columns;
#[path = "corpora/one_file.rs"]
mod one_file;
#[path = "corpora/parent.rs"]
mod parent;
#[path = "corpora/tally.rs"]
mod tally;

fn main() {
    match std::env::var_os(parent::FILE) {
        Some(path) => one_file::read(std::path::Path::new(&path)),
        None => parent::run(),
    }
}
