//! How a table is cut: by ranges of its pages, or by ranges of a key whose boundaries are sampled.
//!
//! Both cover every row once. Pages: ranges are half-open and the last one has no end. Keys: ranges are half-open, the first
//! one has no beginning and holds the nulls, the last one has no end.

use kiln::Result;

use super::catalog::{Estimate, Leaf, Relation};
use super::session::{Check, Session, identifier, value};

/// About how many bytes a split reads, unless their number is set.
const SPLIT_BYTES: u64 = 32 << 20;
/// No more splits are made than this: they become larger.
const MAX_SPLITS: u64 = 4096;
/// How many values a sample of keys has, about.
const SAMPLE: u64 = 20_000;
/// A table of fewer pages is sampled as a whole.
const SMALL_PAGES: u64 = 256;

/// A part of what is read: of which table, and under which condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// What follows FROM.
    pub(super) from: String,
    /// For errors: `shop.orders, pages from 0 to 4096`.
    pub(super) name: String,
    pub(super) condition: Option<String>,
    pub(super) rows: Option<u64>,
    pub(super) bytes: u64,
}

/// How many splits what takes `bytes` is cut into.
pub(super) fn count(bytes: u64, wanted: Option<usize>) -> u64 {
    match wanted {
        Some(wanted) => (wanted as u64).clamp(1, MAX_SPLITS),
        None => bytes.div_ceil(SPLIT_BYTES).clamp(1, MAX_SPLITS),
    }
}

/// Cuts tables into ranges of their pages. With an estimate of a filtered read, tables that it does not read are left out,
/// and those that it reads by an index are not cut.
pub(super) fn by_pages(leaves: &[Leaf], estimate: Option<&Estimate>, wanted: Option<usize>) -> Vec<Range> {
    let total: u64 = leaves.iter().map(|leaf| leaf.bytes).sum();
    let splits = count(total, wanted);
    let mut ranges = Vec::new();
    for leaf in leaves {
        let is_whole = match estimate {
            Some(estimate) => match estimate.reads_whole(leaf) {
                Some(is_whole) => is_whole,
                None => continue,
            },
            None => true,
        };
        let parts = match is_whole && leaf.has_pages {
            true => (u128::from(splits) * u128::from(leaf.bytes)).div_ceil(u128::from(total.max(1))) as u64,
            false => 1,
        };
        pages_of(leaf, parts, &mut ranges);
    }
    ranges
}

fn pages_of(leaf: &Leaf, parts: u64, ranges: &mut Vec<Range>) {
    let (from, name) = (format!("ONLY {}", leaf.name()), format!("{}.{}", leaf.schema, leaf.table));
    let parts = parts.clamp(1, leaf.pages.max(1));
    if parts == 1 {
        ranges.push(Range { from, name, condition: None, rows: leaf.rows, bytes: leaf.bytes });
        return;
    }
    let border = |part: u64| (u128::from(leaf.pages) * u128::from(part) / u128::from(parts)) as u64;
    for part in 0..parts {
        let (first, end) = (border(part), border(part + 1));
        let is_last = part + 1 == parts;
        let condition = match is_last {
            true => format!("ctid >= '({first},0)'::tid"),
            false => format!("ctid >= '({first},0)'::tid AND ctid < '({end},0)'::tid"),
        };
        let (rows, bytes) = (leaf.rows.map(|rows| rows / parts), leaf.bytes / parts);
        let name = format!(
            "{name}, pages from {first}{}",
            if is_last { String::new() } else { format!(" to {end}") }
        );
        ranges.push(Range { from: from.clone(), name, condition: Some(condition), rows, bytes });
    }
}

/// A relation that is cut by a key.
pub(super) struct ByKey<'k> {
    /// What follows FROM, and its name in errors.
    pub(super) from: &'k str,
    pub(super) name: &'k str,
    /// The column, and its type as SQL writes it.
    pub(super) key: &'k str,
    pub(super) filter: Option<&'k str>,
    /// The table, if it is one.
    pub(super) table: Option<&'k Relation>,
    pub(super) estimate: &'k Estimate,
    pub(super) pages: u64,
}

