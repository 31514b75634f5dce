//! Runs third-party decoders on untrusted bytes: any fault in the bytes becomes an error that names the file.
//!
//! The decoders are those of `arrow` and `parquet`; their errors get class data. A Kiln error that passed
//! through the decoder on its way up, such as a lost connection, keeps its class. Panics are caught, because
//! decoders use lengths from the file as indices. After a panic the decoder must not be used again.

use std::any::Any;
use std::error::Error as StdError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Result};
use crate::row::MAX_ROW_BYTES;

/// Error messages of decoders when offsets do not fit in 32 bits.
const OVERFLOWS: [&str; 4] =
    ["index overflow", "offset overflow", "offsetoverflow", "would overflow list array"];

/// Runs `body`; `what` is the file format, as in "Parquet".
pub fn decoding<T, E>(what: &str, file: &str, body: impl FnOnce() -> Result<T, E>) -> Result<T>
where
    E: StdError + 'static,
{
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(match ours(&error) {
            Some(ours) => ours.at("file", file),
            None if is_overflow(&error.to_string()) => overflow(file),
            None => corrupt(what, file).because(&error),
        }),
        Err(panic) => {
            let text = text(&*panic);
            Err(if is_overflow(&text) {
                overflow(file)
            } else {
                corrupt(what, file).because(io::Error::other(text))
            })
        }
    }
}

/// Whether the text of a decoder's error or panic reports an overflow of Arrow's 32-bit offsets.
pub(super) fn is_overflow(text: &str) -> bool {
    OVERFLOWS.iter().any(|overflow| text.to_ascii_lowercase().contains(overflow))
}

/// The error for such an overflow: the file is valid, but its values are too large for one column of a batch.
pub(super) fn overflow(file: &str) -> Error {
    let text = format!("rows take more than {} bytes or items in one column", i32::MAX);
    Error::resource(text).at("file", file).help(format!("a row may take {MAX_ROW_BYTES} bytes in all"))
}

/// The error for invalid bytes.
pub(super) fn corrupt(what: &str, file: &str) -> Error {
    Error::data(format!("the {what} file is corrupt")).at("file", file)
}

/// The Kiln error among the causes of `error`.
fn ours(error: &(dyn StdError + 'static)) -> Option<Error> {
    let mut next = Some(error);
    while let Some(cause) = next {
        let inner = cause.downcast_ref::<io::Error>().and_then(|io| io.get_ref());
        let inner = inner.and_then(|inner| inner.downcast_ref::<Error>());
        if let Some(ours) = inner.or_else(|| cause.downcast_ref::<Error>()) {
            return Some(ours.clone());
        }
        next = cause.source();
    }
    None
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "the decoder panicked".into())
}
