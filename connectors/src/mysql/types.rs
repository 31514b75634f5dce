//! Which Arrow type holds a type of MySQL or MariaDB without loss; the table in `docs/connectors-types.md` follows from it.

use arrow::datatypes::{DataType, TimeUnit};
use kiln::{Error, Result};
use mysql_async::Column;
use mysql_async::consts::{ColumnFlags, ColumnType};
use serde::{Deserialize, Serialize};

use crate::numbers::MAX_PRECISION;

/// The character set of bytes that are no text.
const BINARY: u16 = 63;

const CAST: &str = "cast it in a query";
const AS_TEXT: &str = "read it as text by `text_for`";

/// How the values of a column arrive, and so how they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Decoded {
    /// A number or a bit that is 0 or 1.
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Text,
    Binary,
    /// Up to 64 bits as a number.
    Bits,
    Date,
    DateTime,
    Timestamp,
    Time,
}

impl Decoded {
    /// The type of the column that holds the values.
    pub(super) fn data_type(self) -> DataType {
        match self {
            Decoded::Bool => DataType::Boolean,
            Decoded::Int8 => DataType::Int8,
            Decoded::Int16 => DataType::Int16,
            Decoded::Int32 => DataType::Int32,
            Decoded::Int64 => DataType::Int64,
            Decoded::UInt8 => DataType::UInt8,
            Decoded::UInt16 => DataType::UInt16,
            Decoded::UInt32 => DataType::UInt32,
            Decoded::UInt64 | Decoded::Bits => DataType::UInt64,
            Decoded::Float => DataType::Float32,
            Decoded::Double => DataType::Float64,
            Decoded::Decimal { precision, scale } => DataType::Decimal128(precision, scale.cast_signed()),
            Decoded::Text => DataType::Utf8,
            Decoded::Binary => DataType::Binary,
            Decoded::Date => DataType::Date32,
            Decoded::DateTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Decoded::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Decoded::Time => DataType::Time64(TimeUnit::Microsecond),
        }
    }

    /// Whether the values are whole numbers, between which there is a middle.
    pub(super) fn is_integer(self) -> bool {
        use Decoded::*;
        matches!(self, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64)
    }

    /// How the column is read as a boolean, if a field of a row or a setting asks for it.
    pub(super) fn as_bool(self) -> Option<Decoded> {
        matches!(self, Decoded::Int8 | Decoded::UInt8 | Decoded::Bool).then_some(Decoded::Bool)
    }
}

/// What a server says about a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Described {
    kind: ColumnType,
    flags: ColumnFlags,
    character_set: u16,
    /// In bytes, or in digits and signs of a number.
    length: u32,
    decimals: u8,
}

impl Described {
    pub(super) fn of(column: &Column) -> Described {
        Described {
            kind: column.column_type(),
            flags: column.flags(),
            character_set: column.character_set(),
            length: column.column_length(),
            decimals: column.decimals(),
        }
    }

    /// How the column is read, or why it cannot be.
    pub(super) fn decoded(&self) -> Result<Decoded, String> {
        use ColumnType::*;
        let is_unsigned = self.flags.contains(ColumnFlags::UNSIGNED_FLAG);
        let either = |signed, unsigned| if is_unsigned { unsigned } else { signed };
        Ok(match self.kind {
            MYSQL_TYPE_TINY => either(Decoded::Int8, Decoded::UInt8),
            MYSQL_TYPE_SHORT => either(Decoded::Int16, Decoded::UInt16),
            MYSQL_TYPE_YEAR => Decoded::Int16,
            MYSQL_TYPE_INT24 | MYSQL_TYPE_LONG => either(Decoded::Int32, Decoded::UInt32),
            MYSQL_TYPE_LONGLONG => either(Decoded::Int64, Decoded::UInt64),
            MYSQL_TYPE_FLOAT => Decoded::Float,
            MYSQL_TYPE_DOUBLE => Decoded::Double,
            MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => return self.decimal(is_unsigned),
            MYSQL_TYPE_BIT if self.length <= 1 => Decoded::Bool,
            MYSQL_TYPE_BIT => Decoded::Bits,
            MYSQL_TYPE_DATE | MYSQL_TYPE_NEWDATE => Decoded::Date,
            MYSQL_TYPE_DATETIME | MYSQL_TYPE_DATETIME2 => Decoded::DateTime,
            MYSQL_TYPE_TIMESTAMP | MYSQL_TYPE_TIMESTAMP2 => Decoded::Timestamp,
            MYSQL_TYPE_TIME | MYSQL_TYPE_TIME2 => Decoded::Time,
            MYSQL_TYPE_JSON | MYSQL_TYPE_ENUM | MYSQL_TYPE_SET | MYSQL_TYPE_NULL => Decoded::Text,
            // What has no length holds nothing: it is the type of NULL in a query.
            _ if self.is_string() && self.character_set == BINARY && self.length > 0 => Decoded::Binary,
            _ if self.is_string() => Decoded::Text,
            MYSQL_TYPE_GEOMETRY => return Err("a geometry, which no column holds".to_owned()),
            kind => return Err(format!("of the type {kind:?}, which no column holds")),
        })
    }

