//! The result of a run for machines: one JSON object, the last line of standard output, or a file.
//!
//! An ending and the facts of the run enter. The line comes after everything else that the process
//! writes, on both streams: Airflow merges them and takes the last line. A result that cannot be
//! written is a warning and not a failure, because what the job has published stays published. The
//! meaning of the fields belongs to `exit` and `run`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::error::{Class, Error, Result};

use super::exit::{Ending, Status};
use super::run::{Facts, Output, Run};
use super::terminal::say;

/// The variable that asks for the line on standard output: `stdout`, or `none` to forbid it.
const RESULT: &str = "KILN_RESULT";
/// The variable that names a file for the same object.
const RESULT_FILE: &str = "KILN_RESULT_FILE";

/// Variables that only a scheduler which reads standard output sets for its tasks.
///
/// Airflow's Bash and Python operators export the first two, Argo's executor the others. Luigi,
/// cron and make give their programs no variable of their own, and `KUBERNETES_SERVICE_HOST` is set
/// in every pod, a person's shell included; there the line is asked for with `KILN_RESULT=stdout`.
const SCHEDULERS: [(&str, &str); 4] = [
    ("AIRFLOW_CTX_DAG_ID", "Airflow"),
    ("AIRFLOW_CTX_TASK_ID", "Airflow"),
    ("ARGO_NODE_ID", "Argo Workflows"),
    ("ARGO_CONTAINER_NAME", "Argo Workflows"),
];

/// The fields of the result JSON, in their order.
#[derive(Serialize)]
struct Line<'a> {
    run_id: &'a str,
    status: Status,
    class: Option<Class>,
    version: Option<u64>,
    outputs: &'a [Output],
    counters: BTreeMap<String, Value>,
    retries: u32,
    seconds: f64,
    message: Option<&'a str>,
}

/// Who wants the result.
#[derive(Debug, Default, PartialEq, Eq)]
struct Readers {
    stdout: bool,
    file: Option<PathBuf>,
}

