//! Reading PostgreSQL, from a private server that the tests start. They need `apt-get install postgresql`, so this suite
//! runs only when it is named:
//!
//! ```text
//! cargo test -p kiln-tests --test postgres
//! ```

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "postgres/bottleneck.rs"]
mod bottleneck;
#[path = "postgres/checks.rs"]
mod checks;
#[path = "postgres/failures.rs"]
mod failures;
#[path = "support/job.rs"]
mod job;
#[path = "postgres/load.rs"]
mod load;
#[path = "postgres/messages.rs"]
mod messages;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/postgres.rs"]
mod server;
#[path = "postgres/splits.rs"]
mod splits;
#[path = "postgres/tls.rs"]
mod tls;
#[path = "postgres/types.rs"]
mod types;
