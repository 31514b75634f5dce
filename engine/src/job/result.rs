//! The machine-readable result of a run: one object, as the last line of standard output and in files.
//!
//! The line follows everything else that the process writes to both streams, because Airflow merges
//! them and takes the last line. If a result cannot be written, that is a warning and not a failure,
//! because published outputs stay published. The fields are defined in `exit` and `run`, their formats
//! in `formats`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::error::Class;

use super::bottleneck::Bottleneck;
use super::checks::CheckResult;
use super::exit::{Ending, Status};
use super::formats::{Format, flat_object};
use super::result_file::{ResultFile, Written};
use super::run::{Facts, Input, Output, Run};
use super::terminal::say;

/// Environment variable that requests the line on standard output: `stdout`, or `none` to forbid it.
const RESULT: &str = "KILN_RESULT";
/// Environment variable with the path of a file for the same object.
const RESULT_FILE: &str = "KILN_RESULT_FILE";
/// Environment variable with the folder of Airflow's XCom sidecar, if it is not the default one.
const XCOM_DIR: &str = "KILN_XCOM_DIR";
/// Environment variable with the file in which Azkaban expects the outputs of a job.
const AZKABAN_FILE: &str = "JOB_OUTPUT_PROP_FILE";
/// Environment variable with the termination log of the container, if it is not the default one.
const TERMINATION_LOG: &str = "KILN_TERMINATION_LOG";
/// How much of a termination log Kubernetes keeps.
const MAX_TERMINATION_BYTES: usize = 4096;

/// Variables that are set only by schedulers that read the standard output of their tasks.
///
/// Airflow's Bash and Python operators set the first two, the executor of Argo the others. Luigi, cron
/// and make set no variable, and `KUBERNETES_SERVICE_HOST` is set in every pod, even for a user's
/// shell. In these cases the line must be requested with `KILN_RESULT=stdout`.
const SCHEDULERS: [(&str, &str); 4] = [
    ("AIRFLOW_CTX_DAG_ID", "Airflow"),
    ("AIRFLOW_CTX_TASK_ID", "Airflow"),
    ("ARGO_NODE_ID", "Argo Workflows"),
    ("ARGO_CONTAINER_NAME", "Argo Workflows"),
];

/// The fields of the result, in order.
#[derive(Serialize)]
struct Line<'a> {
    run_id: &'a str,
    attempt: Option<u32>,
    status: Status,
    class: Option<Class>,
    reason: Option<&'a str>,
    version: Option<u64>,
    outputs: &'a [Output],
    inputs: &'a [Input],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    checks: &'a [CheckResult],
    counters: BTreeMap<String, Value>,
    retries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    bottleneck: Option<Bottleneck>,
    seconds: f64,
    message: Option<&'a str>,
}

/// The fields of the termination log, for whoever inspects the pod.
#[derive(Serialize)]
struct Termination<'a> {
    run_id: &'a str,
    attempt: Option<u32>,
    status: Status,
    class: Option<Class>,
    reason: Option<&'a str>,
    message: &'a str,
}

/// The places to which the result is written.
#[derive(Debug, Default, PartialEq, Eq)]
struct Readers {
    stdout: bool,
    file: Option<PathBuf>,
    xcom: Option<PathBuf>,
    azkaban: Option<PathBuf>,
    termination: Option<PathBuf>,
}

/// Writes the result to all requested files, and returns it for [`print`].
pub(super) fn write_files(run: &Run, ending: &Ending) -> String {
    let json = json(run, ending);
    let readers = Readers::from_env(|name| std::env::var(name).ok());
    let format = run.options().result_format;
    let of_run = |path: &Option<PathBuf>, format: Format| {
        let (path, is_fenced) = (path.clone()?, ending.class == Some(Class::Fenced));
        let file = ResultFile { path, format, identity: run.identity(), is_fenced };
        Some(file.replace(&format.text(&json)))
    };
    let azkaban = readers.azkaban.as_ref().map(|path| ResultFile::write_any(path, &flat_object(&json)));
    let termination = readers.termination.as_ref().filter(|_| ending.code != 0);
    let termination = termination.map(|path| ResultFile::write_any(path, &termination_text(run, ending)));
    let written = [of_run(&readers.file, format), of_run(&readers.xcom, Format::Json), azkaban, termination];
    for written in written.into_iter().flatten() {
        match written {
            Ok(Written::Done) => {}
            Ok(Written::Kept(path)) => {
                say(&format!("note: {} holds the result of a newer attempt and is kept", path.display()));
            }
            Err(error) => say(&format!("warning: {error}")),
        }
    }
    json
}

