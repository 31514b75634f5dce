//! Decompresses while reading; the file's extension selects the codec.
//!
//! Memory use is constant, whatever the compression ratio. Several gzip members or zstd frames in one file
//! are one text, as `cat a.gz b.gz` and parallel compressors write them. Each member has an end mark, so a
//! truncated one is an error, and so is a file without any member. What the text means is not known here.

use std::io::{self, BufReader, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use super::reader::Reader;
use crate::error::{Error, Result};

/// How much compressed input a decoder buffers.
const INPUT_BYTES: usize = 128 << 10;

/// How the text in a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Not compressed; only such a file can be split.
    Plain,
    /// A file that ends in `.gz`.
    Gzip,
    /// A file that ends in `.zst`.
    Zstd,
}

impl Codec {
    /// The codec of the file at `address`.
    pub fn of(address: &str) -> Codec {
        match address.rsplit_once('.') {
            Some((_, ending)) if ending.eq_ignore_ascii_case("gz") => Codec::Gzip,
            Some((_, ending)) if ending.eq_ignore_ascii_case("zst") => Codec::Zstd,
            _ => Codec::Plain,
        }
    }
}

/// Reads the text of a file.
pub(super) enum Decoder {
    Plain(Reader),
    Gzip(Box<MultiGzDecoder<BufReader<Reader>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Reader>>>),
}

impl Decoder {
    /// Reads `reader` with `codec`.
    ///
    /// # Errors
    /// Of class data for an empty file: even an empty text has a header and an end when compressed.
    pub(super) fn new(codec: Codec, reader: Reader) -> Result<Decoder> {
        if codec != Codec::Plain && reader.size() == 0 {
            let error = Error::data("the compressed file is empty");
            return Err(error.help("a compressed file of nothing has some bytes; was the file cut off?"));
        }
        let buffered = |reader| BufReader::with_capacity(INPUT_BYTES, reader);
        Ok(match codec {
            Codec::Plain => Decoder::Plain(reader),
            Codec::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(buffered(reader)))),
            Codec::Zstd => {
                let decoder = zstd::Decoder::with_buffer(buffered(reader));
                Decoder::Zstd(Box::new(decoder.map_err(|e| Error::io("cannot start the zstd decoder", e))?))
            }
        })
    }

    /// Reads some text; returns 0 only at the end.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        match self {
            Decoder::Plain(reader) => reader.read(into).map_err(|e| explain("file", e)),
            Decoder::Gzip(decoder) => decoder.read(into).map_err(|e| explain("gzip stream", e)),
            Decoder::Zstd(decoder) => decoder.read(into).map_err(|e| explain("zstd stream", e)),
        }
    }

    /// The number of bytes read from the file so far, before decompression.
    pub(super) fn bytes_read(&self) -> u64 {
        match self {
            Decoder::Plain(reader) => reader.bytes_read(),
            Decoder::Gzip(decoder) => decoder.get_ref().get_ref().bytes_read(),
            Decoder::Zstd(decoder) => decoder.get_ref().get_ref().bytes_read(),
        }
    }
}

/// Returns the reader's own error unchanged; any other error is a fault of the stream.
fn explain(what: &str, error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Error::data(format!("the {what} ends early")),
        Err(e) => Error::data(format!("the {what} is corrupt")).because(e),
    }
}

#[cfg(test)]
mod tests {
    use super::Codec;

    #[test]
    fn the_ending_of_the_name_tells_the_codec() {
        let codecs = ["a.txt.gz", "A.GZ", "s3://b/a.zst", "gz", "a.gz/part"].map(Codec::of);
        assert_eq!(codecs, [Codec::Gzip, Codec::Gzip, Codec::Zstd, Codec::Plain, Codec::Plain]);
    }
}
