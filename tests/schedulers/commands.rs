//! Luigi, Dagster and Metaflow, whose users start a run by a command that ends with it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Instant;

use tempfile::TempDir;

use super::desk::{Desk, kill_marked, mark};
use super::{LONG, LOOK, RETRY_SECONDS, Scheduler, program, script};

/// A scheduler that is one command for each run.
pub(crate) struct Commands {
    name: &'static str,
    /// What it keeps between two commands.
    home: TempDir,
    /// Whether run ids are those that remain when a run is started again.
    keeps_name: bool,
    runs: Option<Child>,
}

impl Commands {
    pub(crate) fn of(name: &'static str) -> Commands {
        let home = tempfile::tempdir().unwrap();
        let luigi = format!(
            "[scheduler]\nretry_delay={RETRY_SECONDS}\n[worker]\nkeep_alive=true\nwait_interval=1\n[retcode]\ntask_failed=30\n"
        );
        fs::write(home.path().join("luigi.cfg"), luigi).unwrap();
        fs::write(home.path().join("dagster.yaml"), "telemetry:\n  enabled: false\n").unwrap();
        Commands { name, home, keeps_name: false, runs: None }
    }

    fn run(&mut self, desk: &Desk, is_again: bool) {
        self.end();
        let (home, text) = (self.home.path().to_owned(), desk.text());
        let mut command = match self.name {
            "luigi" => luigi(&text, is_again),
            "dagster" => dagster(&text, self.keeps_name, is_again),
            _ => metaflow(&text, self.keeps_name, is_again),
        };
        let log = File::options().create(true).append(true).open(home.join("log")).unwrap();
        command.env_clear().envs(environment(&home)).current_dir(&home);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.runs = Some(command.spawn().unwrap());
    }

    /// Ends what was started before, and waits for it.
    fn end(&mut self) {
        if let Some(mut child) = self.runs.take() {
            kill_marked(self.home.path());
            child.wait().unwrap();
        }
    }
}

fn environment(home: &Path) -> Vec<(&'static str, String)> {
    let text = home.display().to_string();
    vec![
        mark(home),
        ("PATH", "/usr/bin:/bin".to_owned()),
        ("HOME", text.clone()),
        ("PYTHONPATH", script("").display().to_string()),
        ("KILN_TEST_SCRIPT", script("job.sh").display().to_string()),
        ("KILN_TEST_RETRY_SECONDS", RETRY_SECONDS.to_string()),
        ("DAGSTER_HOME", text.clone()),
        ("METAFLOW_USER", "kiln".to_owned()),
        ("METAFLOW_DEFAULT_METADATA", "local".to_owned()),
        ("METAFLOW_DATASTORE_SYSROOT_LOCAL", text),
    ]
}

/// Two workers, so that the task has a process of its own.
fn luigi(desk: &str, is_again: bool) -> Command {
    let mut command = Command::new(program("luigi", "luigi"));
    command.args([
        "--module",
        "kiln_luigi",
        "Publish",
        "--desk",
        desk,
        "--local-scheduler",
        "--workers",
        "2",
    ]);
    command.args(is_again.then_some("--again"));
    command
}

fn dagster(desk: &str, keeps_name: bool, is_again: bool) -> Command {
    let mut command = Command::new(program("dagster", "python"));
    command.arg(script("kiln_dagster.py")).args([desk, if keeps_name { "root" } else { "pipes" }]);
    command.args(is_again.then_some("again"));
    command
}

fn metaflow(desk: &str, keeps_name: bool, is_again: bool) -> Command {
    let mut command = Command::new(program("metaflow", "python"));
    command.arg(script("kiln_metaflow.py")).arg("--no-pylint");
    match is_again {
        true => command.args(["resume", "publish"]),
        false => command.args(["run", "--desk", desk, "--run_name", if keeps_name { "nightly" } else { "" }]),
    };
    command
}

impl Scheduler for Commands {
    fn start(&mut self, desk: &Desk, keeps_name: bool) {
        self.keeps_name = keeps_name;
        self.run(desk, false);
    }

    fn again(&mut self, desk: &Desk) {
        self.run(desk, true);
    }

    fn restart(&mut self, desk: &Desk) {
        // Luigi finds out by itself what there is to do.
        self.run(desk, self.name != "luigi");
    }

    fn is_green(&mut self) -> bool {
        let (child, end) = (self.runs.as_mut().unwrap(), Instant::now() + LONG);
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.success();
            }
            assert!(Instant::now() < end, "waited {LONG:?} for the end of the run");
            std::thread::sleep(LOOK);
        }
    }

    fn server(&self) -> u32 {
        std::process::id()
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", fs::read_to_string(self.home.path().join("log")).unwrap_or_default());
        }
        self.end();
    }
}