/// Prints the result to standard output, if requested. The process must not print anything after this.
pub(super) fn print(run: &Run, json: &str) {
    let _ = std::io::stderr().flush();
    if Readers::from_env(|name| std::env::var(name).ok()).stdout {
        let mut out = std::io::stdout().lock();
        let text = run.options().result_format.text(json);
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

impl Readers {
    fn from_env(env: impl Fn(&str) -> Option<String>) -> Readers {
        let path = |name: &str| env(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let stdout = match env(RESULT).as_deref() {
            Some("stdout") => true,
            None | Some("") => scheduler(&env).is_some(),
            Some(_) => false,
        };
        let xcom = path(XCOM_DIR).unwrap_or_else(|| PathBuf::from("/airflow/xcom"));
        // The folder and the log exist only if a pod mounts them.
        let in_pod = env("KUBERNETES_SERVICE_HOST").map(|_| PathBuf::from("/dev/termination-log"));
        Readers {
            stdout,
            file: path(RESULT_FILE),
            xcom: xcom.is_dir().then(|| xcom.join("return.json")),
            azkaban: path(AZKABAN_FILE),
            termination: path(TERMINATION_LOG).or(in_pod).filter(|path| path.exists()),
        }
    }
}

/// The known scheduler that runs this process as a task, if any.
fn scheduler(env: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    SCHEDULERS.iter().find(|(variable, _)| env(variable).is_some()).map(|(_, name)| *name)
}

/// The object as JSON, without a line end.
fn json(run: &Run, ending: &Ending) -> String {
    let facts = run.facts();
    let line = Line {
        run_id: run.run_id(),
        attempt: run.identity().attempt,
        status: ending.status,
        class: ending.class,
        reason: ending.reason.as_deref(),
        version: facts.version,
        outputs: &facts.outputs,
        inputs: &facts.inputs,
        checks: &facts.checks,
        counters: counters(&facts),
        retries: facts.retries,
        bottleneck: facts.bottleneck,
        // Readers need no more than milliseconds.
        seconds: (run.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        message: ending.message.as_deref(),
    };
    // Cannot fail, because all fields are valid JSON.
    serde_json::to_string(&line).unwrap_or_default()
}

/// The short object of the termination log. The message is shortened to fit the limit.
fn termination_text(run: &Run, ending: &Ending) -> String {
    let mut message = ending.message.as_deref().unwrap_or_default();
    loop {
        let (class, reason) = (ending.class, ending.reason.as_deref());
        let short = Termination {
            run_id: run.run_id(),
            attempt: run.identity().attempt,
            status: ending.status,
            class,
            reason,
            message,
        };
        let text = serde_json::to_string(&short).unwrap_or_default();
        let surplus = text.len().saturating_sub(MAX_TERMINATION_BYTES);
        if surplus == 0 || message.is_empty() {
            return text;
        }
        // An escaped character takes up to six bytes. The first cuts may therefore be too small, but
        // the result is never much too short.
        let cut = message.floor_char_boundary(message.len().saturating_sub(surplus.div_ceil(6)));
        message = &message[..cut];
    }
}

/// All counters by name. If counters of two types have the same name, the type is appended to the name
/// of the later one. NaN and infinity, which JSON does not support, become null.
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

#[cfg(test)]
mod tests {
    use super::super::progress::Progress;
    use super::*;

    fn readers(variables: &[(&str, &str)]) -> Readers {
        Readers::from_env(|asked| {
            variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
        })
    }

    /// The JSON without the elapsed time.
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
        let order = [
            "run_id", "attempt", "status", "class", "reason", "version", "outputs", "inputs", "counters",
            "retries", "seconds",
        ];
        let at: Vec<_> = order.iter().map(|field| line.find(&format!("\"{field}\":"))).collect();
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{line}");
        assert!(line.ends_with(",\"message\":\"two\\nlines\"}") && line.lines().count() == 1, "{line}");
    }

    #[test]
    fn a_published_run_names_its_outputs_and_has_no_class() {
        let run = Run::new("r-2", Progress::silent());
        let output = Output {
            uri: "file:///o".to_owned(),
            partitions: 2,
            files: 2,
            rows: 9,
            bytes: 80,
            ..Output::default()
        };
        run.published(Output { partition_rows: [("day=1".to_owned(), 9)].into(), ..output.clone() });
        run.published(output);
        run.read(Input { uri: "i".to_owned(), files: 1, bytes: 5, hash: "0a".to_owned() });
        run.count("bad rows", 1);
        run.add_retries(3);
        let expected = serde_json::json!({
            "run_id": "r-2", "attempt": null, "status": "published", "class": null, "reason": null, "version": null,
            "outputs": [
                {"uri": "file:///o", "partitions": 2, "files": 2, "rows": 9, "bytes": 80, "partition_rows": {"day=1": 9}},
                {"uri": "file:///o", "partitions": 2, "files": 2, "rows": 9, "bytes": 80},
            ],
            "inputs": [{"uri": "i", "files": 1, "bytes": 5, "hash": "0a"}],
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
        assert!(text.contains(r#""reason":"auth""#), "{text}");
    }

    #[test]
    fn a_termination_log_fits_what_kubernetes_keeps() {
        let run = Run::new("r-4", Progress::silent());
        for message in ["short".to_owned(), "ü\u{1}\"".repeat(4000), "x".repeat(9000)] {
            let text = termination_text(&run, &Ending::failed(Class::Data, message));
            assert!(text.len() <= MAX_TERMINATION_BYTES, "{}", text.len());
            let object: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!((&object["class"], &object["run_id"]), (&"data".into(), &"r-4".into()));
            assert!(!object["message"].as_str().unwrap().is_empty());
        }
    }

    #[test]
    fn a_known_scheduler_gets_the_line_without_asking() {
        assert!(readers(&[("AIRFLOW_CTX_DAG_ID", "d")]).stdout);
        assert!(readers(&[("ARGO_NODE_ID", "n")]).stdout);
        assert!(readers(&[("KILN_RESULT", "stdout")]).stdout);
        assert!(!readers(&[("AIRFLOW_CTX_DAG_ID", "d"), ("KILN_RESULT", "none")]).stdout);
        assert_eq!(readers(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]), Readers::default());
    }
}
