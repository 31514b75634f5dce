//! The actions of a Delta log: one JSON object a line in a commit, one row each in a checkpoint.
//!
//! Fields and actions that other writers add are ignored, as the protocol asks ("Requirements for Readers"), unless the
//! table would be read wrongly without them: [`Protocol::check_readable`] and [`Add::check_readable`] refuse those
//! tables. What is written needs reader version 1 and writer version 2, so every Delta reader takes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};

/// The versions of the protocol that Kiln's tables need.
const READER_VERSION: i32 = 1;
const WRITER_VERSION: i32 = 2;
/// From this reader version on the protocol lists features by name; version 2 means column mapping.
const NAMED_FEATURES: i32 = 3;
/// Features that a reader of Kiln understands. Deletion vectors and column mapping are refused where a table uses them,
/// not where it only allows them.
const READABLE: [&str; 4] = ["timestampNtz", "deletionVectors", "columnMapping", "vacuumProtocolCheck"];

/// One action; exactly one of the fields is set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_info: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<Metadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txn: Option<Txn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<Remove>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<Add>,
    /// A file that holds more of a checkpoint (V2 checkpoints).
    #[serde(default, skip_serializing)]
    pub sidecar: Option<Value>,
}

/// What a reader and a writer must understand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Protocol {
    pub min_reader_version: i32,
    pub min_writer_version: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
}

/// The columns of a table and its properties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub format: FileFormat,
    pub schema_string: String,
    pub partition_columns: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_time: Option<i64>,
    #[serde(default)]
    pub configuration: BTreeMap<String, Option<String>>,
}

/// The format of the files; only Parquet is in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileFormat {
    pub provider: String,
    #[serde(default)]
    pub options: BTreeMap<String, Option<String>>,
}

/// The last transaction of an application, which counts its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Txn {
    pub app_id: String,
    pub version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<i64>,
}

/// A file joins the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Add {
    /// A URI, relative to the table, so that it is percent-encoded.
    pub path: String,
    /// As text; a null, an empty text and a missing value are all null.
    pub partition_values: BTreeMap<String, Option<String>>,
    pub size: i64,
    pub modification_time: i64,
    /// False where rows were only rearranged.
    #[serde(default)]
    pub data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, Option<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_vector: Option<Value>,
}

/// A file leaves the table. Readers of earlier versions need it until it is vacuumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remove {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<i64>,
    #[serde(default)]
    pub data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_file_metadata: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_values: Option<BTreeMap<String, Option<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
}

/// A table that needs what Kiln does not know.
pub fn unsupported(what: impl Into<String>) -> Error {
    Error::config(what).reason("unsupported_table").help(
        "read it by the engine that wrote it, or have that engine turn the feature off and rewrite the table",
    )
}

impl Protocol {
    /// That of a table that Kiln creates.
    pub fn ours() -> Protocol {
        Protocol {
            min_reader_version: READER_VERSION,
            min_writer_version: WRITER_VERSION,
            reader_features: None,
            writer_features: None,
        }
    }

    /// Refuses a table that cannot be read.
    pub fn check_readable(&self, metadata: &Metadata) -> Result<()> {
        if self.min_reader_version > NAMED_FEATURES {
            let version = self.min_reader_version;
            return Err(unsupported(format!("the Delta table needs a reader of version {version}")));
        }
        let features = self.reader_features.iter().flatten();
        if let Some(feature) = features.into_iter().find(|feature| !READABLE.contains(&feature.as_str())) {
            return Err(unsupported(format!("the Delta table uses the feature `{feature}`")));
        }
        if metadata.property("delta.columnMapping.mode").is_some_and(|mode| mode != "none") {
            return Err(unsupported("the Delta table maps its columns to other names in its files"));
        }
        if metadata.format.provider != "parquet" {
            return Err(unsupported(format!(
                "the files of the Delta table are {}",
                metadata.format.provider
            )));
        }
        Ok(())
    }

    /// Refuses a table that cannot be written to.
    pub fn check_writable(&self, metadata: &Metadata, removes: bool) -> Result<()> {
        self.check_readable(metadata)?;
        if self.min_reader_version > READER_VERSION || self.min_writer_version > WRITER_VERSION {
            let Protocol { min_reader_version: reader, min_writer_version: writer, .. } = self;
            let text = format!(
                "the Delta table needs reader version {reader} and writer version {writer}; Kiln writes to tables of \
                 {READER_VERSION} and {WRITER_VERSION}"
            );
            return Err(unsupported(text));
        }
        // Writer version 2 stands for these two: "Append-only Tables", "Column Invariants".
        if removes && metadata.property("delta.appendOnly") == Some("true") {
            let error =
                Error::config("rows of this Delta table may only be appended").reason("append_only_table");
            return Err(error.help("append to it, or set its property `delta.appendOnly` to false"));
        }
        if metadata.schema_string.contains("\"delta.invariants\"") {
            return Err(unsupported("the Delta table checks its rows by invariants"));
        }
        Ok(())
    }
}

