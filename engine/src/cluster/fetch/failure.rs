//! Why a stream of outputs has no next batch, and what that means: an output that is lost is made again,
//! and what another try would not change fails the job.
//!
//! How often a stream is tried is `fetch`'s business.

use std::error::Error as _;

use arrow_flight::error::FlightError;
use tonic::{Code, Status};

use crate::cluster::block::Damaged;
use crate::driver::ExecutorId;
use crate::error::{Error, LostOutput};
use crate::row::MAX_ROW_BYTES;

/// Why there is no next batch.
pub(super) enum Failure {
    Damaged,
    Refused(Status),
    Undecodable(FlightError),
    Interrupted,
}

impl Failure {
    /// The same as an error: `output` is what the reader misses, if another try may bring it.
    pub(super) fn into_error(self, output: LostOutput) -> Error {
        let executor = ExecutorId(output.executor);
        let lost = |why: &str| Error::lost_output(format!("the output on {executor} is lost: {why}"), output);
        match self {
            Failure::Damaged => lost("it arrives damaged"),
            Failure::Interrupted => lost("nobody reads it any more"),
            Failure::Undecodable(e) => {
                Error::bug(format!("a block of {executor} cannot be decoded")).because(e)
            }
            Failure::Refused(status) => refused(&status, executor, lost),
        }
    }
}

impl From<FlightError> for Failure {
    fn from(error: FlightError) -> Failure {
        match error {
            FlightError::Tonic(status) => Failure::Refused(*status),
            FlightError::ExternalError(e) if e.is::<Damaged>() => Failure::Damaged,
            other => Failure::Undecodable(other),
        }
    }
}

fn refused(status: &Status, executor: ExecutorId, lost: impl FnOnce(&str) -> Error) -> Error {
    let error = match status.code() {
        Code::OutOfRange => {
            let text = format!("a row is too large to move between executors: {}", status.message());
            Error::resource(text).help(format!("a row may take {MAX_ROW_BYTES} bytes"))
        }
        Code::FailedPrecondition
        | Code::InvalidArgument
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Unimplemented => Error::bug(format!("{executor} refuses its output: {}", status.message())),
        // Gone, refused and broken connections look different to each layer that sees them.
        _ => lost(status.message()),
    };
    match status.source() {
        Some(cause) => error.because(cause),
        None => error,
    }
}
