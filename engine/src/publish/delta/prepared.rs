//! What a publish puts into the log: the actions of its version, as they follow from the version before.

use arrow::datatypes::{Schema, SchemaRef};
use serde_json::json;

use super::actions::{Action, Add, FileFormat, Metadata, Protocol};
use super::commit::{Publish, now};
use super::info::{self, AppKind, EPOCH_TAG, KilnInfo};
use super::schema;
use super::snapshot::Snapshot;
use super::table::Replaced;
use super::values::{self, PartitionValues};
use crate::error::{Error, Result};
use crate::publish::head::Scope;
use crate::publish::mode::exists;
use crate::publish::{Mode, OutputFile};

/// A publish with what follows from it.
pub(super) struct Prepared<'a> {
    publish: &'a Publish<'a>,
    file_schema: SchemaRef,
    adds: Vec<Add>,
    pub(super) replaced: Replaced,
    scope: Scope,
}

impl<'a> Prepared<'a> {
    pub(super) fn of(publish: &'a Publish<'a>) -> Result<Prepared<'a>> {
        let file_schema = schema::file_schema(publish.schema)?;
        let (now, columns) = (now(), publish.partition_by);
        let values = |folder: &str| values::of_folder(folder, &file_schema, columns);
        let mut adds = Vec::new();
        for part in publish.files.iter().filter(|part| part.rows > 0) {
            let folder = part.name.rsplit_once('/').map_or("", |(folder, _)| folder);
            adds.push(add_of(part, values(folder)?, publish.claim.epoch, now));
        }
        let expected =
            publish.expected.iter().map(|partition| values(partition)).collect::<Result<Vec<_>>>()?;
        let replaced = match publish.mode {
            Mode::Error | Mode::Ignore | Mode::Append | Mode::AppendOnce => Replaced::Nothing,
            Mode::Overwrite => Replaced::Everything,
            Mode::ReplacePartitions => {
                let mut partitions = expected;
                partitions.extend(adds.iter().map(|add| add.partition_values.clone()));
                partitions.sort();
                partitions.dedup();
                Replaced::Partitions(partitions)
            }
        };
        let scope = scope_of(publish);
        Ok(Prepared { publish, file_schema, adds, replaced, scope })
    }

    /// The version after `snapshot`.
    pub(super) fn actions(&self, snapshot: Option<&Snapshot>, uri: &str) -> Result<Vec<Action>> {
        let (now, publish) = (now(), self.publish);
        if snapshot.is_some() && matches!(publish.mode, Mode::Error | Mode::Ignore) {
            return Err(exists(uri));
        }
        let mut actions = vec![self.info(now)?];
        actions.extend(info::txn(publish.claim, AppKind::Run, now));
        match snapshot {
            None => {
                actions.push(Action { protocol: Some(Protocol::ours()), ..Action::default() });
                let metadata = new_metadata(&self.file_schema, publish.partition_by, now);
                actions.push(Action { meta_data: Some(metadata), ..Action::default() });
            }
            Some(snapshot) => {
                let changed = self.check(snapshot).map_err(|e| e.at("output", uri))?;
                actions.extend(
                    changed.map(|metadata| Action { meta_data: Some(metadata), ..Action::default() }),
                );
                let removed =
                    snapshot.files.values().filter(|add| self.replaced.meets(&add.partition_values));
                actions.extend(
                    removed.map(|add| Action { remove: Some(add.removed(now)), ..Action::default() }),
                );
            }
        }
        actions.extend(self.adds.iter().map(|add| Action { add: Some(add.clone()), ..Action::default() }));
        Ok(actions)
    }

    /// Checks that the table takes the rows; gives its new metadata when an overwrite changes the columns.
    fn check(&self, snapshot: &Snapshot) -> Result<Option<Metadata>> {
        let Publish { mode, partition_by, evolves, .. } = self.publish;
        let metadata = &snapshot.metadata;
        snapshot.protocol.check_writable(metadata, self.replaced != Replaced::Nothing)?;
        let has_columns = metadata.partition_columns == *partition_by;
        let joined = schema::joined(&metadata.schema_string, &self.file_schema, *evolves);
        match (joined, has_columns) {
            (Ok(None), true) => Ok(None),
            (Ok(Some(schema_string)), true) => Ok(Some(Metadata { schema_string, ..metadata.clone() })),
            (_, _) if *mode == Mode::Overwrite => {
                let schema_string = schema::to_string(&self.file_schema);
                Ok(Some(Metadata {
                    schema_string,
                    partition_columns: partition_by.to_vec(),
                    ..metadata.clone()
                }))
            }
            (Err(error), _) => Err(error),
            (Ok(_), false) => {
                let (ours, theirs) = (partition_by.join(", "), metadata.partition_columns.join(", "));
                let text =
                    format!("the rows are partitioned by [{ours}], those of the Delta table by [{theirs}]");
                Err(Error::config(text)
                    .reason("schema_mismatch")
                    .help("name the same columns in `partition_by`"))
            }
        }
    }

    fn info(&self, now: i64) -> Result<Action> {
        let Publish { claim, mode, partition_by, output, counters, .. } = self.publish;
        let mode = match mode {
            Mode::Error | Mode::Ignore => "ErrorIfExists",
            Mode::Append | Mode::AppendOnce => "Append",
            Mode::Overwrite | Mode::ReplacePartitions => "Overwrite",
        };
        let kiln = KilnInfo {
            scope: Some(self.scope.clone()),
            output: Some(output.clone()),
            counters: counters.clone(),
            ..KilnInfo::of(claim)
        };
        let parameters = json!({ "mode": mode, "partitionBy": json!(partition_by).to_string() });
        kiln.action("WRITE", parameters, self.replaced == Replaced::Nothing, now)
    }
}

fn scope_of(publish: &Publish<'_>) -> Scope {
    let replaces = matches!(publish.mode, Mode::Overwrite | Mode::ReplacePartitions);
    if publish.mode == Mode::Overwrite || publish.partition_by.is_empty() {
        return Scope { partitions: None, replaces };
    }
    let files = publish.files.iter().filter(|part| part.rows > 0);
    let folders = files.filter_map(|part| part.name.rsplit_once('/')).map(|(folder, _)| folder.to_owned());
    Scope::of(folders.chain(publish.expected.iter().cloned()).collect(), replaces)
}

fn add_of(part: &OutputFile, partition_values: PartitionValues, epoch: u64, now: i64) -> Add {
    Add {
        path: values::encoded(&part.name),
        partition_values,
        size: i64::try_from(part.bytes).unwrap_or(i64::MAX),
        modification_time: now,
        data_change: true,
        stats: Some(json!({ "numRecords": part.rows }).to_string()),
        tags: Some([(EPOCH_TAG.to_owned(), Some(epoch.to_string()))].into()),
        deletion_vector: None,
    }
}

fn new_metadata(file_schema: &Schema, partition_by: &[String], now: i64) -> Metadata {
    Metadata {
        id: uuid::Uuid::new_v4().to_string(),
        name: None,
        description: None,
        format: FileFormat { provider: "parquet".to_owned(), options: Default::default() },
        schema_string: schema::to_string(file_schema),
        partition_columns: partition_by.to_vec(),
        created_time: Some(now),
        configuration: Default::default(),
    }
}
