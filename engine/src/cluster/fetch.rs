//! Reads one stream of another executor's outputs, on the thread that consumes the rows.
//!
//! ```text
//!   do_get ──▶ verify ──▶ decode ──▶ batch        damaged: ask once more, skip what was handed out
//!     │                      │
//!     └ gone, refused, broken └ damaged again ──▶ lost output: its tasks run again
//! ```
//!
//! A runtime drives the connection, but the slot that needs the blocks verifies and decodes them, so that
//! heartbeats are not delayed by either. Data that has arrived but not been read yet is buffered in the
//! HTTP/2 window of the stream. The window is the queue between the two: it is bounded in bytes, and when it
//! is full the sender slows down.

mod failure;

use arrow::array::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::task::JoinHandle;
use tonic::Status;

use self::failure::Failure;
use super::block::{self, Damaged};
use super::wait::wait;
use crate::error::{LostOutput, Result};
use crate::meter::{self, Resource};

/// How often damaged blocks are requested again before their output counts as lost.
const MAX_REFETCHES: u32 = 1;

/// Messages as they arrive.
pub(super) type Messages = BoxStream<'static, Result<FlightData, Status>>;
/// A request in flight.
pub(super) type Opening = JoinHandle<Result<Messages, Status>>;

/// The batches of one ticket, in order, each with the partition of the task that wrote it.
pub(super) struct Fetched<F> {
    /// Sends the request, possibly more than once.
    request: F,
    lost: LostOutput,
    state: State,
    /// The number of batches returned so far. Outputs never change, so a second stream starts with the same
    /// batches.
    handed_out: u64,
    refetches: u32,
}

enum State {
    Opening(Opening),
    Reading {
        decoder: Box<FlightDataDecoder>,
        /// The number of batches read from this stream.
        seen: u64,
    },
    Ended,
}

impl<F: Fn() -> Opening> Fetched<F> {
    /// Sends the request at once and returns without waiting for the answer. `lost` is the output to report
    /// as lost if none arrives.
    pub(super) fn open(request: F, lost: LostOutput) -> Fetched<F> {
        let state = State::Opening(request());
        Fetched { request, lost, state, handed_out: 0, refetches: 0 }
    }

    /// The next batch that has not been returned before.
    fn read(&mut self) -> Result<Option<(u32, RecordBatch)>, Failure> {
        loop {
            match &mut self.state {
                State::Ended => return Ok(None),
                State::Opening(opening) => {
                    let answer = wait(opening).map_err(|_| Failure::Interrupted)?;
                    let messages = answer.map_err(Failure::Refused)?;
                    self.state = State::Reading { decoder: Box::new(decoder(messages)), seen: 0 };
                }
                State::Reading { decoder, seen } => match wait(next_batch(decoder))? {
                    None => return Ok(None),
                    Some(batch) => {
                        *seen += 1;
                        if *seen > self.handed_out {
                            self.handed_out = *seen;
                            return Ok(Some(batch));
                        }
                    }
                },
            }
        }
    }
}

impl<F: Fn() -> Opening> Iterator for Fetched<F> {
    type Item = Result<(u32, RecordBatch)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match meter::waiting(Resource::Network, || self.read()) {
                Ok(Some(batch)) => return Some(Ok(batch)),
                Ok(None) => {
                    self.state = State::Ended;
                    return None;
                }
                Err(Failure::Damaged) if self.refetches < MAX_REFETCHES => {
                    log::warn!("a block from executor {} arrived damaged; asking again", self.lost.executor);
                    self.refetches += 1;
                    self.state = State::Opening((self.request)());
                }
                Err(failure) => {
                    self.state = State::Ended;
                    return Some(Err(failure.into_error(self.lost)));
                }
            }
        }
    }
}

/// Decodes verified messages; damaged ones must not reach the decoder.
fn decoder(messages: Messages) -> FlightDataDecoder {
    FlightDataDecoder::new(messages.map(|message| {
        let data = message.map_err(|status| FlightError::Tonic(Box::new(status)))?;
        block::verify(&data).map_err(|damaged| FlightError::ExternalError(Box::new(damaged)))?;
        Ok(data)
    }))
}

