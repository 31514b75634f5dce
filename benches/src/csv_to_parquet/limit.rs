//! Hand-written CSV to Parquet: the `arrow-csv` reader and the `parquet` writer, on one range of the
//! file per thread.
//!
//! Each thread writes one output file. The input is split at line ends, which is correct only because
//! no field contains one.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::csv::ReaderBuilder;
use kiln::{Error, Result};

use super::schema;
use crate::files::{Dictionaries, Writer, list, on_threads};

/// Rows per batch.
const BATCH_ROWS: usize = 8192;
const READ_BUFFER_BYTES: usize = 1 << 20;

/// Writes the orders in `input` as Parquet files to `output`, on `slots` threads.
///
/// # Errors
/// Fails when a file cannot be read or written.
pub fn run(input: &Path, output: &Path, slots: usize) -> Result<()> {
    fs::create_dir_all(output).map_err(|e| Error::io("the output cannot be made", e))?;
    let path = list(input, ".csv")?.pop().ok_or_else(|| Error::data("there is no CSV file"))?;
    let pieces = pieces(&path, slots as u64).map_err(|e| Error::io("the orders cannot be read", e))?;
    let written = on_threads(pieces.into_iter().enumerate().map(|(slot, piece)| {
        let (path, part) = (&path, output.join(format!("part-{slot:05}.parquet")));
        move || convert(path, piece, part)
    }));
    written.into_iter().collect()
}

/// Splits the lines after the header into `count` byte ranges of about the same size.
fn pieces(path: &Path, count: u64) -> io::Result<Vec<Range<u64>>> {
    let mut file = BufReader::new(File::open(path)?);
    let bytes = file.get_ref().metadata()?.len();
    let mut ends = Vec::new();
    for piece in 0..count {
        file.seek(SeekFrom::Start(bytes * piece / count))?;
        file.skip_until(b'\n')?;
        ends.push(file.stream_position()?);
    }
    ends.push(bytes);
    Ok(ends.windows(2).map(|ends| ends[0]..ends[1]).collect())
}

/// Writes the orders of one range to a file.
fn convert(path: &Path, piece: Range<u64>, part: PathBuf) -> Result<()> {
    let unreadable = |e| Error::io("the orders cannot be read", e);
    let mut file = File::open(path).map_err(unreadable)?;
    file.seek(SeekFrom::Start(piece.start)).map_err(unreadable)?;
    let lines = BufReader::with_capacity(READ_BUFFER_BYTES, file.take(piece.end - piece.start));
    let malformed = |e| Error::data("the orders cannot be parsed").because(e);
    let reader = ReaderBuilder::new(schema()).with_batch_size(BATCH_ROWS).build_buffered(lines);
    let mut writer = Writer::create(part, schema(), Dictionaries::AsUsual)?;
    for batch in reader.map_err(malformed)? {
        writer.write(&batch.map_err(malformed)?)?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv_to_parquet::data;
    use crate::digest::{Order, digest};
    use crate::harness::scratch::Scratch;

    #[test]
    fn no_row_is_lost_where_the_file_is_cut() {
        let scratch = Scratch::new().expect("the temporary directory is writable");
        data::file(&scratch.tmp(), 5_011).expect("a file can be written");
        let answer = |slots: usize| {
            let output = scratch.output().join(slots.to_string());
            run(&scratch.tmp(), &output, slots).expect("the file is there");
            digest(&output, &schema(), Order::Any).expect("the output is there")
        };
        assert!(answer(1).starts_with("rows 5011 "));
        assert_eq!(answer(3), answer(1));
    }
}
