//! Counts the words of a text, split as `str::split_whitespace` does.
//!
//! Both contenders print how many distinct words there are, how many words, and the most frequent
//! ones (`counts`). The text is `data::text`'s; the limit has a table and a form of words of its own.

mod counts;
pub mod job;
pub mod limit;
mod table;
mod word;