impl Metadata {
    /// A property of the table.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.configuration.get(name).and_then(Option::as_deref)
    }
}

impl Add {
    /// Refuses a file that cannot be read as it is.
    pub fn check_readable(&self) -> Result<()> {
        match &self.deletion_vector {
            None => Ok(()),
            Some(_) => Err(unsupported("rows of the Delta table are deleted by deletion vectors")
                .at("file", &self.path)
                .help("purge them first: `REORG TABLE .. APPLY (PURGE)`")),
        }
    }

    /// The value of a partition column; an empty text is null ("Partition Value Serialization").
    pub fn partition_value(&self, column: &str) -> Option<&str> {
        self.partition_values.get(column).and_then(Option::as_deref).filter(|value| !value.is_empty())
    }

    /// Its rows, as the log counts them.
    pub fn rows(&self) -> Option<u64> {
        let stats: Value = serde_json::from_str(self.stats.as_deref()?).ok()?;
        stats["numRecords"].as_u64()
    }

    /// The action that removes it.
    pub fn removed(&self, now: i64) -> Remove {
        Remove {
            path: self.path.clone(),
            deletion_timestamp: Some(now),
            data_change: true,
            extended_file_metadata: Some(true),
            partition_values: Some(self.partition_values.clone()),
            size: Some(self.size),
        }
    }
}

/// The actions in the lines of a commit.
///
/// # Errors
/// Data, with the number of the line, for what is no action.
pub fn parse(text: &[u8]) -> Result<Vec<Action>> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let parsed = lines.map(|(at, line)| {
        serde_json::from_slice(line).map_err(|e| {
            Error::data("an action of the Delta log cannot be read").because(e).at("line", at + 1)
        })
    });
    parsed.collect()
}

/// The lines of a commit.
pub fn format(actions: &[Action]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for action in actions {
        serde_json::to_writer(&mut text, action)
            .map_err(|e| Error::bug("an action of the Delta log cannot be written").because(e))?;
        text.push(b'\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(configuration: &[(&str, &str)]) -> Metadata {
        let text = r#"{"id":"x","format":{"provider":"parquet"},"schemaString":"{}","partitionColumns":[]}"#;
        let mut metadata: Metadata = serde_json::from_str(text).unwrap();
        let owned = configuration.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())));
        metadata.configuration = owned.collect();
        metadata
    }

    #[test]
    fn unknown_fields_and_actions_are_ignored_and_broken_lines_are_named() {
        let text = br#"{"commitInfo":{"operation":"OPTIMIZE","anything":[1]}}
{"domainMetadata":{"domain":"x"}}
{"add":{"path":"a","partitionValues":{},"size":1,"modificationTime":2,"dataChange":false,"baseRowId":7}}
"#;
        let actions = parse(text).unwrap();
        assert_eq!(actions[2].add.as_ref().map(|add| add.size), Some(1));
        let error = parse(b"{}\n{\"add\":{\"pa").unwrap_err();
        assert!(error.class() == crate::Class::Data && error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn tables_with_features_that_change_what_is_read_are_refused() {
        let named = |feature: &str| Protocol {
            min_reader_version: 3,
            min_writer_version: 7,
            reader_features: Some(vec![feature.to_owned()]),
            writer_features: None,
        };
        let mapped = [("delta.columnMapping.mode", "name")];
        for (protocol, configuration, is_readable) in [
            (Protocol::ours(), &[][..], true),
            (named("timestampNtz"), &[], true),
            (named("deletionVectors"), &[], true),
            (named("columnMapping"), &[("delta.columnMapping.mode", "none")], true),
            (named("columnMapping"), &mapped, false),
            (named("v2Checkpoint"), &[], false),
            (named("somethingNew"), &[], false),
            (Protocol { min_reader_version: 4, ..Protocol::ours() }, &[], false),
        ] {
            let checked = protocol.check_readable(&metadata(configuration));
            assert_eq!(checked.is_ok(), is_readable, "{protocol:?}");
            let reason = checked.err().map(|error| error.reason_word().to_owned());
            assert!(is_readable || reason.as_deref() == Some("unsupported_table"));
        }
    }

    #[test]
    fn a_table_is_written_to_only_if_all_that_its_protocol_asks_is_done() {
        let append_only = metadata(&[("delta.appendOnly", "true")]);
        let ours = Protocol::ours();
        assert!(ours.check_writable(&append_only, false).is_ok());
        assert_eq!(ours.check_writable(&append_only, true).unwrap_err().reason_word(), "append_only_table");
        let newer = Protocol { min_writer_version: 3, ..Protocol::ours() };
        assert_eq!(
            newer.check_writable(&metadata(&[]), false).unwrap_err().reason_word(),
            "unsupported_table"
        );
    }
}
