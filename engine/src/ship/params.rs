//! The data of an operator as bytes, which the driver writes and an executor reads in the same order.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};
use crate::row::{Row, ipc};

/// An operator, or a part of one, whose data can be sent to another process.
pub trait Ship: Sized {
    /// Writes the data; fails when something cannot be sent.
    fn ship(&self, params: &mut ParamWriter) -> Result<()>;

    /// Creates the value from its type and the data.
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self>;
}

/// Collects parameters.
#[derive(Default)]
pub struct ParamWriter(Vec<u8>);

impl ParamWriter {
    /// Adds a value.
    pub fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let bytes = postcard::to_stdvec(value)
            .map_err(|e| Error::config("a parameter cannot be serialised").because(e))?;
        self.0.extend(bytes);
        Ok(())
    }

    /// Adds bytes unchanged.
    pub fn put_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.put(&(bytes.len() as u64))?;
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    /// Adds rows, as Arrow batches.
    pub fn put_rows<'r, T: Row>(&mut self, rows: impl IntoIterator<Item = &'r T>) -> Result<()> {
        self.put_bytes(&ipc::to_bytes(&ipc::batch_of(rows.into_iter())?)?)
    }

    /// Adds a schema.
    pub fn put_schema(&mut self, schema: &SchemaRef) -> Result<()> {
        self.put_bytes(&ipc::to_bytes(&RecordBatch::new_empty(Arc::clone(schema)))?)
    }

    /// All bytes so far.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads parameters in the order in which they were added.
pub struct ParamReader<'a>(&'a [u8]);

impl<'a> ParamReader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        ParamReader(bytes)
    }

    /// The next value.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<T> {
        let (value, rest) = postcard::take_from_bytes(self.0)
            .map_err(|e| Error::bug("a parameter cannot be read back").because(e))?;
        self.0 = rest;
        Ok(value)
    }

    /// The next bytes added by [`ParamWriter::put_bytes`].
    pub fn take_bytes(&mut self) -> Result<&'a [u8]> {
        let count: u64 = self.take()?;
        let (bytes, rest) = usize::try_from(count)
            .ok()
            .and_then(|n| self.0.split_at_checked(n))
            .ok_or_else(|| Error::bug("the parameters end early"))?;
        self.0 = rest;
        Ok(bytes)
    }

    /// The next rows added by [`ParamWriter::put_rows`].
    pub fn take_rows<T: Row>(&mut self) -> Result<Vec<T>> {
        ipc::rows_of(&ipc::from_bytes(self.take_bytes()?)?)
    }

    /// The next schema added by [`ParamWriter::put_schema`].
    pub fn take_schema(&mut self) -> Result<SchemaRef> {
        ipc::schema_of(self.take_bytes()?)
    }

    /// The next rows, of which there must be one.
    pub fn take_row<T: Row>(&mut self) -> Result<T> {
        self.take_rows()?.pop().ok_or_else(|| Error::bug("a row is missing among the parameters"))
    }
}
