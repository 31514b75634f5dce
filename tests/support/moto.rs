//! moto: a second, independent S3 server. It is a Python program, and the tests that need it fail
//! without it.
//!
//! It checks the condition of a PUT and applies the PUT in two steps, so several concurrent ones can
//! succeed: on 2026-11-28, with eight threads, in 60 of 100 tries of `If-None-Match: *`. Tests against
//! it send one conditional PUT at a time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::folder;
use crate::job::Job;
use crate::s3::BUCKET;

/// Environment variable with a Python other than `python3`.
const PYTHON: &str = "KILN_MOTO_PYTHON";
const HELP: &str =
    "moto is needed: pip install 'moto[server]' (KILN_MOTO_PYTHON names another Python than python3)";
/// Time limit of a reply.
const LIMIT: Duration = Duration::from_secs(10);

/// The server, with one empty bucket. It stops when it is dropped.
pub(crate) struct Moto {
    child: Child,
    port: u16,
}

impl Moto {
    pub(crate) fn start() -> Moto {
        let python = std::env::var(PYTHON).unwrap_or_else(|_| "python3".to_owned());
        let mut has_moto = Command::new(&python);
        has_moto.args(["-c", "import moto.server, flask"]).stderr(Stdio::null());
        assert!(has_moto.status().is_ok_and(|status| status.success()), "{HELP}");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(&python);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect(HELP);
        let moto = Moto { child, port };
        folder::wait_until("moto listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        assert!(moto.ask("PUT", &format!("/{BUCKET}")).contains(" 200 "));
        moto
    }

    /// Configures `job` to use the server.
    pub(crate) fn tell(&self, job: Job) -> Job {
        job.env("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.port))
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "a-test")
            .env("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    }

    /// The reply to a request without body and signature, which moto does not require.
    pub(crate) fn ask(&self, method: &str, target: &str) -> String {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The texts between the tags `name` of a reply.
    pub(crate) fn all(answer: &str, name: &str) -> Vec<String> {
        let tag = format!("<{name}>");
        let parts = answer.split(&tag).skip(1);
        parts.map(|part| part.split("</").next().unwrap().to_owned()).collect()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
