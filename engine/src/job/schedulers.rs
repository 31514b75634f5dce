//! Identities from schedulers: the variables that they export to their tasks, and two encoded payloads.
//!
//! Returns the parts of a run id and an attempt. A part of a run id must be the same on every retry of
//! a task and different in every other task. Argo Workflows is missing: `ARGO_NODE_ID` changes on every
//! retry, so its users pass the run id themselves (docs/runs-and-retries.md).

use std::io::Read;

use flate2::read::ZlibDecoder;
use serde_json::Value;

/// Size limit of a payload, so that a wrong file does not use up memory.
const MAX_PAYLOAD: u64 = 1 << 20;

/// The environment of the process.
pub(super) type Env<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Where a value of a scheduler is found.
#[derive(Clone, Copy, Debug)]
enum Field {
    /// An environment variable.
    Variable(&'static str),
    /// A property in the file that Azkaban names in `JOB_PROP_FILE`.
    Azkaban(&'static str),
    /// A field of the context that Dagster Pipes passes in `DAGSTER_PIPES_CONTEXT`.
    Dagster(&'static str),
}

/// A scheduler that exports an identity.
struct Scheduler {
    /// All of these are required; together they identify the task.
    task: &'static [Field],
    /// Appended if they are set. They distinguish the instances of one task in the scheduler's program.
    index: &'static [Field],
    /// The attempt, which increases on every retry.
    attempt: Field,
}

use Field::{Azkaban, Dagster, Variable};

/// The first scheduler with a complete task is used. Metaflow comes first, because it may run on
/// Airflow or Kubernetes.
const SCHEDULERS: [Scheduler; 6] = [
    Scheduler {
        task: &[
            Variable("METAFLOW_FLOW_NAME"),
            Variable("METAFLOW_RUN_ID"),
            Variable("METAFLOW_STEP_NAME"),
            Variable("METAFLOW_TASK_ID"),
        ],
        index: &[],
        attempt: Variable("METAFLOW_RETRY_COUNT"),
    },
    Scheduler {
        task: &[
            Variable("AIRFLOW_CTX_DAG_ID"),
            Variable("AIRFLOW_CTX_DAG_RUN_ID"),
            Variable("AIRFLOW_CTX_TASK_ID"),
        ],
        index: &[Variable("AIRFLOW_CTX_MAP_INDEX")],
        attempt: Variable("AIRFLOW_CTX_TRY_NUMBER"),
    },
    Scheduler {
        task: &[Dagster("job_name"), Dagster("run_id")],
        index: &[Dagster("asset_keys"), Dagster("partition_key")],
        attempt: Dagster("retry_number"),
    },
    Scheduler {
        task: &[Azkaban("azkaban.flow.flowid"), Azkaban("azkaban.flow.execid"), Azkaban("azkaban.job.id")],
        index: &[],
        attempt: Azkaban("azkaban.job.attempt"),
    },
    Scheduler {
        // A template passes the label `batch.kubernetes.io/controller-uid` under this name.
        task: &[Variable("KUBERNETES_JOB_UID")],
        index: &[Variable("JOB_COMPLETION_INDEX")],
        attempt: Variable("KUBERNETES_JOB_ATTEMPT"),
    },
    Scheduler {
        task: &[Variable("SLURM_JOB_ID")],
        index: &[Variable("SLURM_STEP_ID"), Variable("SLURM_PROCID")],
        attempt: Variable("SLURM_RESTART_COUNT"),
    },
];

/// The identity that a scheduler exports.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exported {
    /// The parts that identify the task, joined by `/`.
    pub(super) task: String,
    /// Name and value of the variable with the attempt.
    pub(super) attempt: Option<(&'static str, String)>,
}

/// The identity from the scheduler that runs this process, if it is a known one.
pub(super) fn exported(env: &Env<'_>) -> Option<Exported> {
    SCHEDULERS.iter().find_map(|scheduler| scheduler.exported(env))
}

impl Scheduler {
    fn exported(&self, env: &Env<'_>) -> Option<Exported> {
        let mut parts = self.task.iter().map(|field| field.value(env)).collect::<Option<Vec<String>>>()?;
        parts.extend(self.index.iter().filter_map(|field| field.value(env)));
        let attempt = self.attempt.value(env).map(|text| (self.attempt.name(), text));
        Some(Exported { task: parts.join("/"), attempt })
    }
}

impl Field {
    fn name(self) -> &'static str {
        let (Variable(name) | Azkaban(name) | Dagster(name)) = self;
        name
    }

    fn value(self, env: &Env<'_>) -> Option<String> {
        let text = match self {
            Variable(name) => env(name),
            Azkaban(name) => property(&read_file(&env("JOB_PROP_FILE")?)?, name),
            Dagster(name) => text_of(pipes_context(&env("DAGSTER_PIPES_CONTEXT")?)?.get(name)?),
        };
        text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

fn read_file(path: &str) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(MAX_PAYLOAD).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The last value of a key in a Java properties file. Escapes are dropped, because identifiers do not
/// need them.
fn property(text: &str, name: &str) -> Option<String> {
    let lines = text.lines().rev().filter_map(|line| line.split_once(['=', ':']));
    let mut values = lines.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.replace('\\', ""));
    values.next()
}

/// Decodes a context of base64, zlib and JSON. It is in the variable or in a file whose path is in the
/// variable.
fn pipes_context(variable: &str) -> Option<Value> {
    let mut text = String::new();
    ZlibDecoder::new(base64(variable)?.as_slice()).take(MAX_PAYLOAD).read_to_string(&mut text).ok()?;
    let parameters: Value = serde_json::from_str(&text).ok()?;
    match parameters.get("path").and_then(Value::as_str) {
        Some(path) => serde_json::from_str(&read_file(path)?).ok(),
        None => parameters.get("data").cloned(),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(values) => {
            values.iter().map(text_of).collect::<Option<Vec<String>>>().map(|texts| texts.join(","))
        }
        _ => None,
    }
}

/// Decodes base64 in the standard alphabet.
fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for letter in text.trim().trim_end_matches('=').bytes() {
        let digit = ALPHABET.iter().position(|known| *known == letter)?;
        bits = bits << 6 | digit as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn found(variables: &[(&str, &str)]) -> Option<Exported> {
        exported(&|asked| {
            variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
        })
    }

    fn is(variables: &[(&str, &str)], task: &str, attempt: Option<(&'static str, &str)>) {
        let attempt = attempt.map(|(name, text)| (name, text.to_owned()));
        assert_eq!(found(variables), Some(Exported { task: task.to_owned(), attempt }), "{variables:?}");
    }

    #[test]
    fn a_task_of_airflow_is_named_by_dag_run_and_task() {
        let mut variables = vec![
            ("AIRFLOW_CTX_DAG_ID", "etl"),
            ("AIRFLOW_CTX_DAG_RUN_ID", "scheduled__2026-03-02T00:00:00+00:00"),
            ("AIRFLOW_CTX_TASK_ID", "load"),
            ("AIRFLOW_CTX_TRY_NUMBER", "2"),
        ];
        let task = "etl/scheduled__2026-03-02T00:00:00+00:00/load";
        is(&variables, task, Some(("AIRFLOW_CTX_TRY_NUMBER", "2")));
        variables.push(("AIRFLOW_CTX_MAP_INDEX", "7"));
        is(&variables, &format!("{task}/7"), Some(("AIRFLOW_CTX_TRY_NUMBER", "2")));
        assert_eq!(found(&variables[..2]), None, "without a task it names no task");
    }

    #[test]
    fn metaflow_kubernetes_and_slurm_export_variables() {
        is(
            &[
                ("METAFLOW_FLOW_NAME", "F"),
                ("METAFLOW_RUN_ID", "argo-1"),
                ("METAFLOW_STEP_NAME", "s"),
                ("METAFLOW_TASK_ID", "t-9"),
                ("METAFLOW_RETRY_COUNT", "0"),
            ],
            "F/argo-1/s/t-9",
            Some(("METAFLOW_RETRY_COUNT", "0")),
        );
        is(&[("KUBERNETES_JOB_UID", "u-1"), ("JOB_COMPLETION_INDEX", "3")], "u-1/3", None);
        let slurm = [("SLURM_JOB_ID", "88"), ("SLURM_RESTART_COUNT", "1")];
        is(&slurm, "88", Some(("SLURM_RESTART_COUNT", "1")));
        assert_eq!(found(&[("ARGO_NODE_ID", "wf-1"), ("ARGO_WORKFLOW_UID", "u")]), None);
    }

    #[test]
    fn azkaban_writes_its_properties_to_a_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = "#A comment\nazkaban.flow.execid=412\nazkaban.flow.flowid=daily\nazkaban.job.id=load\\:a\nazkaban.job.attempt=1\n";
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        is(&[("JOB_PROP_FILE", &path)], "daily/412/load:a", Some(("azkaban.job.attempt", "1")));
        assert_eq!(found(&[("JOB_PROP_FILE", "/no/such/file")]), None);
    }

    #[test]
    fn dagster_passes_a_compressed_context_or_a_file() {
        let context = r#"{"run_id": "r-1", "job_name": "j", "retry_number": 2, "asset_keys": ["a", "b"], "partition_key": null}"#;
        let expected = ("j/r-1/a,b", Some(("retry_number", "2")));
        let within = packed(&format!(r#"{{"data": {context}}}"#));
        is(&[("DAGSTER_PIPES_CONTEXT", &within)], expected.0, expected.1);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(context.as_bytes()).unwrap();
        let beside = packed(&format!(r#"{{"path": {:?}}}"#, file.path()));
        is(&[("DAGSTER_PIPES_CONTEXT", &beside)], expected.0, expected.1);
        assert_eq!(found(&[("DAGSTER_PIPES_CONTEXT", "e30=")]), None);
    }

    fn packed(json: &str) -> String {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(json.as_bytes()).unwrap();
        let bytes = zlib.finish().unwrap();
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bits: Vec<u8> =
            bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
        let digit =
            |six: &[u8]| six.iter().enumerate().fold(0, |sum, (at, bit)| sum | usize::from(*bit) << (5 - at));
        bits.chunks(6).map(|six| ALPHABET[digit(six)] as char).collect()
    }
}
