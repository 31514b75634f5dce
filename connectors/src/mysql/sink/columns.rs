//! The target's columns, held against those of the rows before any row is read.

use arrow::datatypes::{DataType, Field, SchemaRef};
use kiln::{Error, Result};
use serde::{Deserialize, Serialize};

use super::super::catalog::{self, Table};
use super::super::session::{Session, identifier, literal, optional, text};
use crate::selection::unknown_column;
use crate::wait::Check;

/// The column of a staging table that has the number of the part.
pub(super) const PART: &str = "kiln_part";

/// How the values of a column are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Encoding {
    /// A number or a boolean, as digits.
    Whole,
    Float,
    Double,
    /// With at most so many decimals.
    Decimal(u8),
    Text,
    /// Text without blanks at its end, which the column does not keep.
    Padded,
    /// Text that is a number or a time with at most so many decimals.
    Digits(u8),
    Bytes,
    /// Exactly so many bytes: the column fills up shorter ones.
    Fixed(u32),
    Date,
    /// With at most so many decimals of a second.
    Timestamp(u8),
    Time(u8),
}

/// A column that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) encoding: Encoding,
    /// Whether rows are told by it.
    pub(super) is_key: bool,
}

/// The table that is written, and its columns that are.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// With its database, as SQL writes it.
    pub(super) name: String,
    pub(super) schema: String,
    /// Whether it was created now.
    pub(super) is_new: bool,
    pub(super) columns: Vec<Column>,
}

/// A column as the server has it.
struct Known {
    name: String,
    /// `decimal`, and as SQL writes it, `decimal(12,2)`.
    kind: String,
    sql: String,
    length: Option<u32>,
    scale: u8,
    /// Decimals of a second.
    fraction: u8,
    needs_value: bool,
    is_generated: bool,
}

/// Holds the columns of the rows against those of the table, which is created if that is allowed and there is none.
///
/// # Errors
/// Config, with the column, for one that does not fit.
pub(super) fn target(
    session: &mut Session,
    name: &str,
    rows: &SchemaRef,
    keys: &[String],
    may_create: bool,
    check: Check<'_>,
) -> Result<Target> {
    check_names(rows, keys)?;
    let mut is_new = false;
    let table = match Table::find(session, name, check) {
        Err(error) if error.reason_word() == "unknown_table" && may_create => {
            create(session, name, rows, keys, check)?;
            is_new = true;
            Table::find(session, name, check)?
        }
        Err(error) if error.reason_word() == "unknown_table" => {
            return Err(error.help("`create` makes it with the columns of the rows"));
        }
        found => found?,
    };
    if table.is_view() || !table.has_transactions() {
        let error = Error::config(format!("`{name}` is no table with transactions")).reason("unknown_table");
        return Err(error.help("rows are published by a transaction: `ALTER TABLE … ENGINE = InnoDB`"));
    }
    let known = known(session, &table, check)?;
    let columns = rows.fields().iter().map(|field| existing(field, &known, name, keys));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let is_missing = |column: &&Known| column.needs_value && rows.field_with_name(&column.name).is_err();
    if let Some(column) = known.iter().find(is_missing) {
        let text = format!("the rows have no column `{}`, which `{name}` needs: it is NOT NULL", column.name);
        let error = Error::config(text).reason("missing_column").at("column", &column.name);
        return Err(error.help("add it to the rows, or give the column a default"));
    }
    if !keys.is_empty() {
        check_unique(session, &table, name, keys, check)?;
    }
    Ok(Target { name: table.from(), schema: table.schema().to_owned(), is_new, columns })
}

fn check_names(rows: &SchemaRef, keys: &[String]) -> Result<()> {
    let names: Vec<&str> = rows.fields().iter().map(|field| field.name().as_str()).collect();
    for (at, name) in names.iter().enumerate() {
        if names[..at].iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return Err(Error::config(format!("the rows have two columns `{name}`")));
        }
        if name.eq_ignore_ascii_case(PART) {
            return Err(Error::config(format!("the column `{PART}` is for Kiln's own use")));
        }
    }
    match keys.iter().find(|key| !names.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(unknown_column(key, "the rows", names)),
    }
}

fn known(session: &mut Session, table: &Table, check: Check<'_>) -> Result<Vec<Known>> {
    let sql = format!(
        "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_SCALE, DATETIME_PRECISION,
             IS_NULLABLE = 'NO' AND COLUMN_DEFAULT IS NULL AND EXTRA NOT LIKE '%auto_increment%'
                 AND COALESCE(GENERATION_EXPRESSION, '') = '',
             COALESCE(GENERATION_EXPRESSION, '') <> ''
         FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} ORDER BY ORDINAL_POSITION",
        literal(table.schema()),
        literal(table.name())
    );
    let rows = session.query("the columns of the table cannot be read", &sql, check)?;
    let known = rows.iter().map(|row| {
        let number = |at| Ok::<_, Error>(optional(row, at)?.and_then(|text| text.parse::<u64>().ok()));
        let small = |number: Option<u64>| u8::try_from(number.unwrap_or(0)).unwrap_or(u8::MAX);
        Ok(Known {
            name: text(row, 0)?,
            kind: text(row, 1)?.to_ascii_lowercase(),
            sql: text(row, 2)?,
            length: number(3)?.and_then(|length| u32::try_from(length).ok()),
            scale: small(number(4)?),
            fraction: small(number(5)?),
            needs_value: text(row, 6)? == "1",
            is_generated: text(row, 7)? == "1",
        })
    });
    known.collect()
}