impl ByKey<'_> {
    /// Cuts at values of the key that have about as many rows between them.
    pub(super) fn cut(
        &self,
        session: &Session,
        wanted: Option<usize>,
        check: Check<'_>,
    ) -> Result<Vec<Range>> {
        let splits = count(self.estimate.bytes, wanted);
        let borders = if splits > 1 { self.borders(session, splits, check)? } else { Vec::new() };
        let key = identifier(self.key);
        let parts = borders.len() as u64 + 1;
        let range = |at: usize| {
            let (first, end) = (at.checked_sub(1).and_then(|at| borders.get(at)), borders.get(at));
            let (condition, words) = match (first, end) {
                (None, None) => (None, String::new()),
                (None, Some(end)) => {
                    (Some(format!("({key} < {end} OR {key} IS NULL)")), format!(" below {end}"))
                }
                (Some(first), None) => (Some(format!("{key} >= {first}")), format!(" from {first}")),
                (Some(first), Some(end)) => {
                    (Some(format!("{key} >= {first} AND {key} < {end}")), format!(" from {first} to {end}"))
                }
            };
            let name = match words.as_str() {
                "" => self.name.to_owned(),
                words => format!("{}, {}{words}", self.name, self.key),
            };
            let (rows, bytes) = (Some(self.estimate.rows / parts), self.estimate.bytes / parts);
            Range { from: self.from.to_owned(), name, condition, rows, bytes }
        };
        Ok((0..=borders.len()).map(range).collect())
    }

    /// The values at which is cut, ascending and different, as SQL writes them.
    fn borders(&self, session: &Session, splits: u64, check: Check<'_>) -> Result<Vec<String>> {
        let key = identifier(self.key);
        let (clause, chance) = self.sample();
        let fractions: Vec<String> =
            (1..splits).map(|part| (part as f64 / splits as f64).to_string()).collect();
        let filter = self.filter.map(|filter| format!(" AND ({filter}\n)")).unwrap_or_default();
        let sql = format!(
            "SELECT quote_literal(border::text) || '::' || format_type(pg_typeof(border), -1) FROM (
                 SELECT DISTINCT unnest(percentile_disc(ARRAY[{}]::float8[]) WITHIN GROUP (ORDER BY {key})) AS border
                 FROM (SELECT {key} FROM {}{clause} WHERE {key} IS NOT NULL{chance}{filter}) AS sampled) AS borders
             WHERE border IS NOT NULL ORDER BY border",
            fractions.join(","),
            self.from
        );
        let rows = session.query("the key cannot be sampled", &sql, check)?;
        rows.iter().map(|row| value(row, 0)).collect()
    }

    /// How a sample is taken: pages of a table, rows of everything else.
    fn sample(&self) -> (String, String) {
        let share = SAMPLE as f64 / self.estimate.rows.max(1) as f64;
        match self.table {
            Some(table) if table.has_sample() => match self.pages < SMALL_PAGES || share >= 1.0 {
                true => (String::new(), String::new()),
                false => {
                    // At least as many pages as a small table has.
                    let percent = 100.0 * share.max(SMALL_PAGES as f64 / self.pages as f64).min(1.0);
                    (format!(" TABLESAMPLE SYSTEM ({percent}) REPEATABLE (1)"), String::new())
                }
            },
            _ if share >= 1.0 => (String::new(), String::new()),
            _ => (String::new(), format!(" AND random() < {share}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(table: &str, pages: u64) -> Leaf {
        Leaf::for_test(table, pages)
    }

    #[test]
    fn ranges_of_pages_cover_a_table_once_and_have_no_end() {
        for (pages, splits) in [(1, 1), (10, 3), (7, 7), (3, 10), (1000, 64), (0, 5)] {
            let ranges = by_pages(&[leaf("t", pages)], None, Some(splits));
            assert_eq!(ranges.len() as u64, (splits as u64).min(pages.max(1)));
            let conditions: Vec<_> = ranges.iter().flat_map(|range| range.condition.clone()).collect();
            for pair in conditions.windows(2) {
                let end = pair[0].split("ctid < ").nth(1).unwrap();
                assert!(pair[1].starts_with(&format!("ctid >= {end}")), "{pair:?}");
            }
            if let (Some(first), Some(last)) = (conditions.first(), conditions.last()) {
                assert!(first.starts_with("ctid >= '(0,0)'"));
                assert!(!last.contains('<'), "rows beyond the known pages are read, too");
            }
        }
    }

    #[test]
    fn splits_follow_from_the_size_and_have_a_limit() {
        assert_eq!(count(0, None), 1);
        assert_eq!(count(SPLIT_BYTES + 1, None), 2);
        assert_eq!(count(u64::MAX, None), MAX_SPLITS);
        assert_eq!(count(u64::MAX, Some(3)), 3);
        assert_eq!(count(0, Some(0)), 1);
    }

    #[test]
    fn large_tables_get_more_of_the_splits() {
        let ranges = by_pages(&[leaf("large", 900), leaf("small", 100)], None, Some(10));
        let of = |table: &str| ranges.iter().filter(|range| range.from.contains(table)).count();
        assert_eq!((of("large"), of("small")), (9, 1));
    }
}
