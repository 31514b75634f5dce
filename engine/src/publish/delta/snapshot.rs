//! A version of a Delta table: what is left of all actions up to it ("Action Reconciliation").

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;

use super::actions::{Action, Add, Metadata, Protocol, Remove, Txn};
use super::schema;
use super::values::{PartitionValues, from_log};
use crate::error::{Error, Result};

/// A version of a table.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub version: u64,
    pub protocol: Protocol,
    pub metadata: Metadata,
    /// The live files, by path.
    pub files: BTreeMap<String, Add>,
    /// The files that left, by path.
    pub removes: BTreeMap<String, Remove>,
    /// The last transaction of each application.
    pub txns: BTreeMap<String, Txn>,
}

/// The actions up to some version.
#[derive(Debug, Default)]
pub struct Replay {
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    files: BTreeMap<String, Add>,
    removes: BTreeMap<String, Remove>,
    txns: BTreeMap<String, Txn>,
}

impl Replay {
    /// Adds a row of a checkpoint.
    pub fn add(&mut self, action: Action) {
        let Action { protocol, meta_data, txn, remove, add, .. } = action;
        self.protocol = protocol.or(self.protocol.take());
        self.metadata = meta_data.or(self.metadata.take());
        if let Some(txn) = txn {
            self.txns.insert(txn.app_id.clone(), txn);
        }
        if let Some(remove) = remove {
            self.files.remove(&remove.path);
            self.removes.insert(remove.path.clone(), remove);
        }
        if let Some(add) = add {
            self.removes.remove(&add.path);
            self.files.insert(add.path.clone(), add);
        }
    }

    /// Adds the actions of a commit, in which the order means nothing: a file that leaves and joins is there.
    pub fn add_commit(&mut self, actions: Vec<Action>) {
        let (adds, others): (Vec<_>, Vec<_>) = actions.into_iter().partition(|action| action.add.is_some());
        others.into_iter().chain(adds).for_each(|action| self.add(action));
    }

    /// The version `version`, the last that was added.
    ///
    /// # Errors
    /// Data when the log names no columns; config for a table that Kiln cannot read.
    pub fn end(self, version: u64) -> Result<Snapshot> {
        let Replay { protocol: Some(protocol), metadata: Some(metadata), mut files, removes, txns } = self
        else {
            return Err(Error::data(
                "the Delta log does not describe a table: its protocol or metadata is missing",
            ));
        };
        protocol.check_readable(&metadata)?;
        // A null that went through a checkpoint is not there any more.
        for add in files.values_mut() {
            for column in &metadata.partition_columns {
                if !add.partition_values.contains_key(column) {
                    add.partition_values.insert(column.clone(), None);
                }
            }
        }
        Ok(Snapshot { version, protocol, metadata, files, removes, txns })
    }
}

impl Snapshot {
    /// The version after this one.
    ///
    /// # Errors
    /// As [`Replay::end`].
    pub fn after(self, actions: Vec<Action>) -> Result<Snapshot> {
        let Snapshot { version, protocol, metadata, files, removes, txns } = self;
        let mut replay = Replay { protocol: Some(protocol), metadata: Some(metadata), files, removes, txns };
        replay.add_commit(actions);
        replay.end(version + 1)
    }

    /// The columns, those of partitions included.
    ///
    /// # Errors
    /// As [`schema::parse`].
    pub fn schema(&self) -> Result<SchemaRef> {
        schema::parse(&self.metadata.schema_string)
    }

    /// The partition values of a file as a source reads them.
    pub fn read_values(&self, add: &Add, table: &SchemaRef) -> PartitionValues {
        let columns = self.metadata.partition_columns.iter();
        let value = |column: &String| {
            let data_type = table.field_with_name(column).ok().map(|field| field.data_type());
            (column.clone(), add.partition_value(column).map(|value| from_log(value, data_type)))
        };
        columns.map(value).collect()
    }
}