/// A column of the rows that goes into one of the table.
fn existing(field: &Field, known: &[Known], table: &str, keys: &[String]) -> Result<Column> {
    let name = field.name();
    let Some(column) = known.iter().find(|column| column.name.eq_ignore_ascii_case(name)) else {
        return Err(unknown_column(name, table, known.iter().map(|column| column.name.as_str())));
    };
    if column.is_generated {
        let error = Error::config(format!("the server makes the values of the column `{name}` of `{table}`"));
        return Err(error.at("column", name).help("leave it out of the rows"));
    }
    let Some(encoding) = fit(field.data_type(), column) else {
        let error = Error::config(format!(
            "the column `{name}` is {}, which the {} of `{table}` does not hold without loss",
            field.data_type(),
            column.sql
        ));
        let error = error.reason("unsupported_type").at("column", name);
        return Err(match created(field.data_type(), false) {
            Some(to) => {
                error.help(format!("give the column of the table the type {to}, or convert the rows"))
            }
            None => error.help("no type of the server holds it: convert the rows, for example to text"),
        });
    };
    Ok(Column { name: name.clone(), encoding, is_key: keys.contains(name) })
}

/// The type of the values, whatever their array.
fn plain(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

/// How values of `from` go into a column; nothing if that could lose something which the server does not refuse.
fn fit(from: &DataType, to: &Known) -> Option<Encoding> {
    use DataType::*;
    let kind = to.kind.as_str();
    let is_whole = matches!(kind, "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year");
    match plain(from) {
        Null => Some(Encoding::Text),
        Boolean => matches!(kind, "tinyint" | "bit").then_some(Encoding::Whole),
        from if from.is_integer() => {
            (is_whole || matches!(kind, "decimal" | "bit")).then_some(Encoding::Whole)
        }
        Float16 | Float32 if kind == "float" => Some(Encoding::Float),
        Float16 | Float32 | Float64 if kind == "double" => Some(Encoding::Double),
        Decimal32(..) | Decimal64(..) | Decimal128(..) if kind == "decimal" => {
            Some(Encoding::Decimal(to.scale))
        }
        Utf8 | LargeUtf8 | Utf8View => match kind {
            "char" => Some(Encoding::Padded),
            "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "json" | "enum" | "set"
            | "uuid" | "inet4" | "inet6" => Some(Encoding::Text),
            "decimal" => Some(Encoding::Digits(to.scale)),
            "time" => Some(Encoding::Digits(to.fraction)),
            _ => None,
        },
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => match kind {
            "binary" => Some(Encoding::Fixed(to.length.unwrap_or(0))),
            "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Some(Encoding::Bytes),
            _ => None,
        },
        Date32 if kind == "date" => Some(Encoding::Date),
        Timestamp(_, None) if kind == "datetime" => Some(Encoding::Timestamp(to.fraction)),
        Timestamp(_, Some(_)) if kind == "timestamp" => Some(Encoding::Timestamp(to.fraction)),
        Time32(_) | Time64(_) if kind == "time" => Some(Encoding::Time(to.fraction)),
        _ => None,
    }
}

/// The type that a column of a new table gets, as SQL writes it; nothing if the server has none for it.
fn created(data_type: &DataType, is_key: bool) -> Option<String> {
    use DataType::*;
    let name = match plain(data_type) {
        Boolean => "tinyint(1)",
        Int8 => "tinyint",
        UInt8 => "tinyint unsigned",
        Int16 => "smallint",
        UInt16 => "smallint unsigned",
        Int32 => "int",
        UInt32 => "int unsigned",
        Int64 => "bigint",
        UInt64 => "bigint unsigned",
        Float16 | Float32 => "float",
        Float64 => "double",
        Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) if (0..=30).contains(s) => {
            return Some(format!("decimal({p},{s})"));
        }
        // A key of text has a length; equal keys are equal byte by byte.
        Utf8 | LargeUtf8 | Utf8View if is_key => "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        Utf8 | LargeUtf8 | Utf8View => "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) if is_key => "varbinary(255)",
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => "longblob",
        Date32 => "date",
        Timestamp(_, None) => "datetime(6)",
        Timestamp(_, Some(_)) => "timestamp(6)",
        Time32(_) | Time64(_) => "time(6)",
        _ => return None,
    };
    Some(name.to_owned())
}