/// Writes the result to whoever wants it. Nothing may be printed by the process after this.
pub(super) fn write(run: &Run, ending: &Ending) {
    let readers = Readers::from_env(|name| std::env::var(name).ok());
    if readers == Readers::default() {
        return;
    }
    let line = json(run, ending);
    if let Some(Err(error)) = readers.file.map(|path| write_file(&path, &line)) {
        say(&format!("warning: {error}"));
    }
    let _ = std::io::stderr().flush();
    if readers.stdout {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

impl Readers {
    fn from_env(env: impl Fn(&str) -> Option<String>) -> Readers {
        let file = env(RESULT_FILE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let stdout = match env(RESULT).as_deref() {
            Some("stdout") => true,
            None | Some("") => scheduler(&env).is_some(),
            Some(_) => false,
        };
        Readers { stdout, file }
    }
}

/// The scheduler that runs this process as one of its tasks, if it is a known one.
fn scheduler(env: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    SCHEDULERS.iter().find(|(variable, _)| env(variable).is_some()).map(|(_, name)| *name)
}

/// The object and its line end.
fn json(run: &Run, ending: &Ending) -> String {
    let facts = run.facts();
    let line = Line {
        run_id: run.run_id(),
        status: ending.status,
        class: ending.class,
        version: facts.version,
        outputs: &facts.outputs,
        counters: counters(&facts),
        retries: facts.retries,
        // Milliseconds are all that a reader can use of a run's time.
        seconds: (run.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        message: ending.message.as_deref(),
    };
    // Strings, integers and one finite number: there is nothing in it that JSON cannot hold.
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

/// The counters of all kinds by name; where two kinds have one name, the type is added to the later one's. A float
/// that JSON cannot hold, NaN or an infinity, is null.
fn counters(facts: &Facts) -> BTreeMap<String, Value> {
    let of = |name: &String, value| (name.clone(), value);
    let mut all: BTreeMap<String, Value> =
        facts.counters.iter().map(|(name, n)| of(name, (*n).into())).collect();
    let signed = facts.counters_i64.iter().map(|(name, n)| (name, "i64", Value::from(*n)));
    let floats = facts.counters_f64.iter().map(|(name, n)| (name, "f64", Value::from(*n)));
    for (name, kind, value) in signed.chain(floats) {
        let name = if all.contains_key(name) { format!("{name} ({kind})") } else { name.clone() };
        all.insert(name, value);
    }
    all
}

/// Writes `line` to `path` under another name first, so that a reader never sees half of it.
fn write_file(path: &Path, line: &str) -> Result<()> {
    let failed = |e| Error::io("the result file cannot be written", e).at("file", path.display());
    let in_place = || std::fs::write(path, line).map_err(failed);
    // A pipe or a device must be written, not replaced.
    if path.metadata().is_ok_and(|known| !known.is_file()) {
        return in_place();
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    std::fs::write(&temporary, line).map_err(failed)?;
    std::fs::rename(&temporary, path).or_else(|_| {
        // A file that is a mount of its own, like a pod's termination log, refuses the rename.
        let _ = std::fs::remove_file(&temporary);
        in_place()
    })
}

#[cfg(test)]
mod tests {
    use super::super::progress::Progress;
    use super::*;

    fn readers(variables: &[(&str, &str)]) -> Readers {
        Readers::from_env(|asked| {
            variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
        })
    }

    /// The JSON with the time it took cut out.
    fn timeless(run: &Run, ending: &Ending) -> String {
        let mut object: serde_json::Value = serde_json::from_str(&json(run, ending)).unwrap();
        assert!(object["seconds"].is_f64());
        object["seconds"] = 0.into();
        object.to_string()
    }

    #[test]
    fn the_fields_stand_in_their_order_on_one_line() {
        let run = Run::new("r-1", Progress::silent());
        let line = json(&run, &Ending::failed(Class::Data, "two\nlines".to_owned()));
        let order = ["run_id", "status", "class", "version", "outputs", "counters", "retries", "seconds"];
        let at: Vec<_> = order.iter().map(|field| line.find(&format!("\"{field}\":"))).collect();
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{line}");
        assert!(line.ends_with(",\"message\":\"two\\nlines\"}\n") && line.lines().count() == 1, "{line}");
    }

    #[test]
    fn a_published_run_names_its_outputs_and_has_no_class() {
        let run = Run::new("r-2", Progress::silent());
        run.published(Output { uri: "file:///o".to_owned(), partitions: 2, files: 2, rows: 9, bytes: 80 });
        run.count("bad rows", 1);
        run.add_retries(3);
        let expected = serde_json::json!({
            "run_id": "r-2", "status": "published", "class": null, "version": null,
            "outputs": [{"uri": "file:///o", "partitions": 2, "files": 2, "rows": 9, "bytes": 80}],
            "counters": {"bad rows": 1}, "retries": 3, "seconds": 0, "message": null,
        });
        assert_eq!(timeless(&run, &Ending::of(&Ok(()), None, &run.facts())), expected.to_string());
    }

    #[test]
    fn counters_of_all_kinds_are_reported_together() {
        let facts = Facts {
            counters: [("rows".to_owned(), 3)].into(),
            counters_i64: [("balance".to_owned(), -2), ("rows".to_owned(), 4)].into(),
            counters_f64: [("hours".to_owned(), 0.5), ("worst".to_owned(), f64::NAN)].into(),
            ..Facts::default()
        };
        let expected = r#"{"balance":-2,"hours":0.5,"rows":3,"rows (i64)":4,"worst":null}"#;
        assert_eq!(serde_json::to_string(&counters(&facts)).unwrap(), expected);
    }

    #[test]
    fn a_failure_names_its_class() {
        let run = Run::new("r-3", Progress::silent());
        let text = timeless(&run, &Ending::failed(Class::Auth, "no key".to_owned()));
        assert!(text.contains(r#""class":"auth""#) && text.contains(r#""status":"failed""#), "{text}");
    }

    #[test]
    fn a_known_scheduler_gets_the_line_without_asking() {
        assert!(readers(&[("AIRFLOW_CTX_DAG_ID", "d")]).stdout);
        assert!(readers(&[("ARGO_NODE_ID", "n")]).stdout);
        assert!(readers(&[("KILN_RESULT", "stdout")]).stdout);
        assert!(!readers(&[("AIRFLOW_CTX_DAG_ID", "d"), ("KILN_RESULT", "none")]).stdout);
        assert_eq!(readers(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]), Readers::default());
    }

    #[test]
    fn the_result_file_replaces_an_old_one_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.json");
        std::fs::write(&path, "old").unwrap();
        write_file(&path, "{}\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n");
        assert_eq!(dir.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_result_file_in_no_folder_is_an_error_that_names_it() {
        let error = write_file(Path::new("/no/such/folder/r.json"), "{}").unwrap_err().to_string();
        assert!(error.starts_with("the result file cannot be written, at file /no/such/folder/r.json"));
    }
}
