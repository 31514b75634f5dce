//! Converts rows to the lines of a pipe and back.

use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};

use crate::chain::RowConsumer;
use crate::error::{Error, Result};

/// Length of the longest line that is accepted, which must fit in memory once per task.
const MAX_LINE_BYTES: u64 = 64 << 20;
/// Bytes per read and write.
const BLOCK_BYTES: usize = 64 << 10;

/// Writes each row as a line. A process that closes its input ends the rows without an error.
pub(super) struct LineSink<W: Write> {
    out: BufWriter<W>,
    failure: Option<io::Error>,
}

impl<W: Write> LineSink<W> {
    pub(super) fn new(out: W) -> Self {
        LineSink { out: BufWriter::with_capacity(BLOCK_BYTES, out), failure: None }
    }

    /// Flushes the buffer and closes the pipe.
    pub(super) fn finish(mut self) -> Result<()> {
        let flushed = self.failure.take().map_or_else(|| self.out.flush(), Err);
        // Do not write again what a closed pipe did not accept.
        let _ = self.out.into_parts();
        match flushed {
            Err(e) if e.kind() != ErrorKind::BrokenPipe => {
                Err(Error::io("the command's input cannot be written", e))
            }
            _ => Ok(()),
        }
    }
}

impl<W: Write> RowConsumer<String> for LineSink<W> {
    fn push(&mut self, row: &str) {
        if self.failure.is_none() {
            let written = self.out.write_all(row.as_bytes()).and_then(|()| self.out.write_all(b"\n"));
            self.failure = written.err();
        }
    }
    fn is_full(&self) -> bool {
        self.failure.is_some()
    }
}

/// How reading ended.
pub(super) enum ReadTo {
    /// At the end of the pipe.
    End,
    /// Before it, because no more rows are wanted.
    Enough,
}

/// Pushes each line as a row, without its `\n` or `\r\n`.
pub(super) fn read_lines<S: RowConsumer<String>>(pipe: impl Read, sink: &mut S) -> Result<ReadTo> {
    let mut pipe = BufReader::with_capacity(BLOCK_BYTES, pipe);
    let mut line = Vec::new();
    while !sink.is_full() {
        line.clear();
        let read = pipe.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
        let read = read.map_err(|e| Error::io("the command's output cannot be read", e))?;
        if read == 0 {
            return Ok(ReadTo::End);
        }
        if read as u64 == MAX_LINE_BYTES && !line.ends_with(b"\n") {
            let text = format!("a line of the command's output is longer than {} MiB", MAX_LINE_BYTES >> 20);
            return Err(Error::data(text));
        }
        let text = std::str::from_utf8(&line);
        let text = text.map_err(|e| Error::data("the command's output is not UTF-8").because(e))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        sink.push(text.strip_suffix('\r').unwrap_or(text));
    }
    Ok(ReadTo::Enough)
}
