//! Where a key is cut: at values that have about as many rows between them.
//!
//! Of an integer that begins an index the server knows about how many rows lie between two values, without reading them. So its
//! range is halved until the parts are small, which finds its way through gaps. Of any other key a sample is read.

use kiln::{Error, Result};
use mysql_async::Value;

use super::session::{Session, hex, identifier, optional};
use super::types::Decoded;
use crate::ranges::{self, Border};
use crate::wait::Check;

/// How many values a sample of keys has, about.
const SAMPLE: u64 = 20_000;
/// No more values are looked at, should the server have counted wrongly.
const MAX_SAMPLE: u64 = 200_000;
/// How many estimates are asked for; what is left then stays as large as it is.
const MAX_ESTIMATES: usize = 4000;
/// Parts for each split into which a range of integers is halved.
const PARTS: u64 = 4;
/// Characters of a key that errors repeat.
const WORDS: usize = 40;

/// A key that is cut.
pub(super) struct Cut<'c> {
    /// What follows FROM.
    pub(super) from: &'c str,
    pub(super) key: &'c str,
    pub(super) decoded: Decoded,
    /// An index of a table that the key begins.
    pub(super) index: Option<&'c str>,
    pub(super) filter: Option<&'c str>,
    pub(super) rows: u64,
    pub(super) splits: u64,
}

