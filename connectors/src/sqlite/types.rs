//! Which Arrow type holds the values of a column of SQLite; the table in `docs/connectors-types.md` follows from it.
//!
//! SQLite knows a type for each value and an affinity for each column, which follows from the declared type by a few rules
//! about parts of its name. The rules here are the same ones, with names that have a meaning everywhere else added.

use arrow::datatypes::{DataType, TimeUnit};
use kiln::Error;
use serde::{Deserialize, Serialize};

/// The most digits of a decimal number that a float of 64 bits, which SQLite stores it as, keeps.
const FLOAT_DIGITS: u8 = 15;

/// How the values of a column are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Decoded {
    Int,
    Real,
    /// 0 and 1.
    Bool,
    Text,
    Blob,
    /// Text as `2026-11-20`.
    Date,
    /// Text as `2026-11-20 10:00:00.5`.
    Timestamp,
    Decimal {
        precision: u8,
        scale: u8,
    },
    /// Any value, as text.
    AsText,
}

/// What the declared type of a column means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    Known(Decoded),
    /// Nothing is declared, or nothing that says which values there are.
    Open,
    /// Values that no column holds without loss, and why.
    Refused(String),
}

impl Decoded {
    /// The type of the column that holds the values.
    pub(super) fn data_type(self) -> DataType {
        match self {
            Decoded::Int => DataType::Int64,
            Decoded::Real => DataType::Float64,
            Decoded::Bool => DataType::Boolean,
            Decoded::Text | Decoded::AsText => DataType::Utf8,
            Decoded::Blob => DataType::Binary,
            Decoded::Date => DataType::Date32,
            Decoded::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Decoded::Decimal { precision, scale } => DataType::Decimal128(precision, scale.cast_signed()),
        }
    }
}

impl Declared {
    /// The meaning of a declared type, such as `VARCHAR(20)`.
    pub(super) fn of(declared: &str) -> Declared {
        let text = declared.trim().to_ascii_uppercase();
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => (name.trim(), rest.trim_end().strip_suffix(')')),
            None => (text.as_str(), None),
        };
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        Declared::Known(match name {
            "DATE" => Decoded::Date,
            "DATETIME" | "TIMESTAMP" => Decoded::Timestamp,
            "JSON" => Decoded::Text,
            "DECIMAL" | "NUMERIC" => return decimal(arguments),
            _ if has(&["INT"]) => Decoded::Int,
            _ if has(&["BOOL"]) => Decoded::Bool,
            _ if has(&["CHAR", "CLOB", "TEXT"]) => Decoded::Text,
            _ if has(&["BLOB"]) => Decoded::Blob,
            _ if has(&["REAL", "FLOA", "DOUB"]) => Decoded::Real,
            _ => return Declared::Open,
        })
    }

    /// How a column is read for a field of a row type, if that says which values it wants: an integer may be meant as a
    /// boolean, text as a date.
    pub(super) fn for_field(&self, field: Option<&DataType>) -> Declared {
        let Some(field) = field else { return self.clone() };
        let wanted = match field {
            DataType::Boolean => Decoded::Bool,
            DataType::Date32 => Decoded::Date,
            DataType::Timestamp(_, None) => Decoded::Timestamp,
            DataType::Decimal128(precision, scale) => {
                Decoded::Decimal { precision: *precision, scale: scale.cast_unsigned() }
            }
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Decoded::Blob,
            field if field.is_floating() => Decoded::Real,
            field if field.is_integer() => Decoded::Int,
            _ => Decoded::Text,
        };
        match (self, wanted) {
            (Declared::Open | Declared::Refused(_), wanted)
            | (Declared::Known(Decoded::Int), wanted @ Decoded::Bool)
            | (
                Declared::Known(Decoded::Text),
                wanted @ (Decoded::Date | Decoded::Timestamp | Decoded::Decimal { .. }),
            )
            | (Declared::Known(Decoded::Date | Decoded::Timestamp), wanted @ Decoded::Text) => {
                Declared::Known(wanted)
            }
            _ => self.clone(),
        }
    }
}

/// A number of so many digits and decimals: as long as a float keeps them all.
fn decimal(arguments: Option<&str>) -> Declared {
    let mut numbers = arguments.unwrap_or_default().split(',').map(|part| part.trim().parse::<u8>());
    let (precision, scale) = (numbers.next(), numbers.next().unwrap_or(Ok(0)));
    match (precision, scale) {
        (Some(Ok(precision)), Ok(scale))
            if precision <= FLOAT_DIGITS && scale <= precision && precision > 0 =>
        {
            Declared::Known(Decoded::Decimal { precision, scale })
        }
        (Some(Ok(_)), Ok(_)) => Declared::Refused(format!(
            "numbers of more than {FLOAT_DIGITS} digits, which SQLite stores as floats with fewer"
        )),
        _ => Declared::Refused("numbers without a precision: integers and floats may be in it".to_owned()),
    }
}

/// The error about a column that cannot be read.
pub(super) fn refused(column: &str, declared: &str, why: &str) -> Error {
    Error::config(format!("the column `{column}` is {declared}, {why}"))
        .reason("unsupported_type")
        .at("column", column)
        .help(format!(
            "cast it in a query (`CAST({column} AS REAL)`), or read it as text by `text_for` (`.text_for(\"{column}\")`)"
        ))
}

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_follow_the_rules_of_sqlite() {
        let known = [
            ("INTEGER", Decoded::Int),
            ("unsigned big int", Decoded::Int),
            ("TINYINT(1)", Decoded::Int),
            ("VARCHAR(255)", Decoded::Text),
            ("native character (70)", Decoded::Text),
            ("clob", Decoded::Text),
            ("BLOB", Decoded::Blob),
            ("DOUBLE PRECISION", Decoded::Real),
            ("float", Decoded::Real),
            ("boolean", Decoded::Bool),
            ("DATE", Decoded::Date),
            ("datetime", Decoded::Timestamp),
            ("DECIMAL(10,5)", Decoded::Decimal { precision: 10, scale: 5 }),
            ("numeric (8)", Decoded::Decimal { precision: 8, scale: 0 }),
        ];
        for (text, decoded) in known {
            assert_eq!(Declared::of(text), Declared::Known(decoded), "{text}");
        }
        for text in ["", "ANY", "STRING", "UUID"] {
            assert_eq!(Declared::of(text), Declared::Open, "{text}");
        }
        for text in ["NUMERIC", "DECIMAL(16,2)", "DECIMAL(2,3)", "DECIMAL(a)", "DECIMAL(0)"] {
            assert!(matches!(Declared::of(text), Declared::Refused(_)), "{text}");
        }
    }

    #[test]
    fn a_field_may_say_what_an_integer_or_a_text_means() {
        let read = |declared, field| Declared::of(declared).for_field(Some(&field));
        let known = Declared::Known;
        assert_eq!(read("INTEGER", DataType::Boolean), known(Decoded::Bool));
        assert_eq!(read("INTEGER", DataType::Utf8), known(Decoded::Int), "the engine refuses that");
        assert_eq!(read("TEXT", DataType::Date32), known(Decoded::Date));
        assert_eq!(read("", DataType::Int16), known(Decoded::Int));
        assert_eq!(read("NUMERIC", DataType::Float64), known(Decoded::Real));
        assert_eq!(read("DATE", DataType::Utf8), known(Decoded::Text));
    }
}
