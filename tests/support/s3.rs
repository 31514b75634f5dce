//! A real S3 protocol server in the test process, whose buckets are folders of a temporary folder.
//!
//! Jobs reach it by HTTP on a loopback port and sign their requests. The server underneath looks and
//! then writes when it is asked to put an object on a condition, so such requests take turns here, as
//! a real store promises, and what is a folder there is no object here. A request can be held for ever: that is where a test kills a job.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::job::Job;

/// The name of the bucket that is there.
pub(crate) const BUCKET: &str = "bucket";
const KEY: &str = "a-test";
const SECRET: &str = "not-a-secret";
/// How long a held request is waited for.
const LIMIT: Duration = Duration::from_secs(30);

/// The server; it ends with the test.
pub(crate) struct S3 {
    root: TempDir,
    address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct Shared {
    /// Requests on a condition take turns.
    conditional: tokio::sync::Mutex<()>,
    /// The folder with the buckets.
    root: PathBuf,
    /// What a key ends in whose next `PUT` is held, and who is told so.
    held: Mutex<Option<(String, mpsc::Sender<()>)>>,
}

impl S3 {
    pub(crate) fn start() -> S3 {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let shared = Arc::new(Shared { root: root.path().to_owned(), ..Shared::default() });
        let service = builder.build();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, service, Arc::clone(&shared)));
        S3 { root, address, shared, _runtime: runtime }
    }

    /// The folder behind the bucket.
    pub(crate) fn bucket(&self) -> PathBuf {
        self.root.path().join(BUCKET)
    }

    /// Tells `job` where the server is and how to sign.
    pub(crate) fn tell(&self, job: Job) -> Job {
        self.tell_with(job, SECRET)
    }

    pub(crate) fn tell_with(&self, job: Job, secret: &str) -> Job {
        job.env("AWS_ENDPOINT", format!("http://{}", self.address))
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", secret)
    }

    /// Holds the next request that puts a key which ends in `end`; what comes back is told of it.
    pub(crate) fn hold(&self, end: &str) -> Held {
        let (to, held) = mpsc::channel();
        *self.shared.held.lock().unwrap() = Some((end.to_owned(), to));
        Held(held)
    }

    /// The keys below a prefix, in order; what is staged and the server's own files are left out.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        self.all_keys().into_iter().filter(|key| key.starts_with(prefix)).collect()
    }

    /// The names of the files that the manifest of the output `prefix` has.
    pub(crate) fn manifest(&self, prefix: &str) -> Vec<String> {
        let Ok(json) = fs::read(self.bucket().join(prefix).join("_SUCCESS")) else { return Vec::new() };
        let manifest: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let files = manifest["files"].as_array().unwrap().iter();
        files
            .map(|file| format!("{}/{}", prefix.trim_end_matches('/'), file["name"].as_str().unwrap()))
            .collect()
    }

    /// The keys of data below the output `prefix` that its manifest does not name.
    pub(crate) fn unpublished(&self, prefix: &str) -> Vec<String> {
        let named = self.manifest(prefix);
        let keys = self.keys(&format!("{}/", prefix.trim_end_matches('/'))).into_iter();
        keys.filter(|key| !key.ends_with("_SUCCESS") && !named.contains(key)).collect()
    }

    fn all_keys(&self) -> Vec<String> {
        let bucket = self.bucket();
        let files = crate::folder::tree(&bucket).into_iter().filter(|path| bucket.join(path).is_file());
        files.map(|path| path.to_string_lossy().into_owned()).collect()
    }

    /// Puts an object.
    pub(crate) fn put(&self, key: &str, text: &str) {
        let path = self.bucket().join(key);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// A request that is to be held.
pub(crate) struct Held(mpsc::Receiver<()>);

impl Held {
    /// Waits until it has come.
    pub(crate) fn wait(self) {
        self.0.recv_timeout(LIMIT).expect("the request that is to be held comes");
    }
}

async fn serve(listener: TcpListener, service: S3Service, shared: Arc<Shared>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (service, shared) = (service.clone(), Arc::clone(&shared));
        let answer = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let (service, shared) = (service.clone(), Arc::clone(&shared));
            async move {
                let is_held = request.method() == "PUT" && shared.is_held(request.uri().path());
                if is_held {
                    std::future::pending::<()>().await;
                }
                if shared.is_missing(request.method().as_str(), request.uri().path()) {
                    let missing = hyper::Response::builder().status(404);
                    return Ok(missing.body(s3s::Body::empty()).unwrap());
                }
                let is_conditional =
                    ["if-match", "if-none-match"].iter().any(|h| request.headers().contains_key(*h));
                let _turn = if is_conditional { Some(shared.conditional.lock().await) } else { None };
                Ok::<_, Infallible>(Service::call(&service, request).await.unwrap())
            }
        });
        tokio::spawn(async move {
            // A job that is killed drops its connections.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), answer).await;
        });
    }
}

impl Shared {
    /// Whether there is no such bucket, which the server underneath would make, or an object is looked
    /// for where it has a folder, over which it would stumble.
    fn is_missing(&self, method: &str, path: &str) -> bool {
        let path = decoded(path.trim_start_matches('/'));
        let bucket = path.split('/').next().unwrap_or_default();
        !self.root.join(bucket).is_dir() || (method == "HEAD" && self.root.join(&path).is_dir())
    }

    fn is_held(&self, path: &str) -> bool {
        let mut held = self.held.lock().unwrap();
        match held.take_if(|(end, _)| path.ends_with(end.as_str())) {
            Some((_, tell)) => tell.send(()).is_ok(),
            None => false,
        }
    }
}

/// The key of a request, in which `%20` is a blank.
fn decoded(path: &str) -> String {
    let (mut key, mut parts) = (Vec::new(), path.split('%'));
    key.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        key.push(u8::from_str_radix(&part[..2], 16).unwrap());
        key.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(key).unwrap()
}
