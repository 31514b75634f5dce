//! What limits a load: the server that works on its rows, or the network that does not take them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::job::{Ended, Job};
use crate::server::{PASSWORD, Server};

/// What passes at a time, and the pause after it: 2 MB a second for each connection.
const CHUNK: usize = 16 << 10;
const PAUSE: Duration = Duration::from_millis(8);

fn read(url: &str, filter: &str) -> Ended {
    let job = Job::new(env!("CARGO_BIN_EXE_read_postgres")).on("local[2]");
    let job = job.option("--url", url).option("--table", "t").option("--splits", "2");
    job.option("--filter", filter).run().ok()
}

fn bottleneck(ended: &Ended) -> String {
    ended.json()["bottleneck"]["resource"].as_str().unwrap_or("none").to_owned()
}

/// A port that passes everything on to `port`, what comes back slowly.
fn slow_network(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", port)).unwrap());
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || pass(from, to, Duration::ZERO));
            thread::spawn(move || pass(server, client, PAUSE));
        }
    });
    own
}

fn pass(mut from: TcpStream, mut to: TcpStream, pause: Duration) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(bytes @ 1..) = from.read(&mut chunk) {
        if to.write_all(&chunk[..bytes]).is_err() {
            break;
        }
        thread::sleep(pause);
    }
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn a_server_that_computes_is_the_bottleneck() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT g AS id, 'x'::text AS text FROM generate_series(1::bigint, 2000) g");
    let ended = read(&db.url(), "pg_sleep(0.001) IS NOT NULL");
    assert_eq!(bottleneck(&ended), "source", "{}", ended.stderr);
}

#[test]
fn a_network_that_takes_rows_slowly_is_the_bottleneck() {
    let db = Server::shared();
    db.sql(
        "CREATE TABLE t AS SELECT g AS id, repeat('x', 4000) AS text FROM generate_series(1::bigint, 4000) g",
    );
    let port = db.server().port();
    let slow = slow_network(port);
    let url = db.tcp_url(&format!("kiln:{PASSWORD}")).replace(&format!(":{port}/"), &format!(":{slow}/"));
    let ended = read(&url, "true");
    assert_eq!(bottleneck(&ended), "network", "{}", ended.stderr);
}
