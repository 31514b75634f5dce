//! The wire protocol between a driver and its executors.
//!
//! `kiln.proto` is the file to read. The Rust code is generated from it and checked in, so that building Kiln
//! needs no protobuf compiler; `tests/generated.rs` checks that the two match. What a scheduler or a slot
//! does with the messages is not known here.

/// The messages, the driver's client and the driver's server.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
#[rustfmt::skip]
pub mod v1 {
    include!("generated/kiln.v1.rs");
}
