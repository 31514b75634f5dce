//! The `[source]` of an export: files, with the columns that they have.

use kiln::arrow::datatypes::{DataType, Field, TimeUnit};
use kiln::{Context, Error, Read, Result};
use serde::Deserialize;

use crate::load::file::Format;
use crate::load::params::Params;

/// Files in one format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSource {
    uri: String,
    #[serde(default)]
    pub format: Format,
    /// Columns, as `day date`: all of CSV and JSON, those of folders for Parquet.
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    hive_partitions: bool,
    /// Of a Delta table.
    version: Option<u64>,
    /// Of CSV.
    delimiter: Option<char>,
    quote: Option<char>,
    header: Option<bool>,
    null_value: Option<String>,
}

/// Calls `$body` with the files as a source, whatever their format.
macro_rules! with_files {
    ($source:expr, $cx:expr, $scan:ident => $body:expr) => {{
        let source: &$crate::export::source::FileSource = $source;
        let read = source.read($cx)?;
        match source.format {
            $crate::load::file::Format::Parquet => {
                let $scan = read.files_of_parquet(source.uri());
                $body
            }
            $crate::load::file::Format::Delta => {
                let $scan = read.files_of_delta(source.uri());
                $body
            }
            $crate::load::file::Format::Csv => {
                let $scan = read.files_of_csv(source.uri());
                $body
            }
            $crate::load::file::Format::Json => {
                let $scan = read.files_of_json(source.uri());
                $body
            }
        }
    }};
}
pub(super) use with_files;

impl FileSource {
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Puts the values of parameters in place of their names.
    ///
    /// # Errors
    /// Config for a name without a value.
    pub fn fill(&mut self, params: &mut Params<'_>) -> Result<()> {
        self.uri = params.fill(&self.uri)?;
        Ok(())
    }

    /// The options of the read.
    ///
    /// # Errors
    /// Config for a column that cannot be understood, and for options that the format does not have.
    pub fn read(&self, cx: &Context) -> Result<Read> {
        let columns = self.columns.iter().map(|column| column_of(column)).collect::<Result<Vec<_>>>()?;
        let mut read = cx.read().types(columns);
        if self.hive_partitions {
            read = read.hive_partitions();
        }
        if let Some(version) = self.version {
            read = read.version(version);
        }
        if let Some(delimiter) = self.delimiter {
            read = read.delimiter(byte("delimiter", delimiter)?);
        }
        if let Some(quote) = self.quote {
            read = read.quote(byte("quote", quote)?);
        }
        if let Some(header) = self.header {
            read = read.header(header);
        }
        if let Some(null_value) = &self.null_value {
            read = read.null_value(null_value);
        }
        Ok(read)
    }
}

fn byte(option: &str, mark: char) -> Result<u8> {
    let wrong = |_| Error::config(format!("`{mark}` is no {option}: it is one ASCII character"));
    u8::try_from(mark).map_err(wrong)
}

/// `day date`: a name and a type, the last word or `decimal(12, 2)`.
fn column_of(text: &str) -> Result<Field> {
    let malformed = || {
        let error = Error::config(format!("`{text}` is no column")).at("section", "source");
        error.help("a column is a name and a type, as `day date`; types are boolean, smallint, integer, bigint, real, \
                    double, decimal(12,2), text, bytes, date, timestamp, timestamptz")
    };
    let (name, data_type) = text.trim().split_once(char::is_whitespace).ok_or_else(malformed)?;
    let data_type = type_of(data_type.trim()).ok_or_else(malformed)?;
    Ok(Field::new(name, data_type, true))
}

fn type_of(name: &str) -> Option<DataType> {
    let name = name.to_lowercase();
    if let Some((_, digits)) =
        name.split_once('(').filter(|(kind, _)| ["decimal", "numeric"].contains(&kind.trim()))
    {
        let (precision, scale) = digits.strip_suffix(')')?.split_once(',')?;
        let (precision, scale): (u8, i8) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
        let is_decimal = (1..=38).contains(&precision) && (0..=precision.cast_signed()).contains(&scale);
        return is_decimal.then_some(DataType::Decimal128(precision, scale));
    }
    Some(match name.as_str() {
        "boolean" | "bool" => DataType::Boolean,
        "smallint" | "int2" => DataType::Int16,
        "integer" | "int" | "int4" => DataType::Int32,
        "bigint" | "int8" => DataType::Int64,
        "real" | "float4" => DataType::Float32,
        "double" | "double precision" | "float8" => DataType::Float64,
        "text" | "string" | "varchar" => DataType::Utf8,
        "bytes" | "bytea" | "binary" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_a_name_and_a_type() {
        let column = column_of(" price  Decimal(12, 2)").unwrap();
        assert_eq!((column.name().as_str(), column.data_type()), ("price", &DataType::Decimal128(12, 2)));
        assert_eq!(column_of("x double precision").unwrap().data_type(), &DataType::Float64);
        for text in ["x", "x money", "x decimal(50, 2)", "x decimal(3, 4)", "x decimal(3", ""] {
            assert_eq!(column_of(text).unwrap_err().class(), kiln::Class::Config, "{text}");
        }
    }
}