/// Creates the table: before the transaction, which a change of tables would end.
fn create(
    session: &mut Session,
    name: &str,
    rows: &SchemaRef,
    keys: &[String],
    check: Check<'_>,
) -> Result<()> {
    let mut defined = Vec::new();
    for field in rows.fields() {
        let (name, is_key) = (field.name(), keys.contains(field.name()));
        let data_type = created(field.data_type(), is_key).ok_or_else(|| {
            let text = format!("the server has no type for the column `{name}`, {}", field.data_type());
            Error::config(text)
                .reason("unsupported_type")
                .at("column", name)
                .help("convert it, for example to text")
        })?;
        let is_nullable = field.is_nullable() && !is_key;
        let constraint = match (is_nullable, data_type.starts_with("timestamp")) {
            (true, true) => " NULL DEFAULT NULL",
            (true, false) => "",
            // Without a default of its own it would get the time of the change.
            (false, true) => " NOT NULL DEFAULT '1970-01-01 00:00:01'",
            (false, false) => " NOT NULL",
        };
        defined.push(format!("{} {data_type}{constraint}", identifier(name)));
    }
    if !keys.is_empty() {
        let keys: Vec<String> = keys.iter().map(|key| identifier(key)).collect();
        defined.push(format!("PRIMARY KEY ({})", keys.join(", ")));
    }
    let table = catalog::quoted(name)?;
    let sql = format!("CREATE TABLE IF NOT EXISTS {table} ({}) ENGINE = InnoDB", defined.join(", "));
    session.execute("the table cannot be created", &sql, check)
}

/// Whether the server tells rows by the keys, and by nothing else: an upsert changes the row that any unique key finds.
fn check_unique(
    session: &mut Session,
    table: &Table,
    name: &str,
    keys: &[String],
    check: Check<'_>,
) -> Result<()> {
    let sql = format!(
        "SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS
         WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX",
        literal(table.schema()),
        literal(table.name())
    );
    let rows = session.query("the keys of the table cannot be read", &sql, check)?;
    let mut indexes: Vec<(String, Vec<String>)> = Vec::new();
    for row in &rows {
        let (index, column) = (text(row, 0)?, text(row, 1)?.to_lowercase());
        match indexes.last_mut().filter(|(last, _)| *last == index) {
            Some((_, columns)) => columns.push(column),
            None => indexes.push((index, vec![column])),
        }
    }
    let sorted = |columns: &[String]| {
        let mut columns: Vec<String> = columns.iter().map(|column| column.to_lowercase()).collect();
        columns.sort();
        columns
    };
    let wanted = sorted(keys);
    let is_key = |(_, columns): &(String, Vec<String>)| sorted(columns) == wanted;
    if !indexes.iter().any(is_key) {
        let error = Error::config(format!("`{name}` has no unique key of ({})", keys.join(", ")));
        return Err(error
            .reason("no_unique_key")
            .help("rows are told by a primary key or a unique index of these columns"));
    }
    match indexes.iter().find(|index| !is_key(index)) {
        None => Ok(()),
        Some((index, columns)) => {
            let text = format!("`{name}` has another unique key, {index} ({})", columns.join(", "));
            Err(Error::config(text).reason("other_unique_key").help(
                "the server would change the row that this key finds: upsert by it, or replace rows by a condition",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(kind: &str, scale: u8, fraction: u8) -> Known {
        let (name, sql) = ("c".to_owned(), kind.to_owned());
        let kind = kind.to_owned();
        Known { name, kind, sql, length: Some(4), scale, fraction, needs_value: false, is_generated: false }
    }

    #[test]
    fn what_could_be_rounded_or_reinterpreted_does_not_fit() {
        use arrow::datatypes::TimeUnit::Microsecond;
        let zone = || Some("UTC".into());
        for (from, to) in [
            (DataType::Float64, "float"),
            (DataType::Float64, "decimal"),
            (DataType::Decimal128(10, 2), "double"),
            (DataType::Int64, "double"),
            (DataType::Timestamp(Microsecond, None), "timestamp"),
            (DataType::Timestamp(Microsecond, zone()), "datetime"),
            (DataType::Utf8, "int"),
            (DataType::Utf8, "datetime"),
            (DataType::Utf8, "blob"),
            (DataType::Binary, "text"),
            (DataType::Date32, "datetime"),
        ] {
            assert_eq!(fit(&from, &known(to, 2, 6)), None, "{from} into {to}");
        }
        assert_eq!(fit(&DataType::Decimal128(10, 2), &known("decimal", 1, 0)), Some(Encoding::Decimal(1)));
        assert_eq!(fit(&DataType::Binary, &known("binary", 0, 0)), Some(Encoding::Fixed(4)));
    }
}
