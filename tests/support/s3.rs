//! A real S3 server in the test process, whose buckets are folders of a temporary folder.
//!
//! Jobs access it through HTTP on a loopback port and sign their requests. The underlying server checks
//! the condition of a conditional PUT and then writes, so such requests are serialized here, as a real
//! store guarantees. A folder of the underlying server is not an object here. A request can be held
//! forever, so that a test can kill a job at that point.
//!
//! Requests for a range are answered here (`ranged`), because the underlying server ignores their
//! condition and computes the checksum of the whole object for each range. Every request is recorded,
//! and may be delayed or refused.

#![allow(dead_code, reason = "each test binary uses a part of it")]

#[path = "delta_log.rs"]
pub(crate) mod delta_log;
#[path = "s3_faults.rs"]
mod faults;

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, SystemTime};

use hyper::header::HeaderValue;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::job::Job;
#[allow(unused_imports, reason = "each test binary uses a part of it")]
pub(crate) use faults::Action;

/// The name of the existing bucket.
pub(crate) const BUCKET: &str = "bucket";
type Incoming = hyper::Request<hyper::body::Incoming>;
type Response = hyper::Response<s3s::Body>;

const KEY: &str = "a-test";
const SECRET: &str = "not-a-secret";
/// Time limit of the wait for a held request.
const LIMIT: Duration = Duration::from_secs(30);

/// The server. It stops when it is dropped.
pub(crate) struct S3 {
    root: TempDir,
    address: SocketAddr,
    is_tls: bool,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct Shared {
    /// Serializes conditional requests.
    conditional: tokio::sync::Mutex<()>,
    /// The folder with the buckets.
    root: PathBuf,
    /// Suffix of the key whose next `PUT` is held, and the channel to notify.
    held: Mutex<Option<(String, mpsc::Sender<()>)>>,
    /// The same for requests for a part of a key, with the signal to continue.
    held_get: Mutex<Option<(String, mpsc::Sender<()>)>>,
    go_on: tokio::sync::Notify,
    /// Minimum duration of every request.
    delay: Mutex<Duration>,
    requests: Mutex<Vec<Request>>,
    /// Status and body of the reply if every request is refused.
    refusal: Mutex<Option<(u16, String)>>,
    /// A key, the number of requests for it that are answered before it is replaced, and the new
    /// content.
    replacement: Mutex<Option<(String, usize, Vec<u8>)>>,
    faults: faults::Faults,
    /// ETags by path, size and time.
    tags: Mutex<HashMap<(PathBuf, u64, SystemTime), HeaderValue>>,
}

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path without the bucket; for a list, with its query.
    pub(crate) key: String,
    pub(crate) range: Option<String>,
    pub(crate) if_match: Option<String>,
}

impl S3 {
    pub(crate) fn start() -> S3 {
        S3::start_as(None)
    }

    /// The same with TLS, and with a certificate that no authority has signed.
    pub(crate) fn start_with_tls() -> S3 {
        let pem = |name: &str| format!("{}/stores/tls/{name}.pem", env!("CARGO_MANIFEST_DIR"));
        let certificate = CertificateDer::from_pem_file(pem("certificate")).unwrap();
        let key = PrivateKeyDer::from_pem_file(pem("key")).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
        S3::start_as(Some(TlsAcceptor::from(Arc::new(config.unwrap()))))
    }

    fn start_as(tls: Option<TlsAcceptor>) -> S3 {
        let is_tls = tls.is_some();
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
        runtime.spawn(serve(listener, tls, service, Arc::clone(&shared)));
        S3 { root, address, is_tls, shared, _runtime: runtime }
    }

    /// The folder of the bucket.
    pub(crate) fn bucket(&self) -> PathBuf {
        self.root.path().join(BUCKET)
    }

    /// Configures `job` with the address of the server and the keys.
    pub(crate) fn tell(&self, job: Job) -> Job {
        self.tell_with(job, SECRET)
    }

    pub(crate) fn tell_with(&self, job: Job, secret: &str) -> Job {
        job.env("AWS_ENDPOINT", self.endpoint())
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", secret)
    }

