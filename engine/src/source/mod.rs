//! Reads what users name: an address becomes files, files become splits, a split becomes blocks of text.
//!
//! The parts are used in this order: [`list_with`] finds the files (`listing`, `pattern`, `location`),
//! [`plan_splits`] cuts and packs them (`split`), and a task opens each piece as [`TextBlocks`]
//! (`blocks` over `decode` over `reader`). Everything here is blocking and knows nothing of
//! datasets, tasks or executors: what crosses to another process is a [`Piece`], which is only names
//! and numbers.

mod adapt;
mod ahead;
mod arrow_file;
mod batches;
mod blocks;
mod convert;
mod csv;
mod decode;
mod fits;
mod folder;
mod guard;
mod hive;
mod json;
mod lines;
mod listing;
mod location;
mod manifest;
mod nulls;
mod object;
mod parquet;
mod parts;
mod pattern;
mod predicate;
mod quotes;
mod ranges;
mod reader;
mod signed;
mod skim;
mod spelled;
mod split;
mod store;
#[cfg(test)]
mod truncation;
mod version;
mod whole;

pub use adapt::{Adapter, Wanted};
pub use ahead::{Lead, ReadAhead, read_ahead};
pub use arrow_file::ArrowBatches;
pub use batches::{Batches, Places};
pub use blocks::{BYTE_ORDER_MARK, MAX_LINE_BYTES, TextBlocks};
pub use csv::{CsvBatches, CsvFormat, check_marks};
pub use folder::is_gone;
pub use guard::decoding;
pub use json::JsonBatches;
pub use lines::lines;
pub use listing::{InputFile, ListOptions, Listed, list_with, may_be_tagged, outputs_of};
pub use location::{Location, file_uri, percent_decoded};
pub use manifest::{BOOKS, MANIFEST, Manifest, ManifestFile, TAG_CHARS, head_key, is_tagged};
pub use parquet::{ParquetBatches, parquet_columns};
pub use predicate::{IntoLiteral, Predicate, balanced, lit};
pub use signed::signed;
pub use skim::{Skimmed, pieces as skim_pieces};
pub use split::{Piece, Split, estimated_bytes, plan_splits, plan_splits_at};
#[cfg(test)]
pub use store::Uploads;
pub use store::{OpenUpload, Store};
pub use version::Version;
pub use whole::read_whole;
