//! Jobs as a user would write them; each is a demo and a test. Run one with
//! `cargo run --release --example word_count`.