    fn is_string(&self) -> bool {
        use ColumnType::*;
        matches!(
            self.kind,
            MYSQL_TYPE_VARCHAR
                | MYSQL_TYPE_VAR_STRING
                | MYSQL_TYPE_STRING
                | MYSQL_TYPE_TINY_BLOB
                | MYSQL_TYPE_MEDIUM_BLOB
                | MYSQL_TYPE_LONG_BLOB
                | MYSQL_TYPE_BLOB
        )
    }

    /// The length counts the digits, a point and a sign.
    fn decimal(&self, is_unsigned: bool) -> Result<Decoded, String> {
        let signs = u32::from(self.decimals > 0) + u32::from(!is_unsigned);
        let digits = self.length.saturating_sub(signs);
        match u8::try_from(digits) {
            Ok(precision) if precision <= MAX_PRECISION && self.decimals <= precision => {
                Ok(Decoded::Decimal { precision: precision.max(1), scale: self.decimals })
            }
            _ => Err(format!("a number of {digits} digits: a column holds {MAX_PRECISION}")),
        }
    }

    /// Whether it is a member of a list: its order is that of the list, its comparison with text that of text.
    pub(super) fn is_enumerated(&self) -> bool {
        self.flags.intersects(ColumnFlags::ENUM_FLAG | ColumnFlags::SET_FLAG)
    }

    /// SQL that makes text of a column, in which nothing is lost.
    pub(super) fn as_text(&self, column: &str) -> String {
        use ColumnType::*;
        match self.kind {
            // A float of 32 bits is printed with 6 digits, the same number in 64 bits with all of them.
            MYSQL_TYPE_FLOAT => format!("CAST({column} + 0e0 AS CHAR)"),
            MYSQL_TYPE_BIT => format!("LPAD(BIN({column} + 0), {}, '0')", self.length.max(1)),
            MYSQL_TYPE_GEOMETRY => format!("ST_AsText({column})"),
            _ if self.is_string() && self.character_set == BINARY => format!("HEX({column})"),
            _ => format!("CAST({column} AS CHAR)"),
        }
    }
}

/// The error about a column that cannot be read.
pub(super) fn refused(column: &str, why: &str) -> Error {
    Error::config(format!("the column `{column}` is {why}"))
        .reason("unsupported_type")
        .at("column", column)
        .help(format!(
            "{CAST} (`CAST({column} AS DECIMAL(38, 9))`), or {AS_TEXT} (`.text_for(\"{column}\")`)"
        ))
}

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests {
    use super::*;

    /// A column as a server describes it.
    pub(super) fn described(kind: ColumnType, flags: ColumnFlags, length: u32, decimals: u8) -> Described {
        Described { kind, flags, character_set: BINARY, length, decimals }
    }

    #[test]
    fn a_number_is_a_decimal_that_holds_all_its_values() {
        let decimal = |unsigned, length, decimals| {
            let flags = if unsigned { ColumnFlags::UNSIGNED_FLAG } else { ColumnFlags::empty() };
            described(ColumnType::MYSQL_TYPE_NEWDECIMAL, flags, length, decimals).decoded()
        };
        assert_eq!(decimal(false, 14, 2), Ok(Decoded::Decimal { precision: 12, scale: 2 }));
        assert_eq!(decimal(true, 13, 2), Ok(Decoded::Decimal { precision: 12, scale: 2 }));
        assert_eq!(decimal(false, 39, 0), Ok(Decoded::Decimal { precision: 38, scale: 0 }));
        assert!(decimal(false, 67, 30).is_err_and(|why| why.contains("65 digits")));
    }

    #[test]
    fn a_type_that_no_column_holds_is_refused_with_the_ways_out() {
        let why =
            described(ColumnType::MYSQL_TYPE_GEOMETRY, ColumnFlags::empty(), 0, 0).decoded().unwrap_err();
        let text = refused("c", &why).to_string();
        assert!(text.contains(".text_for(\"c\")") && text.contains("cast it in a query"), "{text}");
    }
}
