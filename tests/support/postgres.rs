//! A private PostgreSQL server: created by `initdb` in a temporary folder, and reached through a socket
//! there and a free port.
//!
//! The server refuses to run as root, so tests that run as root start it as `nobody`. The tests of one
//! binary share a server while any of them uses it, each with its own database; the server stops after
//! the last of them.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::job;

/// The password of the superuser `kiln`.
pub(crate) const PASSWORD: &str = "Correct-Horse-42";

/// Time limit for the server to start or stop.
const LIMIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// The user that runs the server if the tests run as root.
const NOBODY: u32 = 65534;
const INSTALL: &str = "is PostgreSQL installed? `apt-get install postgresql` does it";

/// The server that tests share.
static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A server. When it is dropped, it is stopped and its folder is removed.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    child: Mutex<Option<Child>>,
}

/// A database on a server, for a single test.
pub(crate) struct Database {
    server: Arc<Server>,
    name: String,
}

impl Server {
    /// Starts a separate server.
    pub(crate) fn start() -> Arc<Server> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Server { folder, port, child: Mutex::new(None) };
        server.own(server.folder.path());
        let words = server.folder.path().join("password");
        fs::write(&words, PASSWORD).unwrap();
        server.own(&words);
        let mut initdb = server.program("initdb");
        initdb.arg("-D").arg(server.data()).args(["-U", "kiln", "-E", "UTF8", "--locale=C", "--no-sync"]);
        initdb.arg("--auth=scram-sha-256").arg("--pwfile").arg(&words);
        let made = initdb.output().unwrap_or_else(|e| panic!("initdb cannot be started: {e}; {INSTALL}"));
        assert!(made.status.success(), "initdb: {}; {INSTALL}", String::from_utf8_lossy(&made.stderr));
        server.run();
        Arc::new(server)
    }

    /// A new database on the server that tests share.
    pub(crate) fn shared() -> Database {
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let server = shared.upgrade().unwrap_or_else(|| {
            let server = Server::start();
            *shared = Arc::downgrade(&server);
            server
        });
        drop(shared);
        server.database()
    }

    /// A new database.
    pub(crate) fn database(self: &Arc<Server>) -> Database {
        let name = format!("db{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let root = Database { server: Arc::clone(self), name: "postgres".to_owned() };
        root.sql(&format!("CREATE DATABASE {name}"));
        Database { server: Arc::clone(self), name }
    }

    /// Stops the server at once, like a power failure, and starts it again.
    pub(crate) fn restart(&self) {
        self.stop(Signal::QUIT);
        self.run();
    }

    /// Adds a line to the configuration, for the next start.
    pub(crate) fn configure(&self, line: &str) {
        let mut file = fs::OpenOptions::new().append(true).open(self.data().join("postgresql.conf")).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    /// Writes a file to the data folder.
    pub(crate) fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.data().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self.own(&path);
        path
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn run(&self) {
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let mut postgres = self.program("postgres");
        postgres.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        postgres.args(["-p", &self.port.to_string(), "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"]);
        postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = postgres.spawn().unwrap_or_else(|e| panic!("postgres cannot be started: {e}; {INSTALL}"));
        *self.child.lock().unwrap() = Some(child);
        let end = Instant::now() + LIMIT;
        while !self.answers() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "the server does not start; {INSTALL}:\n{}", log());
            std::thread::sleep(LOOK);
        }
    }

    fn answers(&self) -> bool {
        psql(&self.url("postgres")).args(["-c", "SELECT 1"]).output().is_ok_and(|out| out.status.success())
    }

    fn stop(&self, signal: Signal) {
        let Some(mut child) = self.child.lock().unwrap().take() else { return };
        job::send(child.id(), signal);
        let end = Instant::now() + LIMIT;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > end {
                child.kill().unwrap();
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The address of a database through the socket, with the password.
    fn url(&self, database: &str) -> String {
        let folder = self.folder.path().display();
        format!("postgres://kiln:{PASSWORD}@/{database}?host={folder}&port={}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(binary(name));
        command.current_dir(self.folder.path()).env_clear();
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn own(&self, path: &Path) {
        if rustix::process::geteuid().is_root() {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Signal::QUIT);
    }
}

impl Database {
    /// The address through the socket, with the password.
    pub(crate) fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// The address through TCP for `user`, a name or a name and a password.
    pub(crate) fn tcp_url(&self, user: &str) -> String {
        format!("postgres://{user}@localhost:{}/{}", self.server.port, self.name)
    }

    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Runs statements, and returns the output of the last one: a line per row, with fields separated
    /// by `|`.
    #[track_caller]
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap_or_else(|error| panic!("{error}\nof {sql}"))
    }

    pub(crate) fn try_sql(&self, sql: &str) -> Result<String, String> {
        let out = psql(&self.url()).args(["-c", sql]).output().unwrap();
        match out.status.success() {
            true => Ok(String::from_utf8(out.stdout).unwrap().trim_end().to_owned()),
            false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
        }
    }

    /// Waits until a query prints something other than `0`, `f` or nothing.
    #[track_caller]
    pub(crate) fn wait_for(&self, sql: &str) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            let text = self.sql(sql);
            if !matches!(text.as_str(), "" | "0" | "f") {
                return text;
            }
            assert!(Instant::now() < end, "nothing after {LIMIT:?}: {sql}");
            std::thread::sleep(LOOK);
        }
    }
}

/// The client, configured to print only rows.
fn psql(url: &str) -> Command {
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]);
    psql
}

/// A program of the server: in `PATH`, or in Debian's folder.
fn binary(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    let found = folders.into_iter().map(|folder| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("`{name}` is not found; {INSTALL}"))
}