    /// The address of the server.
    pub(crate) fn endpoint(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.address)
    }

    /// The access key id and the secret with which jobs sign.
    pub(crate) fn keys_of_user(&self) -> (&'static str, &'static str) {
        (KEY, SECRET)
    }

    /// Sets the minimum duration of every request.
    pub(crate) fn delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap() = delay;
    }

    /// Refuses every request with this status and code.
    pub(crate) fn refuse(&self, status: u16, code: &str) {
        let body =
            if code.is_empty() { String::new() } else { format!("<Error><Code>{code}</Code></Error>") };
        *self.shared.refusal.lock().unwrap() = Some((status, body));
    }

    /// Replaces the object `key` after `answered` requests for parts of it.
    pub(crate) fn replace_after(&self, key: &str, answered: usize, content: impl Into<Vec<u8>>) {
        *self.shared.replacement.lock().unwrap() = Some((key.to_owned(), answered, content.into()));
    }

    /// The requests that were received since the last call.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.shared.requests.lock().unwrap())
    }

    /// Holds the next request for a part of a key that ends with `end`, until [`S3::let_go`].
    pub(crate) fn hold_get(&self, end: &str) -> Held {
        let (to, held) = mpsc::channel();
        *self.shared.held_get.lock().unwrap() = Some((end.to_owned(), to));
        Held(held)
    }

    /// Continues the requests that [`S3::hold_get`] holds.
    pub(crate) fn let_go(&self) {
        self.shared.go_on.notify_waiters();
    }

    /// Holds the next PUT of a key that ends with `end`. The returned value can wait for it.
    pub(crate) fn hold(&self, end: &str) -> Held {
        let (to, held) = mpsc::channel();
        *self.shared.held.lock().unwrap() = Some((end.to_owned(), to));
        Held(held)
    }

    /// The keys below a prefix, sorted, without staged objects and the server's own files.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        self.all_keys().into_iter().filter(|key| key.starts_with(prefix)).collect()
    }

    /// The names of the files in the manifest of the output `prefix`.
    pub(crate) fn manifest(&self, prefix: &str) -> Vec<String> {
        let Ok(json) = fs::read(self.bucket().join(prefix).join("_SUCCESS")) else { return Vec::new() };
        let manifest: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let files = manifest["files"].as_array().unwrap().iter();
        files
            .map(|file| format!("{}/{}", prefix.trim_end_matches('/'), file["name"].as_str().unwrap()))
            .collect()
    }

    /// The keys of the files of the output `prefix`, by its log or by its manifest.
    pub(crate) fn published(&self, prefix: &str) -> Vec<String> {
        let prefix = prefix.trim_end_matches('/');
        match delta_log::live(&self.bucket().join(prefix)) {
            Some(live) => live.into_iter().map(|name| format!("{prefix}/{name}")).collect(),
            None => self.manifest(prefix),
        }
    }

    /// The keys of data below the output `prefix` that are neither in its manifest nor in a version of
    /// its log.
    pub(crate) fn unpublished(&self, prefix: &str) -> Vec<String> {
        let prefix = prefix.trim_end_matches('/');
        let mut named = self.manifest(prefix);
        let of_log = delta_log::named(&self.bucket().join(prefix)).into_iter();
        named.extend(of_log.map(|name| format!("{prefix}/{name}")));
        let keys = self.keys(&format!("{prefix}/")).into_iter();
        let keys = keys.filter(|key| !key.ends_with("_SUCCESS") && !key.contains("/_delta_log/"));
        keys.filter(|key| !named.contains(key)).collect()
    }

    fn all_keys(&self) -> Vec<String> {
        let bucket = self.bucket();
        let files = crate::folder::tree(&bucket).into_iter().filter(|path| bucket.join(path).is_file());
        files.map(|path| path.to_string_lossy().into_owned()).collect()
    }

    /// Puts an object.
    pub(crate) fn put(&self, key: &str, text: &str) {
        self.put_bytes(key, text.as_bytes());
    }

    pub(crate) fn put_bytes(&self, key: &str, content: &[u8]) {
        let path = self.bucket().join(key);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// A request to be held.
pub(crate) struct Held(mpsc::Receiver<()>);

impl Held {
    /// Waits until the request has arrived.
    pub(crate) fn wait(self) {
        self.0.recv_timeout(LIMIT).expect("the request that is to be held comes");
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, service: S3Service, shared: Arc<Shared>) {
    while let Ok((socket, _)) = listener.accept().await {
        let (service, shared) = (service.clone(), Arc::clone(&shared));
        let answer = hyper::service::service_fn(move |request: Incoming| {
            let (service, shared) = (service.clone(), Arc::clone(&shared));
            async move {
                shared.note(&request);
                let delay = *shared.delay.lock().unwrap();
                tokio::time::sleep(delay).await;
                if let Some((status, body)) = shared.refusal.lock().unwrap().clone() {
                    let refused = hyper::Response::builder().status(status);
                    return Ok(refused.body(s3s::Body::from(body)).unwrap());
                }
                if request.method() == "GET" && request.headers().contains_key("range") {
                    let go_on = shared.go_on.notified();
                    if is_named(&shared.held_get, request.uri().path()) {
                        go_on.await;
                    }
                    return Ok(shared.ranged(&service, request).await);
                }
                let is_held = request.method() == "PUT" && shared.is_held(request.uri().path());
                if is_held {
                    std::future::pending::<()>().await;
                }
                if shared.is_missing(request.method().as_str(), request.uri().path()) {
                    let missing = hyper::Response::builder().status(404);
                    return Ok(missing.body(s3s::Body::empty()).unwrap());
                }
                faults::answer(shared, service, request).await
            }
        });
        let tls = tls.clone();
        tokio::spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            // A killed job drops its connections, and so does one that does not trust the certificate.
            match tls {
                None => drop(builder.serve_connection(TokioIo::new(socket), answer).await),
                Some(tls) => {
                    let Ok(socket) = tls.accept(socket).await else { return };
                    drop(builder.serve_connection(TokioIo::new(socket), answer).await);
                }
            }
        });
    }
}

