//! The wire's words: what a driver and its executors say to each other.
//!
//! `kiln.proto` is the text to read; the Rust code beside it is made from it and checked in, so that
//! nobody who builds Kiln needs a protobuf compiler. `tests/generated.rs` keeps the two the same.
//! What the words mean to a scheduler or a slot is not known here.

/// The messages, the driver's client and the driver's server.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
#[rustfmt::skip]
pub mod v1 {
    include!("generated/kiln.v1.rs");
}
