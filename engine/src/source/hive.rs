//! Partition columns in the names of folders: `…/day=2026-11-21/city=K%C3%B6ln/part-0.parquet`.
//!
//! Names and values are returned as text; the row type determines the type of a value. They are
//! percent-decoded, and Hive's placeholder for a null is recognised.

use std::collections::BTreeMap;

use super::location::percent_decoded;

/// The placeholder that writers use for a null or empty value.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Decodes a name or a value. Any folder of an address may contain a `=`, so text that is not valid UTF-8
/// after decoding was not encoded and is taken literally.
fn decoded(text: &str) -> String {
    percent_decoded(text).unwrap_or_else(|_| text.to_owned())
}

/// The names of the columns in the folders of `path`, outermost first.
pub fn folder_names(path: &str) -> Vec<String> {
    let (folders, _file) = path.rsplit_once('/').unwrap_or(("", path));
    folders.split('/').filter_map(|folder| folder.split_once('=')).map(|(key, _)| decoded(key)).collect()
}

/// The values of the folders around the file at `address`; a folder further in wins.
pub(super) fn folder_values(address: &str) -> BTreeMap<String, Option<String>> {
    let (folders, _file) = address.rsplit_once('/').unwrap_or(("", address));
    let mut values = BTreeMap::new();
    for (key, value) in folders.split('/').filter_map(|folder| folder.split_once('=')) {
        let value = (value != NULL).then(|| decoded(value));
        values.insert(decoded(key), value);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_give_decoded_values_and_nulls() {
        let values = folder_values("/data/day=2026-11-21/a%20b=x%2Fy=z/n=__HIVE_DEFAULT_PARTITION__/k=v.csv");
        let text = |text: &str| Some(text.to_owned());
        let expected = [("a b", text("x/y=z")), ("day", text("2026-11-21")), ("n", None)];
        let expected = expected.map(|(key, value)| (key.to_owned(), value));
        assert_eq!(values, BTreeMap::from(expected));
    }

    #[test]
    fn a_folder_that_nobody_has_encoded_is_taken_literally() {
        let values = folder_values("/data/a=%FF/50%=c/a.csv");
        let expected =
            [("a", "%FF"), ("50%", "c")].map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
        assert_eq!(values, BTreeMap::from(expected));
    }
}
