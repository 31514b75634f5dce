//! What the server's catalogue knows: the table that a name means, its keys, and the names that are near.

use kiln::{Error, Result};

use super::session::{Session, identifier, literal, optional, text};
use crate::nearest::nearest;
use crate::wait::Check;

/// How many names are looked at for the nearest one.
const MAX_NAMES: usize = 10_000;
/// Engines whose tables can be read as of one moment.
const TRANSACTIONAL: [&str; 4] = ["InnoDB", "RocksDB", "TokuDB", "ndbcluster"];

/// A table or a view.
pub(super) struct Table {
    schema: String,
    name: String,
    /// Nothing for a view.
    engine: Option<String>,
    /// About, of what InnoDB has counted last.
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// A column that begins an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) column: String,
    pub(super) index: String,
    is_unique: bool,
}

impl Table {
    /// Finds the table that SQL calls `name`.
    ///
    /// # Errors
    /// Config with the nearest name when there is none.
    pub(super) fn find(session: &mut Session, name: &str, check: Check<'_>) -> Result<Table> {
        let (schema, table) = parts(name)?;
        let schema = schema.map_or("DATABASE()".to_owned(), |schema| literal(&schema));
        let sql = format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES
             WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {}",
            literal(&table)
        );
        let rows = session.query("the table cannot be looked up", &sql, check)?;
        let Some(row) = rows.first() else { return Err(unknown_table(session, name, check)?) };
        let number = |at| Ok::<_, Error>(optional(row, at)?.and_then(|text| text.parse().ok()).unwrap_or(0));
        Ok(Table {
            schema: text(row, 0)?,
            name: text(row, 1)?,
            engine: optional(row, 2)?,
            rows: number(3)?,
            bytes: number(4)?,
        })
    }

    /// As SQL writes it.
    pub(super) fn from(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.name))
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// As people write it.
    pub(super) fn words(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    pub(super) fn is_view(&self) -> bool {
        self.engine.is_none()
    }

    /// Whether its rows can be read as of a moment by several statements; of a view nobody knows.
    pub(super) fn has_transactions(&self) -> bool {
        let is = |engine: &String| TRANSACTIONAL.iter().any(|known| known.eq_ignore_ascii_case(engine));
        self.engine.as_ref().is_none_or(is)
    }

    /// The columns that begin an index: that of the primary key first, then those of unique ones.
    pub(super) fn keys(&self, session: &mut Session, check: Check<'_>) -> Result<Vec<Key>> {
        let sql = format!(
            "SELECT COLUMN_NAME, INDEX_NAME, NON_UNIQUE FROM information_schema.STATISTICS
             WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} AND SEQ_IN_INDEX = 1 AND INDEX_TYPE = 'BTREE'
                 AND COLUMN_NAME IS NOT NULL AND SUB_PART IS NULL
             ORDER BY INDEX_NAME <> 'PRIMARY', NON_UNIQUE, INDEX_NAME",
            literal(&self.schema),
            literal(&self.name)
        );
        let rows = session.query("the keys cannot be looked up", &sql, check)?;
        let key =
            |row| Ok(Key { column: text(row, 0)?, index: text(row, 1)?, is_unique: text(row, 2)? == "0" });
        rows.iter().map(key).collect()
    }
}

/// The column by which a table is cut unless one is named: the first of the primary key, or else of a unique key.
pub(super) fn usual_key(keys: &[Key]) -> Option<&Key> {
    keys.first().filter(|key| key.is_unique)
}

/// A name as SQL writes it, for a table that may not exist.
pub(super) fn quoted(name: &str) -> Result<String> {
    let (schema, table) = parts(name)?;
    let schema = schema.map_or(String::new(), |schema| identifier(&schema) + ".");
    Ok(schema + &identifier(&table))
}

/// Schema and table of a name such as `shop.orders` or `` `a.b`.`c` ``.
fn parts(name: &str) -> Result<(Option<String>, String)> {
    let malformed = || {
        Error::config(format!("`{name}` is no name of a table"))
            .reason("unknown_table")
            .help("a name is `table` or `schema.table`; a part with a dot in it is quoted with backticks")
    };
    let mut parts = Vec::new();
    let mut chars = name.trim().chars().peekable();
    loop {
        let mut part = String::new();
        if chars.next_if_eq(&'`').is_some() {
            loop {
                match chars.next().ok_or_else(malformed)? {
                    '`' if chars.next_if_eq(&'`').is_none() => break,
                    c => part.push(c),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| !matches!(c, '.' | '`')) {
                part.push(c);
            }
        }
        parts.push(part);
        match chars.next() {
            None => break,
            Some('.') => {}
            Some(_) => return Err(malformed()),
        }
    }
    let mut parts = parts.into_iter();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(table), None, None) if !table.is_empty() => Ok((None, table)),
        (Some(schema), Some(table), None) if !schema.is_empty() && !table.is_empty() => {
            Ok((Some(schema), table))
        }
        _ => Err(malformed()),
    }
}

fn unknown_table(session: &mut Session, name: &str, check: Check<'_>) -> Result<Error> {
    let sql = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_SCHEMA <=> DATABASE() FROM information_schema.TABLES
         WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')
         ORDER BY 1, 2 LIMIT {MAX_NAMES}"
    );
    let rows = session.query("the tables cannot be listed", &sql, check)?;
    let known = rows.iter().map(|row| {
        let (schema, table) = (text(row, 0)?, text(row, 1)?);
        Ok(if text(row, 2)? == "1" && !name.contains('.') { table } else { format!("{schema}.{table}") })
    });
    let known = known.collect::<Result<Vec<_>>>()?;
    let error = Error::config(format!("there is no table `{name}`")).reason("unknown_table");
    let same_table = |known: &&String| known.rsplit('.').next() == name.rsplit('.').next();
    let near = known.iter().find(same_table).map(String::as_str);
    Ok(match near.or_else(|| nearest(name, known.iter().map(String::as_str))) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("a name is written with its database, unless that is in the address"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_or_two_parts() {
        let name = |text: &str| parts(text).ok();
        let two = |schema: &str, table: &str| Some((Some(schema.to_owned()), table.to_owned()));
        assert_eq!(name("orders"), Some((None, "orders".to_owned())));
        assert_eq!(name("shop.orders"), two("shop", "orders"));
        assert_eq!(name("`a.b`.`c``d`"), two("a.b", "c`d"));
        for text in ["", "a.", ".b", "a.b.c", "`a", "`a`b", "a`b`"] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}
