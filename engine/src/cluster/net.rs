//! The setup of the cluster's sockets: addresses, flow-control windows and message limits in one place.
//!
//! Flow control is per stream. A limit on the window of the connection could block all tasks that read from
//! one executor because one of them is slow, and two executors that wait for each other like this would
//! deadlock. So the connection's window is as large as HTTP/2 allows.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};

use crate::error::{Error, Result};
use crate::row::MAX_ROW_BYTES;

/// The longest message that the control service accepts: the plan of a stage.
pub(super) const MAX_MESSAGE_BYTES: usize = 256 << 20;
/// The longest block of rows that is accepted: a row that fits in a batch can also be sent to another
/// executor.
pub(super) const MAX_BLOCK_MESSAGE_BYTES: usize = MAX_ROW_BYTES + (64 << 20);
/// The bytes that may be in flight in one stream before its reader takes some.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
/// The largest window that HTTP/2 allows.
const CONNECTION_WINDOW_BYTES: u32 = i32::MAX as u32;
/// Streams on one connection: the tasks that read from the same executor at the same time.
const MAX_STREAMS: u32 = 1 << 16;

/// A listener on the loopback address, at a free port. Call it inside a runtime.
pub(super) fn listen() -> Result<(TcpIncoming, SocketAddr)> {
    let failed = |e| Error::io("no port can be opened on this machine", e);
    // Bound synchronously, so that it works wherever the job calls an action.
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let listener = TcpListener::from_std(listener).map_err(failed)?;
    Ok((TcpIncoming::from(listener).with_nodelay(Some(true)), address))
}

/// A server with the cluster's windows.
pub(super) fn server() -> Server {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
}

/// A client endpoint for `address`, for example `127.0.0.1:4711`.
///
/// It has no keep-alive. Both ends are on one machine, where the system closes the connections of a dead
/// process, and a driver that a user has suspended with Ctrl-Z must keep its executors.
pub(super) fn endpoint(address: &str) -> Result<Endpoint> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|e| Error::bug("an address cannot be read").at("address", address).because(e))?;
    Ok(endpoint
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES))
}
