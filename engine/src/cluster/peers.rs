//! The addresses of the other executors' outputs, and one connection to each that is read from.
//!
//! The driver sends the list of addresses whenever it changes. The first fetch opens a connection, which all
//! later ones share. The outputs of an executor that is no longer in the list are lost.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use arrow_flight::flight_service_client::FlightServiceClient;
use futures::StreamExt;
use kiln_proto::v1;
use tokio::runtime::Handle;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use super::fetch::Fetched;
use super::flight;
use super::net::{self, MAX_BLOCK_MESSAGE_BYTES};
use super::token::{ShowToken, Token};
use crate::driver::ExecutorId;
use crate::error::{Error, LostOutput, Result};
use crate::runtime::{Fetch, FetchedBatches, Peers};

/// A connection to one executor's outputs; clones share it.
type Client = FlightServiceClient<InterceptedService<Channel, ShowToken>>;

/// The other executors, over Arrow Flight.
pub(super) struct FlightPeers {
    runtime: Handle,
    token: ShowToken,
    known: RwLock<HashMap<ExecutorId, Peer>>,
}

struct Peer {
    address: String,
    client: Client,
}

impl FlightPeers {
    /// No peers yet; connections run on `runtime`.
    pub(super) fn new(runtime: Handle, token: &Token) -> Result<FlightPeers> {
        Ok(FlightPeers { runtime, token: token.shown()?, known: RwLock::default() })
    }

    /// Replaces the list of executors.
    pub(super) fn set(&self, peers: v1::Peers) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *known);
        for v1::Peer { executor, flight_address: address } in peers.peers {
            let id = ExecutorId(executor);
            let peer = match before.remove(&id).filter(|peer| peer.address == address) {
                Some(peer) => Ok(peer),
                None => self.client(&address).map(|client| Peer { address, client }),
            };
            match peer {
                Ok(peer) => drop(known.insert(id, peer)),
                Err(error) => log::warn!("the outputs of {id} cannot be read: {error}"),
            }
        }
    }

    /// A client that connects when it is first used.
    fn client(&self, address: &str) -> Result<Client> {
        let _inside = self.runtime.enter();
        let channel = net::endpoint(address)?.connect_lazy();
        let client = FlightServiceClient::with_interceptor(channel, self.token.clone());
        Ok(client.max_decoding_message_size(MAX_BLOCK_MESSAGE_BYTES))
    }
}

impl Peers for FlightPeers {
    fn fetch(&self, from: ExecutorId, fetch: Fetch) -> Result<FetchedBatches> {
        let lost = LostOutput { exchange: fetch.exchange.0, executor: from.0 };
        let client = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.get(&from).map(|peer| peer.client.clone())
        };
        let client = client.ok_or_else(|| {
            Error::lost_output(format!("the output on {from} is lost: it takes part no longer"), lost)
        })?;
        let (runtime, ticket) = (self.runtime.clone(), flight::ticket(fetch)?);
        let request = move || {
            let (mut client, ticket) = (client.clone(), ticket.clone());
            runtime.spawn(async move { Ok(client.do_get(ticket).await?.into_inner().boxed()) })
        };
        Ok(Box::new(Fetched::open(request, lost)))
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch};
    use kiln_planner::ExchangeId;
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::memory::Memory;
    use crate::shuffle::{BlockStore, OutputKey, TaskOutput};
    use crate::task::{BatchLimits, Output};

    const HERE: ExecutorId = ExecutorId(1);

    #[test]
    fn batches_come_in_the_order_asked_for_with_their_tasks() {
        check(|peers| {
            let sizes = |target| fetch(peers, target, &[(1, 0), (0, 0)]).unwrap();
            assert_eq!(sizes(0), [(1, 11), (0, 10)]);
            assert_eq!(sizes(1), [(1, 21), (0, 20)]);
            assert_eq!(sizes(7), []);
        });
    }

    #[test]
    fn an_output_that_is_not_there_is_lost() {
        check(|peers| {
            let error = fetch(peers, 0, &[(0, 0), (1, 5)]).unwrap_err();
            assert_eq!(error.lost(), Some(LostOutput { exchange: 4, executor: 1 }));
            assert!(error.to_string().contains("exchange 4 holds no output of task 1 attempt 5"), "{error}");
        });
    }

    #[test]
    fn the_outputs_of_an_executor_that_has_left_are_lost() {
        check(|peers| {
            let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            peers.set(list(&closed.to_string()));
            assert!(fetch(peers, 0, &[(0, 0)]).unwrap_err().lost().is_some());
            peers.set(v1::Peers::default());
            assert!(fetch(peers, 0, &[(0, 0)]).unwrap_err().lost().is_some());
        });
    }

    #[test]
    fn outputs_are_not_served_without_the_token() {
        let (runtime, address) = serve(&Token::random().unwrap());
        let peers = FlightPeers::new(runtime.handle().clone(), &Token::random().unwrap()).unwrap();
        peers.set(list(&address));
        let error = fetch(&peers, 0, &[(0, 0)]).unwrap_err();
        assert!(error.to_string().contains("the token is missing or wrong"), "{error}");
    }

    /// The partition and the number of rows of each batch.
    fn fetch(peers: &FlightPeers, target: u32, sources: &[(u32, u32)]) -> Result<Vec<(u32, usize)>> {
        let fetch = Fetch { exchange: ExchangeId(4), target, sources: sources.to_vec() };
        peers.fetch(HERE, fetch)?.map(|item| item.map(|(from, batch)| (from, batch.num_rows()))).collect()
    }

    fn check(body: impl FnOnce(&FlightPeers)) {
        let token = Token::random().unwrap();
        let (runtime, address) = serve(&token);
        let peers = FlightPeers::new(runtime.handle().clone(), &token).unwrap();
        peers.set(list(&address));
        body(&peers);
    }

    fn list(address: &str) -> v1::Peers {
        v1::Peers { peers: vec![v1::Peer { executor: HERE.0, flight_address: address.to_owned() }] }
    }

    /// Serves outputs of tasks 0 and 1 with two target partitions, on a real socket.
    fn serve(token: &Token) -> (Runtime, String) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = Arc::new(BlockStore::default());
        for source in 0..2 {
            let mut output = TaskOutput::new(
                Memory::new(1 << 30, 1, "/tmp".as_ref()),
                BatchLimits { rows: 1 << 16, bytes: 1 << 20 },
            );
            for target in 0..2 {
                let column = Int64Array::from_iter_values(0..10 + 10 * target + i64::from(source));
                let batch = RecordBatch::try_from_iter([("n", Arc::new(column) as _)]).unwrap();
                assert_eq!(output.push(target as usize, batch).unwrap(), ControlFlow::Continue(()));
            }
            store.put(OutputKey { exchange: ExchangeId(4), source, attempt: 0 }, output);
        }
        let (incoming, address) = {
            let _inside = runtime.enter();
            net::listen().unwrap()
        };
        runtime.spawn(net::server().add_service(flight::service(store, token)).serve_with_incoming(incoming));
        (runtime, address.to_string())
    }
}
