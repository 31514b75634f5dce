//! Executor processes: how the driver starts them, communicates with them, and notices their exit.
//!
//! ```text
//!   driver process                                executor process
//!   backend ─ members ─ server ◀── Attach ──▶ executor ─ duties ─ Worker (slots, outputs)
//!      └ process (starts, reaps)                                    │
//!      └ peers ◀────────── Arrow Flight: fetch ◀── flight ──────────┘──▶ other executors
//! ```
//!
//! Executors run the same binary on the same machine. The driver's decisions come in (`runtime::Backend`),
//! events go out. Only this folder uses the protocol (`kiln_proto`) and sockets; it does not know what a task
//! computes or which task runs where.

mod backend;
mod binary;
mod block;
mod duties;
mod executor;
mod fetch;
mod flight;
mod handshake;
mod member;
mod members;
mod net;
mod peers;
mod plans;
mod process;
mod server;
mod token;
mod wait;
mod wire;

pub(crate) use backend::{ClusterBackend, ExecutorCommand};
pub use executor::{executor_main, executor_requested};
