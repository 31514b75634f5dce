//! Where chains start: the typed side of each source, one per file.
//!
//! A source knows its partitions when it is made; reading begins when a task drives it. What text
//! files are and how they are cut into splits is the business of `source`.

mod copy_files;
mod files;
mod parallelize;
mod range;
mod range_in;
mod read;
mod read_arrow;
mod read_binary_files;
mod read_csv;
mod read_delta;
mod read_json;
mod read_parquet;
mod read_text;
mod read_text_files;
mod scan;
mod skipped;
mod table_files;
mod whole_files;

pub use read::Read;
pub(crate) use scan::Planned;

/// Rows in one partition where there are few rows.
const FEW_ROWS: u64 = 128;
/// Partitions of few rows at most.
const SPREAD_PARTITIONS: u64 = 64;

/// Partitions of `rows` that come from no file, with about `many_rows` in each where there are many.
///
/// The work per row is unknown, so rows are spread over more partitions than their bytes
/// need: every slot has work, up to 64 slots, while a job of a few rows stays one task. The count follows from
/// the number of rows alone. It must not depend on slots, or results would: the order of rows, sums of floats,
/// `zip_with_unique_id`.
fn spread(rows: u64, many_rows: u64) -> u64 {
    let few = rows.div_ceil(FEW_ROWS).min(SPREAD_PARTITIONS);
    rows.div_ceil(many_rows).max(few).max(1)
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn rows_are_spread_over_64_partitions_before_a_partition_grows_large() {
        let partitions =
            [0, 1, 128, 129, 1000, 8064, 8065, 1 << 22, 1 << 29].map(|rows| spread(rows, 1 << 22));
        assert_eq!(partitions, [1, 1, 1, 2, 8, 63, 64, 64, 128]);
    }
}
