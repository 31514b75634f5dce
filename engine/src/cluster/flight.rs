//! Serves the outputs of this process's tasks to other executors and to the driver.
//!
//! A ticket names one target partition of the outputs of some tasks. Their batches are sent in the requested
//! order, each encoded only when the connection can take it, so a slow reader costs the memory of one block,
//! not of a whole output. Before the first block is sent, the service checks that all outputs are available,
//! so the reader learns at once that it must wait for them to be computed again.

use std::sync::Arc;

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use kiln_planner::ExchangeId;
use serde::{Deserialize, Serialize};
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status, Streaming};

use super::block::Encoder;
use super::token::{Token, WantToken};
use crate::error::{Error, Result};
use crate::runtime::Fetch;
use crate::shuffle::{Block, BlockStore, OutputKey, TaskOutput};

/// The serialized form of a [`Fetch`].
#[derive(Serialize, Deserialize)]
struct Wanted {
    exchange: ExchangeId,
    target: u32,
    sources: Vec<(u32, u32)>,
}

/// The ticket for `fetch`.
pub(super) fn ticket(fetch: Fetch) -> Result<Ticket> {
    let wanted = Wanted { exchange: fetch.exchange, target: fetch.target, sources: fetch.sources };
    let bytes =
        postcard::to_stdvec(&wanted).map_err(|e| Error::bug("a ticket cannot be encoded").because(e))?;
    Ok(Ticket { ticket: Bytes::from(bytes) })
}

/// The service for `store`; callers must send the token.
pub(super) fn service(
    store: Arc<BlockStore>,
    token: &Token,
) -> InterceptedService<FlightServiceServer<Outputs>, WantToken> {
    InterceptedService::new(FlightServiceServer::new(Outputs { store }), token.wanted())
}

/// The outputs of this process.
pub(super) struct Outputs {
    store: Arc<BlockStore>,
}

impl Outputs {
    /// The outputs that `wanted` names, each with the partition of its task.
    fn find(&self, wanted: &Wanted) -> Result<Vec<(u32, Arc<TaskOutput>)>, Status> {
        let find = |&(source, attempt): &(u32, u32)| {
            let key = OutputKey { exchange: wanted.exchange, source, attempt };
            let missing =
                || format!("{} holds no output of task {source} attempt {attempt}", wanted.exchange);
            let output = self.store.get(key).ok_or_else(|| Status::not_found(missing()))?;
            Ok((source, output))
        };
        wanted.sources.iter().map(find).collect()
    }
}

/// The messages for one target partition of `outputs`, encoded on demand.
fn messages(
    outputs: Vec<(u32, Arc<TaskOutput>)>,
    target: usize,
) -> impl Iterator<Item = Result<FlightData, Status>> {
    let blocks = outputs.into_iter().flat_map(move |(source, output)| {
        let count = output.partition(target).len();
        (0..count).filter_map(move |at| Some((source, output.partition(target).get(at)?.clone())))
    });
    let mut encoder = Encoder::new();
    blocks.flat_map(move |(source, block): (u32, Block)| {
        let encoded = block.read().and_then(|batch| Ok(encoder.encode(source, &batch)?));
        match encoded {
            Ok(messages) => messages.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(e) => vec![Err(Status::failed_precondition(format!("a block cannot be served: {e}")))],
        }
    })
}

type Answer<T> = Result<Response<T>, Status>;
type Answers<T> = BoxStream<'static, Result<T, Status>>;

fn unsupported<T>() -> Answer<T> {
    Err(Status::unimplemented("executors serve do_get alone"))
}

#[tonic::async_trait]
impl FlightService for Outputs {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoExchangeStream = Answers<FlightData>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;

    async fn do_get(&self, request: Request<Ticket>) -> Answer<Self::DoGetStream> {
        let wanted: Wanted = postcard::from_bytes(&request.into_inner().ticket)
            .map_err(|e| Status::invalid_argument(format!("the ticket cannot be read: {e}")))?;
        let outputs = self.find(&wanted)?;
        Ok(Response::new(stream::iter(messages(outputs, wanted.target as usize)).boxed()))
    }

    async fn handshake(&self, _: Request<Streaming<HandshakeRequest>>) -> Answer<Self::HandshakeStream> {
        unsupported()
    }
    async fn list_flights(&self, _: Request<Criteria>) -> Answer<Self::ListFlightsStream> {
        unsupported()
    }
    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        unsupported()
    }
    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Answer<PollInfo> {
        unsupported()
    }
    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        unsupported()
    }
    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        unsupported()
    }
    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Answer<Self::DoExchangeStream> {
        unsupported()
    }
    async fn do_action(&self, _: Request<Action>) -> Answer<Self::DoActionStream> {
        unsupported()
    }
    async fn list_actions(&self, _: Request<Empty>) -> Answer<Self::ListActionsStream> {
        unsupported()
    }
}
