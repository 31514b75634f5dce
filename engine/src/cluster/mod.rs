//! Executor processes: how the driver starts them, speaks with them, and notices their end.
//!
//! ```text
//!   driver process                                executor process
//!   backend ─ members ─ server ◀── Attach ──▶ executor ─ duties ─ Worker (slots, outputs)
//!      └ process (starts, reaps)                                    │
//!      └ peers ◀────────── Arrow Flight: fetch ◀── flight ──────────┘──▶ other executors
//! ```
//!
//! Executors are the same binary on the same machine. What enters is what the driver wants done
//! (`runtime::Backend`); events leave. Only this folder knows the wire's words (`kiln_proto`) and
//! sockets; what a task computes and which task runs where is not known here.

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
