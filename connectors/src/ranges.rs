//! What one task reads of a table, and ranges of a key that cover all rows once.
//!
//! Ranges are half-open: the first one has no beginning and holds the nulls, the last one has no end. The server compares
//! the key, so whatever order it has, every row is in one of them.

/// About how many bytes a split reads, unless their number is set.
pub(crate) const SPLIT_BYTES: u64 = 32 << 20;
/// No more splits are made than this: they become larger.
pub(crate) const MAX_SPLITS: u64 = 4096;

/// A part of what is read: of which table, and under which condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// What follows FROM.
    pub(crate) from: String,
    /// For errors: `shop.orders, pages from 0 to 4096`.
    pub(crate) name: String,
    pub(crate) condition: Option<String>,
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: u64,
}

/// How many splits what takes `bytes` is cut into.
pub(crate) fn count(bytes: u64, wanted: Option<usize>) -> u64 {
    match wanted {
        Some(wanted) => (wanted as u64).clamp(1, MAX_SPLITS),
        None => bytes.div_ceil(SPLIT_BYTES).clamp(1, MAX_SPLITS),
    }
}

/// A value of the key at which is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Border {
    /// As SQL writes it.
    pub(crate) sql: String,
    /// As people read it.
    pub(crate) words: String,
}

impl Border {
    /// A border whose SQL can be read.
    pub(crate) fn plain(sql: impl Into<String>) -> Border {
        let sql = sql.into();
        Border { words: sql.clone(), sql }
    }
}

/// A relation that is cut by a key.
pub(crate) struct ByKey<'k> {
    /// What follows FROM, and its name in errors.
    pub(crate) from: &'k str,
    pub(crate) name: &'k str,
    /// The key as SQL writes it, and its name in errors.
    pub(crate) key: &'k str,
    pub(crate) key_name: &'k str,
    /// Of all rows together, about.
    pub(crate) rows: Option<u64>,
    pub(crate) bytes: u64,
}

impl ByKey<'_> {
    /// The ranges between `borders`, which ascend and differ in the order of the server.
    pub(crate) fn cut(&self, borders: &[Border]) -> Vec<Range> {
        let parts = borders.len() as u64 + 1;
        let range = |at: usize| {
            let (first, end) = (at.checked_sub(1).and_then(|at| borders.get(at)), borders.get(at));
            let name = match between(first, end).as_str() {
                "" => self.name.to_owned(),
                words => format!("{}, {}{words}", self.name, self.key_name),
            };
            Range {
                from: self.from.to_owned(),
                name,
                condition: self.condition(first, end),
                rows: self.rows.map(|rows| rows / parts),
                bytes: self.bytes / parts,
            }
        };
        (0..=borders.len()).map(range).collect()
    }

    fn condition(&self, first: Option<&Border>, end: Option<&Border>) -> Option<String> {
        let key = self.key;
        Some(match (first, end) {
            (None, None) => return None,
            (None, Some(end)) => format!("({key} < {} OR {key} IS NULL)", end.sql),
            (Some(first), None) => format!("{key} >= {}", first.sql),
            (Some(first), Some(end)) => format!("{key} >= {} AND {key} < {}", first.sql, end.sql),
        })
    }
}

fn between(first: Option<&Border>, end: Option<&Border>) -> String {
    match (first, end) {
        (None, None) => String::new(),
        (None, Some(end)) => format!(" below {}", end.words),
        (Some(first), None) => format!(" from {}", first.words),
        (Some(first), Some(end)) => format!(" from {} to {}", first.words, end.words),
    }
}

/// Values that cut counted values into about equal parts: of `(value, rows)` in ascending order, `total` rows in all.
/// Each value is given at most once; a value of many rows makes one large part.
pub(crate) fn quantiles<T>(counted: impl IntoIterator<Item = (T, u64)>, total: u64, splits: u64) -> Vec<T> {
    let mut borders = Vec::new();
    let (mut before, mut part) = (0_u64, 1_u64);
    // Whether the rows before a value are those of so many parts; in whole numbers, so that nothing is rounded.
    let are_passed = |before: u64, part: u64| {
        u128::from(before) * u128::from(splits) >= u128::from(total) * u128::from(part)
    };
    for (value, rows) in counted {
        if before > 0 && part < splits && are_passed(before, part) {
            borders.push(value);
            // A value of many rows may have passed several parts.
            while part < splits && are_passed(before, part) {
                part += 1;
            }
        }
        before += rows;
    }
    borders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_follow_from_the_size_and_have_a_limit() {
        assert_eq!(count(0, None), 1);
        assert_eq!(count(SPLIT_BYTES + 1, None), 2);
        assert_eq!(count(u64::MAX, None), MAX_SPLITS);
        assert_eq!(count(u64::MAX, Some(3)), 3);
        assert_eq!(count(0, Some(0)), 1);
    }

    #[test]
    fn each_range_begins_where_the_one_before_ends() {
        let key = ByKey { from: "t", name: "t", key: "k", key_name: "k", rows: Some(90), bytes: 900 };
        let borders = ["1", "5"].map(Border::plain);
        let conditions: Vec<_> = key.cut(&borders).into_iter().map(|range| range.condition).collect();
        let expected = ["(k < 1 OR k IS NULL)", "k >= 1 AND k < 5", "k >= 5"];
        assert_eq!(conditions, expected.map(|text| Some(text.to_owned())));
        assert_eq!(key.cut(&[]), [Range { condition: None, name: "t".into(), ..key.cut(&[]).remove(0) }]);
    }

    #[test]
    fn quantiles_are_about_equal_and_never_the_first_value() {
        let even = |splits| quantiles((0..1000_u64).map(|n| (n, 1)), 1000, splits);
        assert_eq!(even(4), [250, 500, 750]);
        assert_eq!(even(6).len(), 5, "also where a part is no whole number of rows");
        assert_eq!(even(1), [0; 0]);
        assert_eq!(even(5000).len(), 999);
        let one_large = [("a", 1), ("b", 1000), ("c", 1), ("d", 1)];
        assert_eq!(quantiles(one_large, 1003, 4), ["c"]);
        assert_eq!(quantiles([("a", 5)], 5, 4), [""; 0]);
        assert_eq!(quantiles(Vec::<(u8, u64)>::new(), 0, 4), [0; 0]);
    }
}
