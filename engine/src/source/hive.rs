//! Columns that stand in the names of folders: `…/day=2026-11-21/city=K%C3%B6ln/part-0.parquet`.
//!
//! The address of a file enters, names and values leave, as text: what type a value has is the row
//! type's business. Names and values are percent-decoded, and Hive's word for a null is understood.

use std::collections::BTreeMap;

use super::location::percent_decoded;
use crate::error::Result;

/// What writers put where the value is null or empty.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The values of the folders around the file at `address`; a folder further in wins.
pub(super) fn folder_values(address: &str) -> Result<BTreeMap<String, Option<String>>> {
    let (folders, _file) = address.rsplit_once('/').unwrap_or(("", address));
    let mut values = BTreeMap::new();
    for (key, value) in folders.split('/').filter_map(|folder| folder.split_once('=')) {
        let value = if value == NULL { None } else { Some(percent_decoded(value)?) };
        values.insert(percent_decoded(key)?, value);
    }
    Ok(values)
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
        assert_eq!(values.unwrap(), BTreeMap::from(expected));
    }
}
