//! Counts the words of a text, split as by `str::split_whitespace`.
//!
//! Both contenders print the number of distinct words, the number of words and the most frequent ones
//! (`counts`). `data::text` generates the text. The hand-written program has its own table and
//! representation of words.

mod counts;
pub mod job;
pub mod limit;
mod table;
mod word;
