//! A proxy in front of a PostgreSQL server that loses replies: it cuts a connection when the server answers a certain request,
//! so that the request was carried out and nobody is told.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is cut: connections on which the text `after` was sent, when a reply holds the text `reply`.
#[derive(Clone)]
pub(crate) struct Cut {
    pub(crate) after: &'static str,
    pub(crate) reply: &'static str,
    /// How many connections.
    pub(crate) times: u32,
    /// Whether no connection is accepted after the first cut.
    pub(crate) closes: bool,
}

/// The proxy; it accepts connections as long as the test runs.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    cut: Mutex<Cut>,
    cuts: AtomicU32,
    is_closed: AtomicBool,
}

impl Proxy {
    /// A proxy to the server at `server`, a port of this machine.
    pub(crate) fn start(server: u16, cut: Cut) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cuts, is_closed) = (AtomicU32::new(0), AtomicBool::new(false));
        let shared = Arc::new(Shared { server, cut: Mutex::new(cut), cuts, is_closed });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if !serving.is_closed.load(Ordering::SeqCst) {
                    serve(&serving, client);
                }
            }
        });
        Proxy { port, shared }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were cut.
    pub(crate) fn cuts(&self) -> u32 {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

fn serve(shared: &Arc<Shared>, client: TcpStream) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", shared.server)) else { return };
    let is_armed = Arc::new(AtomicBool::new(false));
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (requests, armed) = (Arc::clone(shared), Arc::clone(&is_armed));
    thread::spawn(move || {
        let after = requests.cut.lock().unwrap().after;
        pass(from, to, |bytes| {
            if holds(bytes, after) {
                armed.store(true, Ordering::SeqCst);
            }
            true
        });
    });
    let replies = Arc::clone(shared);
    thread::spawn(move || {
        let reply = replies.cut.lock().unwrap().reply;
        pass(server, client, |bytes| {
            !(is_armed.load(Ordering::SeqCst) && holds(bytes, reply) && replies.cuts_now())
        });
    });
}

impl Shared {
    /// Whether the connection is to be cut.
    fn cuts_now(&self) -> bool {
        let mut cut = self.cut.lock().unwrap();
        let is_left = cut.times > 0;
        if is_left {
            cut.times -= 1;
            self.is_closed.fetch_or(cut.closes, Ordering::SeqCst);
            self.cuts.fetch_add(1, Ordering::SeqCst);
        }
        is_left
    }
}

/// Passes bytes on until one side ends, or `may_pass` says no.
fn pass(mut from: TcpStream, mut to: TcpStream, mut may_pass: impl FnMut(&[u8]) -> bool) {
    let mut block = vec![0; 1 << 16];
    while let Ok(count) = from.read(&mut block) {
        if count == 0 || !may_pass(&block[..count]) || to.write_all(&block[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
