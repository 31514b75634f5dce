//! How a table is cut: by ranges of its pages, or by ranges of a key whose boundaries are sampled.
//!
//! Both cover every row once. Ranges of pages are half-open and the last one has no end; those of keys are made by `ranges`.

use kiln::Result;

use super::catalog::{Estimate, Leaf, Relation};
use super::session::{Session, identifier, value};
use crate::ranges::{self, Border, Range, count};
use crate::wait::Check;

/// How many values a sample of keys has, about.
const SAMPLE: u64 = 20_000;
/// A table of fewer pages is sampled as a whole.
const SMALL_PAGES: u64 = 256;

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
        let key = ranges::ByKey {
            from: self.from,
            name: self.name,
            key: &identifier(self.key),
            key_name: self.key,
            rows: Some(self.estimate.rows),
            bytes: self.estimate.bytes,
        };
        Ok(key.cut(&borders))
    }

    /// The values at which is cut, ascending and different, as SQL writes them.
    fn borders(&self, session: &Session, splits: u64, check: Check<'_>) -> Result<Vec<Border>> {
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
        rows.iter().map(|row| value::<&str>(row, 0).map(Border::plain)).collect()
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
    fn large_tables_get_more_of_the_splits() {
        let ranges = by_pages(&[leaf("large", 900), leaf("small", 100)], None, Some(10));
        let of = |table: &str| ranges.iter().filter(|range| range.from.contains(table)).count();
        assert_eq!((of("large"), of("small")), (9, 1));
    }
}
