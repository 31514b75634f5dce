//! Names in a Delta log: paths of files as URIs, partition values as text.
//!
//! Kiln's files are in folders `day=7/city=Bern`; the log holds each value by its column ("Partition Value
//! Serialization"), which is what readers go by.

use std::collections::BTreeMap;
use std::fmt::Write;

use arrow::datatypes::{DataType, Schema};

use crate::error::{Error, Result};
use crate::source::percent_decoded;

/// The folder of rows without a value, as Hive names it.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// The values of the partition columns of a file.
pub type PartitionValues = BTreeMap<String, Option<String>>;

/// The URI, relative to the table, of the file `name` in it.
pub fn encoded(name: &str) -> String {
    let mut uri = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/=".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// The name in the table of the file at `uri`.
///
/// # Errors
/// Config for a file outside of the table, as shallow clones have; data for what is no text.
pub fn decoded(uri: &str) -> Result<String> {
    let name = percent_decoded(uri)?;
    let is_absolute = name.starts_with('/') || uri.split('/').next().is_some_and(|first| first.contains(':'));
    if is_absolute {
        let error = super::actions::unsupported("a file of the Delta table is not in its folder");
        return Err(error.at("file", uri));
    }
    Ok(name)
}

/// The values that the folder `day=7/city=Bern` stands for, in a table with the columns `table`.
///
/// # Errors
/// Config for a folder that is not `column=value`, or not of a partition column.
pub fn of_folder(folder: &str, table: &Schema, columns: &[String]) -> Result<PartitionValues> {
    let wrong = |text: String| {
        let columns = columns.join(", ");
        Err(Error::config(text)
            .at("partition", folder)
            .help(format!("partitions are named by {columns}: `column=value`")))
    };
    let mut values = PartitionValues::new();
    for part in folder.split('/').filter(|part| !part.is_empty()) {
        let Some((column, value)) = part.split_once('=') else {
            return wrong("a partition is named without `=`".to_owned());
        };
        let column = percent_decoded(column)?;
        if !columns.contains(&column) {
            return wrong(format!("`{column}` is no partition column"));
        }
        let value = percent_decoded(value)?;
        let data_type = table.field_with_name(&column).ok().map(|field| field.data_type());
        let value = (value != NO_VALUE && !value.is_empty()).then(|| to_log(value, data_type));
        values.insert(column, value);
    }
    Ok(values)
}

/// A value as the log has it: a timestamp in UTC, without a zone.
fn to_log(value: String, data_type: Option<&DataType>) -> String {
    match data_type {
        Some(DataType::Timestamp(..)) => value.trim_end_matches('Z').replacen('T', " ", 1),
        _ => value,
    }
}

/// A value as a source reads it.
pub fn from_log(value: &str, data_type: Option<&DataType>) -> String {
    match data_type {
        Some(DataType::Timestamp(_, zone)) => {
            let time = value.replacen(' ', "T", 1);
            let has_zone =
                time.ends_with('Z') || time.rfind(['+', '-']).is_some_and(|at| at > "2026-11-28".len());
            if zone.is_some() && !has_zone { time + "Z" } else { time }
        }
        _ => value.to_owned(),
    }
}

/// Whether a partition with the values `one` can have rows in common with `other`, of which each may name some of the
/// columns only.
pub fn meet(one: &PartitionValues, other: &PartitionValues) -> bool {
    let value = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    one.iter().all(|(column, ours)| other.get(column).is_none_or(|theirs| value(ours) == value(theirs)))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    #[test]
    fn a_path_is_encoded_once_more_than_the_name_of_its_folder() {
        for (name, uri) in [
            ("day=7/part-00000.parquet", "day=7/part-00000.parquet"),
            ("city=a%2Fb/part 1.parquet", "city=a%252Fb/part%201.parquet"),
            ("city=Zürich/x:y.parquet", "city=Z%C3%BCrich/x%3Ay.parquet"),
        ] {
            assert_eq!(encoded(name), uri);
            assert_eq!(decoded(uri).unwrap(), name);
        }
        for outside in ["file:///etc/passwd", "s3://other/a.parquet", "/etc/passwd", "%2Fetc/passwd"] {
            assert_eq!(decoded(outside).unwrap_err().reason_word(), "unsupported_table", "{outside}");
        }
    }

    #[test]
    fn values_are_text_and_timestamps_have_the_protocols_form() {
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let table = Schema::new(vec![
            Field::new("at", zoned.clone(), true),
            Field::new("city", DataType::Utf8, true),
            Field::new("n", DataType::Int64, true),
        ]);
        let columns = ["at", "city", "n"].map(str::to_owned);
        let values = of_folder(
            "at=2026-11-28T12%3A00%3A00.5Z/city=a%2Fb/n=__HIVE_DEFAULT_PARTITION__",
            &table,
            &columns,
        );
        let values = values.unwrap();
        assert_eq!(values["at"].as_deref(), Some("2026-11-28 12:00:00.5"));
        assert_eq!((values["city"].as_deref(), values["n"].as_deref()), (Some("a/b"), None));
        for text in ["2026-11-28 12:00:00.5", "2026-11-28T12:00:00.5Z"] {
            assert_eq!(from_log(text, Some(&zoned)), "2026-11-28T12:00:00.5Z");
        }
        assert_eq!(from_log("2026-11-28T12:00:00+01:00", Some(&zoned)), "2026-11-28T12:00:00+01:00");
        assert!(
            of_folder("other=1", &table, &columns).is_err() && of_folder("at", &table, &columns).is_err()
        );
    }

    #[test]
    fn partitions_meet_unless_a_column_that_both_name_differs() {
        let of = |pairs: &[(&str, Option<&str>)]| -> PartitionValues {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect()
        };
        assert!(meet(&of(&[("day", Some("1"))]), &of(&[("day", Some("1")), ("city", Some("x"))])));
        assert!(!meet(&of(&[("day", Some("1"))]), &of(&[("day", Some("2"))])));
        assert!(meet(&of(&[("day", None)]), &of(&[("day", Some(""))])));
        assert!(meet(&of(&[]), &of(&[("day", Some("2"))])));
    }
}
