//! Reading MySQL and MariaDB, from a private MariaDB server that the tests start. They need `apt-get install mariadb-server`,
//! so this suite runs only when it is named:
//!
//! ```text
//! cargo test -p kiln-tests --test mysql
//! ```

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "mysql/failures.rs"]
mod failures;
#[path = "support/job.rs"]
mod job;
#[path = "mysql/load.rs"]
mod load;
#[path = "mysql/messages.rs"]
mod messages;
#[path = "mysql/moments.rs"]
mod moments;
#[path = "support/processes.rs"]
mod processes;
#[path = "support/mariadb.rs"]
mod server;
#[path = "mysql/splits.rs"]
mod splits;
#[path = "mysql/tls.rs"]
mod tls;
#[path = "mysql/types.rs"]
mod types;
