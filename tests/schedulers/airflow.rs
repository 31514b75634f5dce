//! Airflow with a LocalExecutor: its API server, its scheduler and its processor of DAGs.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::desk::Desk;
use super::{RETRY_SECONDS, Scheduler, program, script, wait_long};

/// The secret that Airflow's own processes share.
const SECRET: &str = "0123456789012345678901234567890123456789012345678901234567890123";
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(60);

pub(crate) struct Airflow {
    home: TempDir,
    port: u16,
    services: Vec<Child>,
    token: String,
    run: String,
}

impl Airflow {
    pub(crate) fn start() -> Airflow {
        let (home, port) = (tempfile::tempdir().unwrap(), free_port());
        fs::create_dir(home.path().join("dags")).unwrap();
        fs::copy(script("kiln_airflow.py"), home.path().join("dags/kiln_airflow.py")).unwrap();
        let mut airflow =
            Airflow { home, port, services: Vec::new(), token: String::new(), run: String::new() };
        let migrated = airflow.command("migrate", &["db", "migrate"]).status().unwrap();
        assert!(migrated.success(), "{}", airflow.log("migrate"));
        for service in ["api-server", "scheduler", "dag-processor"] {
            let child = airflow.command(service, &[service]).spawn().unwrap();
            airflow.services.push(child);
        }
        wait_long("Airflow answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let answer = airflow.ask("GET", "/auth/token", &Value::Null);
        airflow.token = answer["access_token"].as_str().unwrap().to_owned();
        wait_long("Airflow knows the DAG", || {
            airflow.ask("GET", "/api/v2/dags/kiln", &Value::Null)["dag_id"] == "kiln"
        });
        airflow
    }

    fn command(&self, log: &str, args: &[&str]) -> Command {
        let bin = program("airflow", "airflow");
        let home = self.home.path();
        let path = format!("{}:/usr/bin:/bin", bin.parent().unwrap().display());
        let address = format!("http://127.0.0.1:{}", self.port);
        let log = File::create(home.join(format!("{log}.txt"))).unwrap();
        let mut command = Command::new(bin);
        command.args(args).env_clear().env("PATH", path).env("HOME", home).current_dir(home);
        command.process_group(0).env("AIRFLOW_HOME", home);
        command
            .env("KILN_TEST_SCRIPT", script("job.sh"))
            .env("KILN_TEST_RETRY_SECONDS", RETRY_SECONDS.to_string());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        for (section, name, value) in [
            ("CORE", "LOAD_EXAMPLES", "False"),
            ("CORE", "SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True"),
            ("CORE", "PARALLELISM", "2"),
            ("CORE", "EXECUTION_API_SERVER_URL", &format!("{address}/execution/")),
            ("API", "HOST", "127.0.0.1"),
            ("API", "PORT", &self.port.to_string()),
            ("API", "WORKERS", "1"),
            ("API", "BASE_URL", &address),
            ("API_AUTH", "JWT_SECRET", SECRET),
            ("DAG_PROCESSOR", "PARSING_PROCESSES", "1"),
            // A task whose worker is lost is tried again after so many seconds without a heartbeat.
            ("SCHEDULER", "TASK_INSTANCE_HEARTBEAT_TIMEOUT", "10"),
            ("SCHEDULER", "TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL", "2"),
            // Otherwise it waits a minute for what a killed task has left to close its streams.
            ("WORKERS", "SOCKET_CLEANUP_TIMEOUT", "2"),
        ] {
            command.env(format!("AIRFLOW__{section}__{name}"), value);
        }
        command
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.home.path().join(format!("{name}.txt"))).unwrap_or_default()
    }

    /// The answer of the API; null when there is none yet.
    fn ask(&self, method: &str, target: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.token,
            body.len()
        );
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.set_read_timeout(Some(ANSWER)).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
        body.and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default()
    }
}

impl Scheduler for Airflow {
    fn start(&mut self, desk: &Desk, _: bool) {
        self.run = desk.path().file_name().unwrap().to_string_lossy().trim_start_matches('.').to_owned();
        let body = json!({ "dag_run_id": self.run, "logical_date": null, "conf": { "desk": desk.text() } });
        let answer = self.ask("POST", "/api/v2/dags/kiln/dagRuns", &body);
        assert_eq!(answer["dag_run_id"], self.run.as_str(), "{answer}");
    }

    fn again(&mut self, _: &Desk) {
        let body = json!({
            "dry_run": false, "dag_run_id": self.run, "task_ids": ["publish"], "only_failed": false,
            "reset_dag_runs": true,
        });
        let answer = self.ask("POST", "/api/v2/dags/kiln/clearTaskInstances", &body);
        assert_eq!(answer["total_entries"], 1, "{answer}");
    }

    fn restart(&mut self, _: &Desk) {}

    fn is_green(&mut self) -> bool {
        let target = format!("/api/v2/dags/kiln/dagRuns/{}", self.run);
        let state =
            || self.ask("GET", &target, &Value::Null)["state"].as_str().unwrap_or_default().to_owned();
        wait_long("the DAG run ends", || ["success", "failed"].contains(&state().as_str()));
        state() == "success"
    }

    fn server(&self) -> u32 {
        self.services[1].id()
    }
}

impl Drop for Airflow {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.log("scheduler"));
        }
        // By its group: a service writes its title where its environment, and with it its mark, was.
        for service in &mut self.services {
            let group = Pid::from_raw(service.id().cast_signed()).unwrap();
            let _ = kill_process_group(group, Signal::KILL);
            service.wait().unwrap();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
