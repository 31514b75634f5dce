//! Reads what users name: an address becomes files, files become splits, a split becomes blocks of text.
//!
//! The parts are used in this order: [`list`] finds the files (`listing`, `pattern`, `location`),
//! [`plan_splits`] cuts and packs them (`split`), and a task opens each piece as [`TextBlocks`]
//! (`blocks` over `decode` over `reader`). Everything here is blocking and knows nothing of
//! datasets, tasks or executors: what crosses to another process is a [`Piece`], which is only names
//! and numbers.

mod blocks;
mod decode;
mod folder;
mod lines;
mod listing;
mod location;
mod pattern;
mod reader;
mod split;
mod store;

pub use blocks::TextBlocks;
pub use lines::lines;
pub use listing::list;
pub use location::Location;
pub use split::{SPLIT_BYTES, Split, estimated_bytes, plan_splits};
pub use store::Store;
