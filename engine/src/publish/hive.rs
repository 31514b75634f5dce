//! Folders of a partitioned output, as Hive and Spark name them: `day=2026-11-21/city=Bern`.
//!
//! A batch enters, the folder of every row leaves. Values are percent-encoded as Spark does it, and
//! every segment begins with `column=`: so no value, not even `..` or `/etc`, names anything but a
//! folder directly in its parent. A null and an empty text both become
//! `__HIVE_DEFAULT_PARTITION__`, because a folder has no other way to say either.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::error::{Error, Result};

/// The folder of rows without a value.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";
/// Bytes in the name of a folder at most: what file systems allow.
const MAX_NAME_BYTES: usize = 255;
/// The characters, besides control characters, that Spark encodes.
const ENCODED: &str = "\"#%'*/:=?\\\u{7f}{[]^";

/// The folder of rows that have the text `value` in `column`.
///
/// # Errors
/// As [`folder`].
pub fn folder_of(column: &str, value: &str) -> Result<String> {
    let values: ArrayRef = Arc::new(StringArray::from(vec![value]));
    folder(&RecordBatch::try_from_iter([(column, values)])?, &[0], 0)
}

/// The folder of row `at` of `batch`, by the columns `columns`, without a slash at its end.
///
/// # Errors
/// Data when a value is too long for a folder's name.
pub fn folder(batch: &RecordBatch, columns: &[usize], at: usize) -> Result<String> {
    let options = FormatOptions::new();
    let schema = batch.schema_ref();
    let mut path = String::new();
    for column in columns {
        let (name, values) = (schema.field(*column).name(), batch.column(*column));
        let from = path.len() + usize::from(!path.is_empty());
        if !path.is_empty() {
            path.push('/');
        }
        encode(name, &mut path);
        path.push('=');
        if values.is_null(at) {
            path.push_str(NO_VALUE);
        } else {
            let text = ArrayFormatter::try_new(values.as_ref(), &options)?.value(at).to_string();
            if text.is_empty() { path.push_str(NO_VALUE) } else { encode(&text, &mut path) }
        }
        check_length(name, &path[from..])?;
    }
    Ok(path)
}

fn encode(text: &str, path: &mut String) {
    for c in text.chars() {
        if c.is_ascii_control() || ENCODED.contains(c) {
            // Writing to a string cannot fail; all of these are ASCII.
            let _ = write!(path, "%{:02X}", u32::from(c));
        } else {
            path.push(c);
        }
    }
}

fn check_length(column: &str, name: &str) -> Result<()> {
    if name.len() <= MAX_NAME_BYTES {
        return Ok(());
    }
    let begin: String = name.chars().take(40).collect();
    Err(Error::data("a value is too long to name a folder")
        .at("column", column)
        .at("value", format!("{begin}… ({} bytes)", name.len()))
        .help("partition by a column with short values"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;
    use crate::error::Class;

    fn folder_of(text: Option<&str>) -> Result<String> {
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("a/b", Arc::new(StringArray::from(vec![text])) as _, true),
            ("n", Arc::new(Int64Array::from(vec![-7])) as _, true),
        ]);
        folder(&batch.unwrap(), &[0, 1], 0)
    }

    #[test]
    fn a_value_names_one_folder_and_nothing_else() {
        for (value, name) in [
            (Some("Bern"), "Bern"),
            (Some("Zürich 1"), "Zürich 1"),
            (Some(".."), ".."),
            (Some("../../etc/passwd"), "..%2F..%2Fetc%2Fpasswd"),
            (Some("a=b%c\n"), "a%3Db%25c%0A"),
            (Some("C:\\x"), "C%3A%5Cx"),
            (Some(""), NO_VALUE),
            (None, NO_VALUE),
        ] {
            assert_eq!(folder_of(value).unwrap(), format!("a%2Fb={name}/n=-7"));
        }
    }

    #[test]
    fn a_value_too_long_for_a_folder_is_a_data_error() {
        let error = folder_of(Some(&"x".repeat(300))).unwrap_err();
        assert_eq!((error.class(), error.message()), (Class::Data, "a value is too long to name a folder"));
    }
}
