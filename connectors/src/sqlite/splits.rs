//! How a table is cut: by ranges of its rowids, or by ranges of a key.
//!
//! SQLite keeps no statistics of a key, but finds the next rowid after a number quickly. So rowids are probed at equal
//! distances; where they are too uneven for that, they are counted.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Result};

use super::plan::identifier;
use crate::ranges::{self, Border, ByKey, Range};

/// No split of fewer rows is made, unless the number of splits is set.
const LEAST_ROWS: u64 = 4096;
/// Probes for each split.
const PROBES: u64 = 8;
/// Characters of a key that errors repeat.
const WORDS: usize = 40;

/// What is cut.
pub(super) struct Cut<'c> {
    pub(super) connection: &'c Connection,
    pub(super) from: &'c str,
    pub(super) name: &'c str,
    pub(super) filter: Option<&'c str>,
    /// Of the file: the table has no more.
    pub(super) bytes: u64,
    /// How many splits were asked for.
    pub(super) wanted: Option<usize>,
}

impl Cut<'_> {
    /// All rows by one task.
    pub(super) fn whole(&self) -> Range {
        let (from, name) = (self.from.to_owned(), self.name.to_owned());
        Range { from, name, condition: None, rows: None, bytes: self.bytes }
    }

    /// The number of splits of at most so many rows.
    fn splits(&self, most_rows: u64) -> u64 {
        match self.wanted {
            Some(_) => ranges::count(self.bytes, self.wanted),
            None => ranges::count(self.bytes, None).min(most_rows.div_ceil(LEAST_ROWS)).max(1),
        }
    }

    /// Cuts a table into ranges of its rowids.
    pub(super) fn by_rowid(&self, rowid: &str) -> Result<Vec<Range>> {
        let ends =
            format!("SELECT (SELECT min({rowid}) FROM {0}), (SELECT max({rowid}) FROM {0})", self.from);
        let ends = self.connection.query_row(&ends, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(first), Some(last)): (Option<i64>, Option<i64>) = ends else {
            return Ok(vec![self.whole()]);
        };
        let splits = self.splits(last.abs_diff(first).saturating_add(1));
        let borders = match splits {
            1 => Vec::new(),
            splits => match self.probed(rowid, first, last, splits)? {
                Some(borders) => borders,
                None => self.walked(rowid, splits)?,
            },
        };
        let borders: Vec<Border> = borders.iter().map(|rowid| Border::plain(rowid.to_string())).collect();
        Ok(self.key(rowid, rowid, None).cut(&borders))
    }

    /// Rowids at which is cut, if rowids are so even that probes at equal distances find different ones.
    fn probed(&self, rowid: &str, first: i64, last: i64, splits: u64) -> Result<Option<Vec<i64>>> {
        let probes = splits * PROBES;
        let sql = format!("SELECT {rowid} FROM {} WHERE {rowid} >= ?1 ORDER BY {rowid} LIMIT 1", self.from);
        let mut next = self.connection.prepare(&sql)?;
        let mut found = Vec::new();
        for probe in 0..probes {
            let distance = u128::from(last.abs_diff(first)) * u128::from(probe) / u128::from(probes);
            let at = first.wrapping_add_unsigned(distance as u64);
            found.extend(next.query_row([at], |row| row.get::<_, i64>(0)).optional()?);
        }
        found.dedup();
        let is_even = found.len() as u64 >= probes / 2;
        let total = found.len() as u64;
        Ok(is_even.then(|| ranges::quantiles(found.into_iter().map(|rowid| (rowid, 1)), total, splits)))
    }

    /// Rowids at which is cut, after as many rows each.
    fn walked(&self, rowid: &str, splits: u64) -> Result<Vec<i64>> {
        let count = format!("SELECT count(*) FROM {}", self.from);
        let rows: i64 = self.connection.query_row(&count, [], |row| row.get(0))?;
        let step = rows.unsigned_abs().div_ceil(splits).max(1);
        let sql = format!(
            "SELECT {rowid} FROM {} WHERE {rowid} >= ?1 ORDER BY {rowid} LIMIT 1 OFFSET {step}",
            self.from
        );
        let mut next = self.connection.prepare(&sql)?;
        let (mut borders, mut at) = (Vec::new(), i64::MIN);
        while (borders.len() as u64) + 1 < splits {
            match next.query_row([at], |row| row.get::<_, i64>(0)).optional()? {
                Some(border) => {
                    borders.push(border);
                    at = border;
                }
                None => break,
            }
        }
        Ok(borders)
    }

    /// Cuts at values of a key that have about as many rows between them; all of its values are counted.
    pub(super) fn by_key(&self, key: &str) -> Result<Vec<Range>> {
        let column = identifier(key);
        let filter = self.filter.map(|filter| format!(" AND ({filter}\n)")).unwrap_or_default();
        let from = format!("{} WHERE {column} IS NOT NULL{filter}", self.from);
        let count = format!("SELECT count(*) FROM {from}");
        let rows: i64 = self.connection.query_row(&count, [], |row| row.get(0))?;
        let (rows, splits) = (rows.unsigned_abs(), self.splits(rows.unsigned_abs()));
        let mut borders = Vec::new();
        if splits > 1 {
            let sql = format!("SELECT {column}, count(*) FROM {from} GROUP BY {column} ORDER BY {column}");
            let mut statement = self.connection.prepare(&sql)?;
            let counted = statement
                .query_map([], |row| Ok((border(row.get_ref(0)?), row.get::<_, i64>(1)?.unsigned_abs())))?;
            let mut failed = None;
            let counted = counted.map_while(|row| row.map_err(|e| failed = Some(e)).ok());
            borders = ranges::quantiles(counted, rows, splits);
            if let Some(error) = failed {
                return Err(error);
            }
        }
        let borders: Vec<Border> = borders.into_iter().flatten().collect();
        Ok(self.key(&column, key, Some(rows)).cut(&borders))
    }

    fn key<'k>(&'k self, key: &'k str, key_name: &'k str, rows: Option<u64>) -> ByKey<'k> {
        ByKey { from: self.from, name: self.name, key, key_name, rows, bytes: self.bytes }
    }
}

/// A value as SQL writes it; nothing for text that a literal cannot hold.
fn border(value: ValueRef<'_>) -> Option<Border> {
    let sql = match value {
        ValueRef::Null => return None,
        ValueRef::Integer(int) => int.to_string(),
        ValueRef::Real(real) if real.is_infinite() => if real > 0.0 { "9e999" } else { "-9e999" }.to_owned(),
        ValueRef::Real(real) => format!("{real:e}"),
        ValueRef::Text(text) if text.contains(&0) => return None,
        ValueRef::Text(text) => format!("'{}'", std::str::from_utf8(text).ok()?.replace('\'', "''")),
        ValueRef::Blob(bytes) => {
            format!("X'{}'", bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>())
        }
    };
    let words = match sql.char_indices().nth(WORDS) {
        Some((end, _)) => format!("{}…", &sql[..end]),
        None => sql.clone(),
    };
    Some(Border { sql, words })
}
