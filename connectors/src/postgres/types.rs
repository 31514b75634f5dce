//! Which Arrow type holds a type of PostgreSQL without loss; the table in `docs/connectors-types.md` follows from it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use kiln::{Error, Result};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{Kind, Type};

/// The most digits of a number that a column of decimals holds.
const MAX_PRECISION: i32 = 38;

const CAST: &str = "cast it in a query";
const AS_TEXT: &str = "read it as text by `text_for`";

/// How the values of a column arrive, and so how they are decoded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Decoded {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric {
        precision: u8,
        scale: i8,
    },
    /// Text in UTF-8.
    Text,
    /// Text after a byte with the version.
    Jsonb,
    Uuid,
    Bytea,
    Date,
    Timestamp,
    Timestamptz,
    Time,
    /// A list of values; the number is the type of its elements.
    List(Box<Decoded>, u32),
}

impl Decoded {
    /// The type of the column that holds the values.
    pub(super) fn data_type(&self) -> DataType {
        use Decoded::*;
        match self {
            Bool => DataType::Boolean,
            Int2 => DataType::Int16,
            Int4 => DataType::Int32,
            Int8 => DataType::Int64,
            Oid => DataType::UInt32,
            Float4 => DataType::Float32,
            Float8 => DataType::Float64,
            Numeric { precision, scale } => DataType::Decimal128(*precision, *scale),
            Text | Jsonb | Uuid => DataType::Utf8,
            Bytea => DataType::Binary,
            Date => DataType::Date32,
            Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Time => DataType::Time64(TimeUnit::Microsecond),
            List(items, _) => DataType::List(item_field(items)),
        }
    }
}

/// The field of a list's items, which may be null.
pub(super) fn item_field(items: &Decoded) -> Arc<Field> {
    Arc::new(Field::new_list_field(items.data_type(), true))
}

/// How a column of this type is read, or why it cannot be.
///
/// # Errors
/// Config for a type that no column holds without loss, with the ways out.
pub(super) fn decoded(column: &str, data_type: &Type, modifier: i32) -> Result<Decoded> {
    of(data_type, modifier).map_err(|why| {
        Error::config(format!("the column `{column}` is {}, {why}", data_type.name()))
            .reason("unsupported_type")
            .at("column", column)
            .help(format!("{CAST} (`{column}::numeric(38, 9)`), or {AS_TEXT} (`.text_for(\"{column}\")`)"))
    })
}

fn of(data_type: &Type, modifier: i32) -> Result<Decoded, String> {
    match data_type.kind() {
        Kind::Enum(_) => return Ok(Decoded::Text),
        Kind::Domain(base) => return of(base, modifier),
        Kind::Array(element) => return Ok(Decoded::List(Box::new(of(element, modifier)?), element.oid())),
        _ => {}
    }
    Ok(match *data_type {
        Type::BOOL => Decoded::Bool,
        Type::INT2 => Decoded::Int2,
        Type::INT4 => Decoded::Int4,
        Type::INT8 => Decoded::Int8,
        Type::OID => Decoded::Oid,
        Type::FLOAT4 => Decoded::Float4,
        Type::FLOAT8 => Decoded::Float8,
        Type::NUMERIC => numeric(modifier)?,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::JSON | Type::XML => Decoded::Text,
        Type::JSONB => Decoded::Jsonb,
        Type::UUID => Decoded::Uuid,
        Type::BYTEA => Decoded::Bytea,
        Type::DATE => Decoded::Date,
        Type::TIMESTAMP => Decoded::Timestamp,
        Type::TIMESTAMPTZ => Decoded::Timestamptz,
        Type::TIME => Decoded::Time,
        _ => return Err("which no column holds without loss".to_owned()),
    })
}

/// Precision and scale out of the modifier, if the column has a limit: the scale has 11 bits and a sign.
pub(super) fn numeric_digits(modifier: i32) -> Option<(i32, i32)> {
    (modifier >= 4).then(|| ((modifier - 4) >> 16 & 0xffff, (((modifier - 4) & 0x7ff) ^ 1024) - 1024))
}

fn numeric(modifier: i32) -> Result<Decoded, String> {
    let Some((precision, scale)) = numeric_digits(modifier) else {
        return Err("a number without a precision: any number of digits may be in it".to_owned());
    };
    // numeric(3, 5) has 5 decimals, the first two of which are 0; numeric(5, -2) has whole numbers of 7 digits.
    let (digits, decimals) = (precision.max(scale).max(precision - scale), scale.max(0));
    match (u8::try_from(digits), i8::try_from(decimals)) {
        (Ok(precision), Ok(scale)) if digits <= MAX_PRECISION => Ok(Decoded::Numeric { precision, scale }),
        _ => Err(format!("a number of {digits} digits: a column holds {MAX_PRECISION}")),
    }
}

#[cfg(test)]
mod documented;
#[cfg(test)]
mod tests {
    use super::*;

    fn modifier(precision: i32, scale: i32) -> i32 {
        4 + (precision << 16 | scale & 0x7ff)
    }

    #[test]
    fn a_number_with_a_precision_is_a_decimal_that_holds_all_its_values() {
        let numeric = |precision, scale| match numeric(modifier(precision, scale)) {
            Ok(Decoded::Numeric { precision, scale }) => (precision, scale),
            other => panic!("{other:?}"),
        };
        assert_eq!(numeric(12, 2), (12, 2));
        assert_eq!(numeric(38, 38), (38, 38));
        assert_eq!(numeric(3, 5), (5, 5));
        assert_eq!(numeric(5, -2), (7, 0));
    }

    #[test]
    fn a_type_that_no_column_holds_is_refused_with_the_ways_out() {
        for (data_type, modifier) in [
            (Type::NUMERIC, -1),
            (Type::NUMERIC, modifier(39, 2)),
            (Type::INTERVAL, -1),
            (Type::INET, -1),
            (Type::NUMERIC_ARRAY, -1),
            (Type::TIMETZ, -1),
        ] {
            let error = decoded("c", &data_type, modifier).unwrap_err();
            assert_eq!(error.class(), kiln::Class::Config);
            let text = error.to_string();
            assert!(text.contains(".text_for(\"c\")") && text.contains("cast it in a query"), "{text}");
        }
    }
}
