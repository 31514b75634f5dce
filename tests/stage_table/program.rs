//! A program with many stages. It checks its table, then starts itself again and lets the new process
//! run every stage by its position.

use std::env;
use std::process::{Command, ExitCode, Stdio};

use library::{Known, Number, const_stage, generic_stage, own_stages, run, stage, table};

/// Positions and the expected fingerprint, for the second process.
const ASKED: &str = "STAGE_TABLE_ASKED";

struct Seven;
struct Eight;

impl Number for Seven {
    const VALUE: u64 = 7;
}
impl Number for Eight {
    const VALUE: u64 = 8;
}

fn main() -> ExitCode {
    match env::var(ASKED) {
        Ok(asked) => answer(&asked),
        Err(_) => check(),
    }
    ExitCode::SUCCESS
}

/// The same in the test harness.
#[test]
fn holds() {
    main();
}

fn stages() -> Vec<Known> {
    let mut stages =
        vec![stage(|n| n + 1), stage(|n| n + 2), local_generic::<Seven>(), local_generic::<Eight>()];
    stages.extend(own_stages());
    stages.extend([
        generic_stage::<Seven>(),
        generic_stage::<Eight>(),
        const_stage::<3>(),
        const_stage::<4>(),
    ]);
    stages
}

fn local_generic<N: Number>() -> Known {
    stage(|n| n * 100 + N::VALUE)
}

fn check() {
    let stages = stages();
    // A stage that is created twice is in the table only once.
    local_generic::<Seven>();
    assert_eq!(table::table().len(), stages.len(), "entries of the table");
    for (at, known) in stages.iter().enumerate() {
        let position = known.position.unwrap_or_else(|| panic!("{} is not in the table", known.name));
        assert_eq!(table::table()[position as usize].name, known.name);
        assert!(
            stages[..at].iter().all(|other| other.position != known.position),
            "{} is there twice",
            known.name
        );
    }
    let expected: Vec<String> = stages.iter().map(|known| ((known.code)(5) + 9).to_string()).collect();
    assert_eq!(second_process(&stages), expected.join(" "));
    println!("{} stages hold", stages.len());
}

/// The results of the stages for 5, with the parameter 9, in another process of this binary.
fn second_process(stages: &[Known]) -> String {
    let positions: Vec<String> =
        stages.iter().filter_map(|known| known.position).map(|at| at.to_string()).collect();
    let asked = format!("{} {}", table::fingerprint(), positions.join(" "));
    let mut command = Command::new(env::current_exe().expect("a path"));
    if cfg!(test) {
        command.args(["holds", "--exact", "--nocapture"]);
    }
    let output = command.env(ASKED, asked).stderr(Stdio::inherit()).output().expect("a second process");
    assert!(output.status.success(), "the second process ended with {}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    let answer = text.lines().find_map(|line| line.split_once("answer: ")).expect("an answer");
    answer.1.to_owned()
}

/// The second process.
fn answer(asked: &str) {
    let mut asked = asked.split(' ');
    assert_eq!(asked.next(), Some(table::fingerprint().to_string().as_str()), "fingerprints");
    let answers: Vec<String> =
        asked.map(|at| run(at.parse().expect("a position"), &[9], 5).to_string()).collect();
    println!("answer: {}", answers.join(" "));
}
