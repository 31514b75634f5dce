//! Where tasks put their files before the commit, and the file that one of them writes there.
//!
//! Bytes enter a [`PartFile`]; when it is closed they are in the store, or on their way to the disk, for which
//! the commit waits. They lie under a name that no reader looks for: it has no extension. A store is
//! given parts of an upload as they become full, so that a file needs no more memory than one of them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt};
use serde::{Deserialize, Serialize};

use super::{Writer, tagged};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::source::{Location, Store};

/// Bytes in a part of an upload; stores ask for 5 MiB at least and take 10,000 parts.
const UPLOAD_BYTES: usize = 8 << 20;
/// Bytes that are written to a local file at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Where tasks write the files of an output, as every process can reach it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Place {
    /// A staging folder of the file system.
    Folder(PathBuf),
    /// The output's own folder or prefix: its address, and the tag that makes the names of this publish unique.
    Final { address: String, tag: String },
}

impl Place {
    /// The name under which an attempt writes the file `name`, its `number`th, and the name that it is published under.
    pub fn names(
        &self,
        Writer { partition, attempt }: Writer,
        number: u32,
        name: String,
    ) -> (String, String) {
        match self {
            Place::Folder(_) => (format!("part-{partition:05}-attempt-{attempt}-file-{number}"), name),
            Place::Final { tag, .. } => {
                let again = if attempt == 0 { String::new() } else { format!("-{attempt}") };
                let name = tagged(&name, &format!("{tag}{again}"));
                (name.clone(), name)
            }
        }
    }

    /// Begins the file `name`.
    ///
    /// # Errors
    /// By the failing operation: auth without permission, resource when the disk is full.
    pub fn create(&self, name: &str) -> Result<PartFile> {
        match self {
            Place::Folder(folder) => {
                let path = folder.join(name);
                let address = path.display().to_string();
                let file = File::create_new(&path).map_err(|e| failed(e, &address))?;
                let to = To::Disk(BufWriter::with_capacity(BUFFER_BYTES, file));
                Ok(PartFile { to, bytes: 0, address })
            }
            Place::Final { address, .. } => {
                let address = format!("{address}/{name}");
                let Location { store, path, .. } = Location::exact(&address)?;
                if store.is_local() {
                    let file = create_with_folders(store.address(&path).as_ref());
                    let file = file.map_err(|e| failed(e, &address))?;
                    let to = To::Disk(BufWriter::with_capacity(BUFFER_BYTES, file));
                    return Ok(PartFile { to, bytes: 0, address });
                }
                let upload = Upload { store, path, buffer: Vec::new(), parts: None };
                Ok(PartFile { to: To::Store(upload), bytes: 0, address })
            }
        }
    }
}

fn create_with_folders(path: &std::path::Path) -> io::Result<File> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    File::create_new(path)
}

/// A file that is being written.
pub struct PartFile {
    to: To,
    bytes: u64,
    address: String,
}

enum To {
    Disk(BufWriter<File>),
    Store(Upload),
}

impl PartFile {
    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.bytes
    }

    /// Bytes held in memory.
    pub fn held(&self) -> usize {
        match &self.to {
            To::Disk(_) => BUFFER_BYTES,
            To::Store(upload) => upload.buffer.capacity(),
        }
    }

    /// Ends the file; an object is durable when this returns, a local file once the commit has waited for it.
    /// Gives its length in bytes.
    pub fn close(self) -> Result<u64> {
        let closed = match self.to {
            To::Disk(mut file) => file.flush().inspect(|()| begin_writeback(file.get_ref())),
            To::Store(upload) => upload.finish(),
        };
        closed.map_err(|e| failed(e, &self.address))?;
        Ok(self.bytes)
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &mut self.to {
            To::Disk(file) => {
                failpoint::slow("file.write");
                file.write(bytes)?
            }
            To::Store(upload) => upload.write(bytes)?,
        };
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // `close` makes everything durable; before that nobody reads it
    }
}

/// Has the system write the file to disk from now on, and not half a minute later: a slot need not wait for
/// it, and the commit will find little left to wait for. Linux does so when it is told that the file will not
/// be read soon; elsewhere the advice may do nothing.
fn begin_writeback(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

/// What a file operation failed with; an error of the engine's own keeps its class.
pub fn failed(error: io::Error, address: &str) -> Error {
    let ours = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).cloned();
    ours.unwrap_or_else(|| Error::io("cannot write a part of the output", error)).at("file", address)
}

/// An object that is being uploaded: nobody sees it before the upload is completed.
struct Upload {
    store: Store,
    path: Path,
    buffer: Vec<u8>,
    /// Begun when there is more than fits one request.
    parts: Option<Box<dyn MultipartUpload>>,
}

impl Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(UPLOAD_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == UPLOAD_BYTES {
            self.send()?;
        }
        Ok(count)
    }

    fn send(&mut self) -> io::Result<()> {
        let part = std::mem::take(&mut self.buffer);
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => {
                none.insert(self.store.wait(self.store.objects().put_multipart(&self.path)).map_err(ours)?)
            }
        };
        self.store.wait(parts.put_part(part.into())).map_err(ours)
    }

    fn finish(mut self) -> io::Result<()> {
        if self.parts.is_none() {
            let whole = std::mem::take(&mut self.buffer);
            let put = self.store.objects().put(&self.path, whole.into());
            return self.store.wait(put).map(|_| ()).map_err(ours);
        }
        if !self.buffer.is_empty() {
            self.send()?;
        }
        if let Some(parts) = &mut self.parts {
            self.store.wait(parts.complete()).map_err(ours)?;
        }
        // One that is not completed stays here, and is aborted when this is dropped.
        self.parts = None;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(mut parts) = self.parts.take() {
            // Of a task that failed; what a killed one leaves, the bucket's lifecycle rule removes.
            let _ = self.store.wait(parts.abort());
        }
    }
}

fn ours(error: object_store::Error) -> io::Error {
    io::Error::other(Error::from(error))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use object_store::{PutPayload, PutResult, UploadPart};

    use super::*;

    /// An upload that takes its parts and cannot be completed.
    #[derive(Debug)]
    struct Refused(Arc<AtomicBool>);

    type Answer<'a, T> = Pin<Box<dyn Future<Output = object_store::Result<T>> + Send + 'a>>;

    impl MultipartUpload for Refused {
        fn put_part(&mut self, _: PutPayload) -> UploadPart {
            Box::pin(std::future::ready(Ok(())))
        }
        fn complete<'s: 'a, 'a>(&'s mut self) -> Answer<'a, PutResult> {
            Box::pin(std::future::ready(Err(object_store::Error::NotImplemented {
                operation: "complete".to_owned(),
                implementer: "a test".to_owned(),
            })))
        }
        fn abort<'s: 'a, 'a>(&'s mut self) -> Answer<'a, ()> {
            self.0.store(true, Ordering::SeqCst);
            Box::pin(std::future::ready(Ok(())))
        }
    }

    #[test]
    fn an_upload_that_cannot_be_completed_is_aborted() {
        let Location { store, path, .. } = Location::exact("memory:///uploads/part").unwrap();
        let aborted = Arc::new(AtomicBool::new(false));
        let parts: Box<dyn MultipartUpload> = Box::new(Refused(Arc::clone(&aborted)));
        let upload = Upload { store, path, buffer: vec![1; 10], parts: Some(parts) };
        assert!(upload.finish().is_err());
        assert!(aborted.load(Ordering::SeqCst), "what it has uploaded would stay, and cost");
    }
}
