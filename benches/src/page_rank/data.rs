//! Links between pages: eight from each page, and more of them to pages with low numbers.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use kiln::Result;

use crate::data::DEFAULT_SEED;
use crate::data::random::Random;
use crate::data::table::write_table;

/// Links per page.
const LINKS: u64 = 8;

/// Writes a table of `links` links to `folder`.
///
/// # Errors
/// Fails when a file cannot be written.
pub fn table(folder: &Path, links: u64) -> Result<()> {
    let pages = (links / LINKS).max(1);
    let mut random = Random::new(DEFAULT_SEED);
    write_table(folder, links, |range| {
        // Two draws, the second one below the first, make low numbers frequent and omit none.
        let mut to = |_| {
            let limit = random.below(pages) + 1;
            random.below(limit) as i64
        };
        let from = Int64Array::from_iter_values(range.clone().map(|link| (link % pages) as i64));
        let to = Int64Array::from_iter_values(range.map(&mut to));
        vec![("from", Arc::new(from) as ArrayRef), ("to", Arc::new(to))]
    })
}
