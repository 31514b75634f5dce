//! A store that loses requests and replies, as a script from a seed says.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    None,
    /// It is done, and its reply is lost.
    ReplyLost,
    /// It never arrives.
    Lost,
    /// The store is busy with the same key: 409, which `object_store` reports as "exists".
    Conflict,
    /// It is done, the reply is 5xx, and the client's second try finds the object: 412.
    DoneThenExists,
}

/// What a script is made of, more often good than bad.
const FAULTS: [Fault; 8] = [
    Fault::None,
    Fault::ReplyLost,
    Fault::None,
    Fault::Lost,
    Fault::None,
    Fault::Conflict,
    Fault::None,
    Fault::DoneThenExists,
];

/// Random numbers from a seed (SplitMix64).
#[derive(Debug)]
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// A store through which puts and gets may fail.
#[derive(Debug)]
pub(super) struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    numbers: Mutex<Numbers>,
    /// Requests that fail at most; then all is well.
    left: Mutex<usize>,
    /// What happened, for the message of a failed test.
    pub(super) script: Mutex<Vec<Fault>>,
}

impl FaultyStore {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, seed: u64, faults: usize) -> FaultyStore {
        let (numbers, left) = (Mutex::new(Numbers(seed)), Mutex::new(faults));
        FaultyStore { inner, numbers, left, script: Mutex::default() }
    }

    fn next(&self) -> Fault {
        let mut left = self.left.lock().unwrap();
        let fault =
            if *left == 0 { Fault::None } else { FAULTS[self.numbers.lock().unwrap().below(FAULTS.len())] };
        *left = left.saturating_sub(1);
        self.script.lock().unwrap().push(fault);
        fault
    }
}

fn lost() -> Error {
    Error::Generic { store: "faulty", source: "the connection was reset".into() }
}

fn exists(path: &Path) -> Error {
    Error::AlreadyExists { path: path.to_string(), source: "it exists".into() }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        match self.next() {
            Fault::None => self.inner.put_opts(path, payload, options).await,
            Fault::ReplyLost => self.inner.put_opts(path, payload, options).await.and(Err(lost())),
            Fault::DoneThenExists => self.inner.put_opts(path, payload, options).await.and(Err(exists(path))),
            Fault::Lost => Err(lost()),
            Fault::Conflict => Err(exists(path)),
        }
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        match self.next() {
            Fault::Lost | Fault::ReplyLost => Err(lost()),
            _ => self.inner.get_opts(path, options).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faulty {}", self.inner)
    }
}
