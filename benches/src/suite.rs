//! The work of each benchmark, at the size of the published figures.
//!
//! Returns [`Work`] whose data exists; it is generated if necessary. `peers` runs all works of [`ALL`].

use std::path::{Path, PathBuf};

use kiln::Result;

use crate::data::text::{Kind, Text};
use crate::data::{DEFAULT_SEED, cached};
use crate::join::data::Keys;
use crate::work::{Bench, Place, Work};
use crate::{csv_to_parquet, group, join, k_means, page_rank, sort};

/// Rows of `map-chain`.
pub const MAP_ROWS: u64 = 200_000_000;
/// Rows of 100 bytes to sort.
pub const SORT_ROWS: u64 = 10_000_000;
/// Rows for a sort beyond memory: 3 GB.
pub const LARGE_SORT_ROWS: u64 = 30_000_000;
/// Rows of each table to join.
pub const JOIN_ROWS: u64 = 10_000_000;
/// Rows of each table of a join beyond memory, with payloads: 1.5 GB each.
pub const WIDE_JOIN_ROWS: u64 = 15_000_000;
/// Rows to group: 50 million keys.
pub const GROUP_ROWS: u64 = 60_000_000;
/// Points to group.
pub const POINTS: u64 = 2_000_000;
/// Links; there are an eighth as many pages.
pub const LINKS: u64 = 8_000_000;
/// Lines of the CSV file: some 500 MB.
pub const ORDERS: u64 = 9_000_000;

/// Creates a work at its usual size, at a place.
type Make = fn(Place) -> Result<Work>;

/// Every benchmark that reads data, by name.
pub const ALL: [(&str, Make); 9] = [
    ("word-count", |place| word_count(Kind::Natural, Kind::Natural.default_words(), place)),
    ("word-count-distinct", |place| word_count(Kind::Distinct, Kind::Distinct.default_words(), place)),
    ("sort", |place| sort(SORT_ROWS, place)),
    ("join", |place| join(Keys::Uniform, JOIN_ROWS, place)),
    ("join-skewed", |place| join(Keys::Skewed, JOIN_ROWS, place)),
    ("group", |place| group(GROUP_ROWS, place)),
    ("csv-to-parquet", |place| csv_to_parquet(ORDERS, place)),
    ("k-means", |place| k_means(POINTS, place)),
    ("page-rank", |place| page_rank(LINKS, place)),
];

/// Counts the words of a generated text.
pub fn word_count(kind: Kind, words: u64, place: Place) -> Result<Work> {
    Ok(given_text(Text { kind, words, seed: DEFAULT_SEED }.cached()?, place))
}

/// Counts the words of a file.
pub fn given_text(input: PathBuf, place: Place) -> Work {
    Work { bench: Bench::WordCount, input: Some(input), rows: None, place }
}

/// Maps `rows` rows ten times.
pub fn map_chain(rows: u64, place: Place) -> Work {
    Work { bench: Bench::MapChain, input: None, rows: Some(rows), place }
}

/// Sorts `rows` rows.
pub fn sort(rows: u64, place: Place) -> Result<Work> {
    on(Bench::Sort, rows, place, "sort", |folder| sort::data::table(folder, rows))
}

/// Joins two tables of `rows` rows each.
pub fn join(keys: Keys, rows: u64, place: Place) -> Result<Work> {
    on(Bench::Join, rows, place, keys.name(), |folder| join::data::tables(folder, rows, keys))
}

/// Joins two tables of `rows` rows with payloads.
pub fn wide_join(rows: u64, place: Place) -> Result<Work> {
    on(Bench::WideJoin, rows, place, "join-wide", |folder| join::data::wide_tables(folder, rows))
}

/// Groups `rows` rows.
pub fn group(rows: u64, place: Place) -> Result<Work> {
    on(Bench::Group, rows, place, "group", |folder| group::data::table(folder, rows))
}

/// Groups `points` points around centres.
pub fn k_means(points: u64, place: Place) -> Result<Work> {
    on(Bench::KMeans, points, place, "points", |folder| k_means::data::table(folder, points))
}

/// Ranks pages with `links` links.
pub fn page_rank(links: u64, place: Place) -> Result<Work> {
    on(Bench::PageRank, links, place, "links", |folder| page_rank::data::table(folder, links))
}

/// Converts `orders` orders.
pub fn csv_to_parquet(orders: u64, place: Place) -> Result<Work> {
    on(Bench::CsvToParquet, orders, place, "orders", |folder| csv_to_parquet::data::file(folder, orders))
}

/// Work on the data set `name`, which `write` generates.
fn on(
    bench: Bench,
    rows: u64,
    place: Place,
    name: &str,
    write: impl FnOnce(&Path) -> Result<()>,
) -> Result<Work> {
    Ok(Work { bench, input: Some(cached(name, rows, write)?), rows: Some(rows), place })
}
