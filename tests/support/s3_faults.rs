//! Faults of the S3 server: requests that are dropped, refused, applied without a reply, or applied too
//! late.
//!
//! A fault applies to the requests of one method whose target contains a text, and to some of them by
//! their number. Each counts how often it struck, so that a test can check that it did.

use std::io;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::HeaderMap;

use super::*;

/// Larger than all objects of the tests.
const MAX_BODY: usize = 64 << 20;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action {
    /// The connection is reset before the request is applied.
    Drop,
    /// The request is applied, and the connection is reset instead of a reply.
    DropReply,
    /// The reply has this status, and the request is not applied.
    Refuse(u16),
    /// The request is applied, and the reply has this status.
    ApplyAndRefuse(u16),
    /// The request is applied after this time, even if its sender has disconnected.
    Late(Duration),
    /// The request is applied, and the reply takes this time.
    LateReply(Duration),
}

/// A planned fault.
#[derive(Clone)]
pub(crate) struct Fault(Arc<Plan>);

struct Plan {
    method: &'static str,
    part: String,
    numbers: Range<usize>,
    action: Action,
    seen: AtomicUsize,
    struck: AtomicUsize,
    done: AtomicUsize,
}

impl Fault {
    /// How many requests it has struck.
    pub(crate) fn struck(&self) -> usize {
        self.0.struck.load(Ordering::SeqCst)
    }

    /// How many of them the server has finished.
    pub(crate) fn done(&self) -> usize {
        self.0.done.load(Ordering::SeqCst)
    }

    /// Waits until it has struck this often.
    #[track_caller]
    pub(crate) fn wait(&self, times: usize) {
        crate::folder::wait_until(&format!("{:?} {}", self.0.action, self.0.part), || self.struck() >= times);
    }
}

/// The faults of a server.
#[derive(Default)]
pub(super) struct Faults {
    plans: Mutex<Vec<Fault>>,
    ignores_conditions: Mutex<Option<Arc<AtomicUsize>>>,
}

impl S3 {
    /// Plans `action` for requests of `method` whose target, including its query, contains `part`, and
    /// of these for the ones with an index in `numbers`, starting with 0.
    pub(crate) fn fault(
        &self,
        method: &'static str,
        part: &str,
        numbers: Range<usize>,
        action: Action,
    ) -> Fault {
        let [seen, struck, done] = [(); 3].map(|()| AtomicUsize::new(0));
        let plan = Plan { method, part: part.to_owned(), numbers, action, seen, struck, done };
        let fault = Fault(Arc::new(plan));
        self.shared.faults.plans.lock().unwrap().push(fault.clone());
        fault
    }

    /// Removes all planned faults.
    pub(crate) fn heal(&self) {
        self.shared.faults.plans.lock().unwrap().clear();
    }

    /// Ignores conditions of PUTs from now on, like a store without conditional PUT. Returns the count
    /// of ignored conditions.
    pub(crate) fn ignore_conditions(&self) -> Arc<AtomicUsize> {
        let count = Arc::new(AtomicUsize::new(0));
        *self.shared.faults.ignores_conditions.lock().unwrap() = Some(Arc::clone(&count));
        count
    }
}

impl Faults {
    /// The fault that strikes this request.
    fn find(&self, request: &Incoming) -> Option<Fault> {
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        let plans = self.plans.lock().unwrap();
        let matching = plans.iter().filter(|f| request.method() == f.0.method && target.contains(&f.0.part));
        // Every plan counts all of its matching requests, even those that another plan strikes.
        let struck: Vec<&Fault> =
            matching.filter(|f| f.0.numbers.contains(&f.0.seen.fetch_add(1, Ordering::SeqCst))).collect();
        let fault = struck.first().copied()?;
        fault.0.struck.fetch_add(1, Ordering::SeqCst);
        Some(fault.clone())
    }

    fn ignores(&self, headers: &HeaderMap) -> bool {
        let ignores = self.ignores_conditions.lock().unwrap();
        let Some(count) = ignores.as_ref().filter(|_| is_conditional(headers)) else { return false };
        count.fetch_add(1, Ordering::SeqCst);
        true
    }
}

/// Answers a request, with its fault if there is one.
pub(super) async fn answer(
    shared: Arc<Shared>,
    service: S3Service,
    request: Incoming,
) -> io::Result<Response> {
    if request.method() == "PUT" && shared.faults.ignores(request.headers()) {
        return Ok(shared.put_anyway(request).await);
    }
    let Some(fault) = shared.faults.find(&request) else {
        let _turn = shared.turn(request.headers()).await;
        return Ok(Service::call(&service, request).await.unwrap());
    };
    match fault.0.action {
        Action::Drop => return Err(reset()),
        Action::Refuse(status) => return Ok(empty(status)),
        _ => {}
    }
    let (parts, body) = request.into_parts();
    let body = s3s::Body::from(body).store_all_limited(MAX_BODY).await.unwrap();
    let request = hyper::Request::from_parts(parts, s3s::Body::from(body));
    // A separate task continues even if the sender of the request has disconnected.
    let applied = tokio::spawn(async move {
        if let Action::Late(delay) = fault.0.action {
            tokio::time::sleep(delay).await;
        }
        let applied = {
            let _turn = shared.turn(request.headers()).await;
            service.call(request).await.unwrap()
        };
        fault.0.done.fetch_add(1, Ordering::SeqCst);
        (fault.0.action, applied)
    });
    match applied.await.unwrap() {
        (Action::DropReply, _) => Err(reset()),
        (Action::ApplyAndRefuse(status), _) => Ok(empty(status)),
        (Action::LateReply(delay), answer) => {
            tokio::time::sleep(delay).await;
            Ok(answer)
        }
        (_, answer) => Ok(answer),
    }
}

impl Shared {
    /// Serializes conditional requests.
    async fn turn(&self, headers: &HeaderMap) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if is_conditional(headers) { Some(self.conditional.lock().await) } else { None }
    }

    async fn put_anyway(&self, request: Incoming) -> Response {
        let path = self.root.join(decoded(request.uri().path().trim_start_matches('/')));
        let body: Bytes = s3s::Body::from(request.into_body()).store_all_limited(MAX_BODY).await.unwrap();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &body).unwrap();
        let tag = format!("\"{:x}\"", body.len());
        hyper::Response::builder().header("etag", tag).body(s3s::Body::empty()).unwrap()
    }
}

fn is_conditional(headers: &HeaderMap) -> bool {
    ["if-match", "if-none-match"].iter().any(|name| headers.contains_key(*name))
}

fn reset() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "a planned fault")
}

fn empty(status: u16) -> Response {
    hyper::Response::builder().status(status).body(s3s::Body::empty()).unwrap()
}
