//! A private MariaDB server: made by `mariadb-install-db` in a temporary folder, reached on a socket there and on a free port.
//!
//! Tests that run as root start it as `nobody`. Tests of one binary share a server as long as one of them uses it, each in a
//! database of its own; the server stops with the last of them.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::job;

/// The password of the user `kiln`, who may do everything.
pub(crate) const PASSWORD: &str = "Correct-Horse-42";

/// How long the server may take to start or to stop.
const LIMIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// The user that a server of root runs as.
const NOBODY: u32 = 65534;
const INSTALL: &str = "is MariaDB installed? `apt-get install mariadb-server` does it";
/// Where Debian puts the server.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"];

/// The server that tests share.
static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A server; dropped, it is stopped and its folder removed.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    child: Mutex<Option<Child>>,
}

/// A database of its own on a server.
pub(crate) struct Database {
    server: Arc<Server>,
    name: String,
}

impl Server {
    /// A server of its own.
    pub(crate) fn start() -> Arc<Server> {
        Server::start_with("")
    }

    /// A server of its own with more lines in its settings.
    pub(crate) fn start_with(settings: &str) -> Arc<Server> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Server { folder, port, child: Mutex::new(None) };
        server.own(server.folder.path());
        let root = server.folder.path().display();
        let fixed = format!(
            "[mariadbd]\ndatadir={root}/data\nsocket={root}/socket\nport={port}\nbind-address=127.0.0.1\nskip-name-resolve\n\
             pid-file={root}/pid\ntmpdir={root}\ninnodb_flush_log_at_trx_commit=2\ninnodb_buffer_pool_size=64M\n\
             innodb_log_file_size=32M\n{settings}\n"
        );
        fs::write(server.settings(), fixed).unwrap();
        server.own(&server.settings());
        let mut install = server.program("mariadb-install-db");
        install.arg(format!("--datadir={root}/data")).arg("--auth-root-authentication-method=normal");
        install.arg("--skip-test-db");
        let made = install
            .output()
            .unwrap_or_else(|e| panic!("mariadb-install-db cannot be started: {e}; {INSTALL}"));
        assert!(
            made.status.success(),
            "mariadb-install-db: {}; {INSTALL}",
            String::from_utf8_lossy(&made.stdout)
        );
        server.run();
        let server = Arc::new(server);
        let root = Database { server: Arc::clone(&server), name: "mysql".to_owned() };
        root.sql(&format!(
            "DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES;
             CREATE USER kiln IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO kiln WITH GRANT OPTION"
        ));
        server
    }

    /// The server that tests share, with a new database.
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
        let root = Database { server: Arc::clone(self), name: "mysql".to_owned() };
        root.sql(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"));
        Database { server: Arc::clone(self), name }
    }

    /// Ends the server at once, as a failure of power would, and starts it again.
    pub(crate) fn restart(&self) {
        self.stop(Signal::KILL);
        self.run();
    }

    /// Adds a line to the settings, for the next start.
    pub(crate) fn configure(&self, line: &str) {
        let mut file = fs::OpenOptions::new().append(true).open(self.settings()).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    /// Puts a file into the folder of the server.
    pub(crate) fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        self.own(&path);
        path
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("my.cnf")
    }

    fn run(&self) {
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let mut server = self.program("mariadbd");
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = server.spawn().unwrap_or_else(|e| panic!("mariadbd cannot be started: {e}; {INSTALL}"));
        *self.child.lock().unwrap() = Some(child);
        let end = Instant::now() + LIMIT;
        while !self.answers() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "the server does not start; {INSTALL}:\n{}", log());
            std::thread::sleep(LOOK);
        }
    }

    fn answers(&self) -> bool {
        self.client("mysql").args(["-e", "SELECT 1"]).output().is_ok_and(|out| out.status.success())
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

    /// The client as root; it prints rows alone, fields between tabs.
    fn client(&self, database: &str) -> Command {
        let mut client = Command::new(binary("mariadb"));
        client.args(["--no-defaults", "--user=root", "--batch", "--skip-column-names", "--raw"]);
        client.arg("--default-character-set=utf8mb4");
        client.arg(format!("--socket={}/socket", self.folder.path().display())).arg(database);
        client
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(binary(name));
        command.arg(format!("--defaults-file={}", self.settings().display()));
        command.current_dir(self.folder.path()).env_clear().env("PATH", "/usr/bin:/usr/sbin:/bin:/sbin");
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
        self.stop(Signal::KILL);
    }
}

impl Database {
    /// Its address on the socket, with the password.
    pub(crate) fn url(&self) -> String {
        format!(
            "mysql://kiln:{PASSWORD}@/{}?socket={}/socket",
            self.name,
            self.server.folder.path().display()
        )
    }

    /// Its address by TCP for `user`, a name or a name and a password.
    pub(crate) fn tcp_url(&self, user: &str) -> String {
        format!("mysql://{user}@localhost:{}/{}", self.server.port, self.name)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Runs statements, and gives what they print: a line for each row, fields between tabs.
    #[track_caller]
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap_or_else(|error| panic!("{error}\nof {sql}"))
    }

    pub(crate) fn try_sql(&self, sql: &str) -> Result<String, String> {
        let out = self.server.client(&self.name).args(["-e", sql]).output().unwrap();
        match out.status.success() {
            true => Ok(String::from_utf8(out.stdout).unwrap().trim_end_matches('\n').to_owned()),
            false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
        }
    }

    /// Waits until a query prints something else than `0` or nothing.
    #[track_caller]
    pub(crate) fn wait_for(&self, sql: &str) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            let text = self.sql(sql);
            if !matches!(text.as_str(), "" | "0") {
                return text;
            }
            assert!(Instant::now() < end, "nothing after {LIMIT:?}: {sql}");
            std::thread::sleep(LOOK);
        }
    }
}

/// A program of the server: on the path, or where Debian puts it.
fn binary(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("`{name}` is not found; {INSTALL}"))
}
