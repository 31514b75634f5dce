//! Failures of a stream of outputs, and their consequence: a lost output is computed again, while an error
//! that a retry would not fix fails the job.
//!
//! How often a stream is retried is decided in `fetch`.

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
    /// Converts the failure into an error. If a retry may help, the error reports `output` as lost.
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
        // Other status codes mean a missing output or a broken connection; each layer reports those
        // differently.
        _ => lost(status.message()),
    };
    match status.source() {
        Some(cause) => error.because(cause),
        None => error,
    }
}