impl Cut<'_> {
    /// The values at which is cut, ascending and different in the order of the server.
    ///
    /// # Errors
    /// Of the requests.
    pub(super) fn borders(&self, session: &mut Session, check: Check<'_>) -> Result<Vec<Border>> {
        match self.index {
            _ if self.splits <= 1 => Ok(Vec::new()),
            Some(index) if self.decoded.is_integer() => self.halved(session, index, check),
            _ => self.sampled(session, check),
        }
    }

    fn halved(&self, session: &mut Session, index: &str, check: Check<'_>) -> Result<Vec<Border>> {
        let key = identifier(self.key);
        let ends = format!("SELECT MIN({key}), MAX({key}) FROM {}", self.from);
        let rows = session.query("the key cannot be looked at", &ends, check)?;
        let end = |at| match rows.first() {
            Some(row) => Ok::<_, Error>(optional(row, at)?.and_then(|text| text.parse::<i128>().ok())),
            None => Ok(None),
        };
        let (Some(first), Some(last)) = (end(0)?, end(1)?) else { return Ok(Vec::new()) };
        let part = (self.rows / (self.splits * PARTS)).max(1);
        // Parts that wait, the lowest one on top, and those that are small enough, in ascending order.
        let (mut open, mut parts) = (vec![(first, last)], Vec::new());
        let mut asked = 0;
        while let Some((low, high)) = open.pop() {
            asked += 1;
            let rows =
                if asked > MAX_ESTIMATES { part } else { self.estimate(session, index, low, high, check)? };
            if rows <= part || low == high || asked > MAX_ESTIMATES {
                parts.push((low, rows));
                continue;
            }
            let middle = low + (high - low) / 2;
            open.extend([(middle + 1, high), (low, middle)]);
        }
        let total = parts.iter().map(|(_, rows)| rows).sum();
        let borders = ranges::quantiles(parts, total, self.splits);
        Ok(borders.into_iter().map(|value| Border::plain(value.to_string())).collect())
    }

    /// About how many rows have a key from `low` to `high`.
    fn estimate(
        &self,
        session: &mut Session,
        index: &str,
        low: i128,
        high: i128,
        check: Check<'_>,
    ) -> Result<u64> {
        let (key, index) = (identifier(self.key), identifier(index));
        let sql = format!(
            "EXPLAIN SELECT {key} FROM {} FORCE INDEX ({index}) WHERE {key} >= {low} AND {key} <= {high}",
            self.from
        );
        let rows = session.query_as_text("the key cannot be looked at", &sql, check)?;
        let Some(row) = rows.first() else { return Ok(0) };
        let at = row.columns_ref().iter().position(|column| column.name_str().eq_ignore_ascii_case("rows"));
        let rows = at.map(|at| optional(row, at)).transpose()?.flatten();
        Ok(rows.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    fn sampled(&self, session: &mut Session, check: Check<'_>) -> Result<Vec<Border>> {
        let key = identifier(self.key);
        let share = SAMPLE as f64 / self.rows.max(1) as f64;
        let chance = if share < 1.0 { format!(" AND RAND(1) < {share:e}") } else { String::new() };
        let filter = self.filter.map(|filter| format!(" AND ({filter}\n)")).unwrap_or_default();
        let sql = format!(
            "SELECT {key}, COUNT(*) FROM (SELECT {key} FROM {} WHERE {key} IS NOT NULL{chance}{filter} LIMIT {MAX_SAMPLE})
                 AS sampled GROUP BY {key} ORDER BY {key}",
            self.from
        );
        let rows = session.query("the key cannot be sampled", &sql, check)?;
        let mut counted = Vec::with_capacity(rows.len());
        for row in &rows {
            let count = optional(row, 1)?.and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
            counted.push((row.as_ref(0).and_then(|value| border(self.decoded, value)), count));
        }
        let total = counted.iter().map(|(_, count)| count).sum();
        Ok(ranges::quantiles(counted, total, self.splits).into_iter().flatten().collect())
    }
}

/// Whether a key of this type can be compared with a border as it is ordered.
pub(super) fn is_ordered(decoded: Decoded) -> bool {
    !matches!(decoded, Decoded::Bits | Decoded::Bool)
}

/// A value of the key as SQL writes it, for a session whose `sql_mode` is empty.
fn border(decoded: Decoded, value: &Value) -> Option<Border> {
    let plain = |sql: String| Some(Border::plain(sql));
    match (decoded, value) {
        (Decoded::Text, Value::Bytes(bytes)) => {
            let words = String::from_utf8_lossy(bytes).chars().take(WORDS).collect::<String>();
            Some(Border { sql: format!("_utf8mb4 X'{}'", hex(bytes)), words: format!("'{words}'") })
        }
        (Decoded::Binary, Value::Bytes(bytes)) => {
            let sql = format!("X'{}'", hex(bytes));
            let words = sql.chars().take(WORDS).collect();
            Some(Border { sql, words })
        }
        (Decoded::Decimal { .. }, Value::Bytes(digits)) => plain(String::from_utf8(digits.clone()).ok()?),
        (_, Value::Int(int)) => plain(int.to_string()),
        (_, Value::UInt(int)) => plain(int.to_string()),
        // With an exponent it is a float, without one a decimal.
        (_, Value::Float(float)) => plain(format!("{:e}", f64::from(*float))),
        (_, Value::Double(double)) => plain(format!("{double:e}")),
        (_, Value::Date(year, month, day, hour, minute, second, micros)) => {
            let date = format!("{year:04}-{month:02}-{day:02}");
            match decoded {
                Decoded::Date => plain(format!("'{date}'")),
                _ => plain(format!("'{date} {hour:02}:{minute:02}:{second:02}.{micros:06}'")),
            }
        }
        (_, Value::Time(is_negative, days, hour, minute, second, micros)) => {
            let sign = if *is_negative { "-" } else { "" };
            let hours = days * 24 + u32::from(*hour);
            plain(format!("'{sign}{hours:02}:{minute:02}:{second:02}.{micros:06}'"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_literals_of_their_type() {
        let sql = |decoded, value| border(decoded, &value).map(|border| border.sql);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(sql(Decoded::Text, Value::Bytes(b"a'b".to_vec())), some("_utf8mb4 X'612762'"));
        assert_eq!(sql(Decoded::Int64, Value::Int(-5)), some("-5"));
        assert_eq!(sql(Decoded::Float, Value::Float(0.1)), some("1.0000000149011612e-1"));
        assert_eq!(sql(Decoded::Date, Value::Date(2026, 1, 2, 0, 0, 0, 0)), some("'2026-01-02'"));
        let at = Value::Date(2026, 1, 2, 3, 4, 5, 6);
        assert_eq!(sql(Decoded::DateTime, at), some("'2026-01-02 03:04:05.000006'"));
        assert_eq!(sql(Decoded::Time, Value::Time(true, 2, 3, 4, 5, 0)), some("'-51:04:05.000000'"));
        assert_eq!(sql(Decoded::Text, Value::NULL), None);
    }
}