async fn next_batch(decoder: &mut FlightDataDecoder) -> Result<Option<(u32, RecordBatch)>, Failure> {
    while let Some(decoded) = decoder.next().await {
        let decoded = decoded.map_err(Failure::from)?;
        if let DecodedPayload::RecordBatch(batch) = decoded.payload {
            let partition = block::partition(&decoded.inner).map_err(|Damaged| Failure::Damaged)?;
            return Ok(Some((partition, batch)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use bytes::Bytes;
    use futures::stream;
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::cluster::block::Encoder;

    const LOST: LostOutput = LostOutput { exchange: 3, executor: 1 };

    #[test]
    fn a_damaged_block_is_asked_for_again_and_no_row_comes_twice() {
        let rows = fetch(vec![Ok(damaged(messages(), 3)), Ok(messages())]).unwrap();
        assert_eq!(rows, [(0, 0), (1, 10), (2, 20)]);
    }

    #[test]
    fn a_block_that_stays_damaged_is_a_lost_output() {
        let error = fetch(vec![Ok(damaged(messages(), 3)), Ok(damaged(messages(), 1))]).unwrap_err();
        assert_eq!(error.lost(), Some(LOST));
    }

    #[test]
    fn missing_outputs_and_broken_connections_are_lost_outputs() {
        let all = [
            Status::not_found("no output"),
            Status::unavailable("connection refused"),
            Status::unknown("reset"),
            Status::internal("h2 protocol error"),
            Status::cancelled("gone"),
        ];
        for status in all {
            assert_eq!(fetch(vec![Err(status)]).unwrap_err().lost(), Some(LOST));
        }
    }

    #[test]
    fn what_another_try_would_not_change_is_no_lost_output() {
        let refused = fetch(vec![Err(Status::unauthenticated("wrong token"))]).unwrap_err();
        assert_eq!((refused.class(), refused.lost()), (crate::Class::Bug, None));
        let too_large = fetch(vec![Err(Status::out_of_range("too large"))]).unwrap_err();
        assert_eq!((too_large.class(), too_large.lost()), (crate::Class::Resource, None));
    }

    #[test]
    fn a_reader_whose_runtime_has_ended_gets_an_error_and_not_an_end() {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        let request = || handle.spawn(async { Ok(stream::empty().boxed()) });
        let outcome: Vec<_> = Fetched::open(request, LOST).collect();
        assert_eq!(outcome[0].as_ref().unwrap_err().lost(), Some(LOST));
    }

    type Answer = Result<Vec<FlightData>, Status>;

    /// Fetches with the requests answered by `answers` in order; returns the partition and the value of each
    /// row.
    fn fetch(answers: Vec<Answer>) -> Result<Vec<(u32, i64)>> {
        let runtime = runtime();
        let answers = RefCell::new(answers.into_iter());
        let request = || {
            let answer = answers.borrow_mut().next().unwrap();
            runtime.spawn(async { answer.map(|messages| stream::iter(messages.into_iter().map(Ok)).boxed()) })
        };
        let row = |(partition, batch): (u32, RecordBatch)| {
            (partition, batch.column(0).as_primitive::<Int64Type>().value(0))
        };
        Fetched::open(request, LOST).map(|batch| batch.map(row)).collect()
    }

    /// A schema and three batches of one row, written by tasks 0, 1 and 2.
    fn messages() -> Vec<FlightData> {
        let mut encoder = Encoder::new();
        let mut encode = |partition: u32| {
            let column = Arc::new(Int64Array::from(vec![i64::from(partition) * 10]));
            encoder.encode(partition, &RecordBatch::try_from_iter([("n", column as _)]).unwrap()).unwrap()
        };
        (0..3).flat_map(&mut encode).collect()
    }

    fn damaged(mut messages: Vec<FlightData>, at: usize) -> Vec<FlightData> {
        let mut body = messages[at].data_body.to_vec();
        body[0] ^= 1;
        messages[at].data_body = Bytes::from(body);
        messages
    }

    fn runtime() -> Runtime {
        Builder::new_multi_thread().worker_threads(1).build().unwrap()
    }
}