impl Shared {
    /// Whether the bucket does not exist, which the underlying server would create, or whether a HEAD
    /// is for a folder, on which the underlying server would fail.
    fn is_missing(&self, method: &str, path: &str) -> bool {
        let path = decoded(path.trim_start_matches('/'));
        let bucket = path.split('/').next().unwrap_or_default();
        !self.root.join(bucket).is_dir() || (method == "HEAD" && self.root.join(&path).is_dir())
    }

    fn note(&self, request: &Incoming) {
        let header = |name: &str| Some(request.headers().get(name)?.to_str().unwrap().to_owned());
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        let path = decoded(target.trim_start_matches('/'));
        let key =
            path.split_once('/').map_or(path.clone(), |(_, key)| key.split('?').next().unwrap().to_owned());
        let method = request.method().to_string();
        self.requests.lock().unwrap().push(Request {
            method,
            key,
            range: header("range"),
            if_match: header("if-match"),
        });
    }

    /// Answers a request for a range of an object.
    async fn ranged(&self, service: &S3Service, request: Incoming) -> Response {
        let path = self.root.join(decoded(request.uri().path().trim_start_matches('/')));
        let Ok(file) = fs::File::open(&path) else { return Service::call(service, request).await.unwrap() };
        let meta = file.metadata().unwrap();
        let version = (path.clone(), meta.len(), meta.modified().unwrap());
        let range = request.headers()["range"].to_str().unwrap().trim_start_matches("bytes=").to_owned();
        let condition = request.headers().get("if-match").cloned();
        let known = self.tags.lock().unwrap().get(&version).cloned();
        let tag = match known {
            Some(tag) => tag,
            None => {
                let answer = Service::call(service, request).await.unwrap();
                let Some(tag) = answer.headers().get("etag").cloned() else { return answer };
                self.tags.lock().unwrap().insert(version, tag.clone());
                tag
            }
        };
        let answer = hyper::Response::builder().header("etag", &tag).header("accept-ranges", "bytes");
        if condition.is_some_and(|condition| condition != tag) {
            return answer.status(412).body(s3s::Body::empty()).unwrap();
        }
        let (first, last) = range.split_once('-').unwrap();
        let (first, last): (u64, u64) =
            (first.parse().unwrap(), last.parse::<u64>().unwrap().min(meta.len() - 1));
        let mut bytes = vec![0; (last - first + 1) as usize];
        file.read_exact_at(&mut bytes, first).unwrap();
        self.replace(&path);
        let modified = chrono::DateTime::<chrono::Utc>::from(meta.modified().unwrap()).to_rfc2822();
        answer
            .status(206)
            .header("content-range", format!("bytes {first}-{last}/{}", meta.len()))
            .header("content-length", bytes.len())
            .header("last-modified", modified.replace("+0000", "GMT"))
            .body(s3s::Body::from(bytes))
            .unwrap()
    }

    /// Counts an answered request for a part of the object at `path`, and replaces the object after the
    /// last one.
    fn replace(&self, path: &Path) {
        let mut replacement = self.replacement.lock().unwrap();
        let Some((key, left, content)) = &mut *replacement else { return };
        if !path.ends_with(&*key) {
            return;
        }
        *left -= 1;
        if *left == 0 {
            fs::write(path, content).unwrap();
            *replacement = None;
        }
    }

    fn is_held(&self, path: &str) -> bool {
        is_named(&self.held, path)
    }
}

/// Whether the request for `path` is the one to be held, in which case its waiter is notified.
fn is_named(held: &Mutex<Option<(String, mpsc::Sender<()>)>>, path: &str) -> bool {
    match held.lock().unwrap().take_if(|(end, _)| path.ends_with(end.as_str())) {
        Some((_, tell)) => tell.send(()).is_ok(),
        None => false,
    }
}

/// The key of a request, with percent-encoding decoded.
fn decoded(path: &str) -> String {
    let (mut key, mut parts) = (Vec::new(), path.split('%'));
    key.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        key.push(u8::from_str_radix(&part[..2], 16).unwrap());
        key.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(key).unwrap()
}
