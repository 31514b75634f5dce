//! Jobs as a user would write them. Each is both a demo and a test. Run one with
//! `cargo run --release --example word_count`.
