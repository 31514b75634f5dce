//! `kiln clean` ends uploads that were begun and not completed. moto lists them, as S3 does; it gives all of them one time in
//! 2010, so that each is older than any grace.

use rustix::process::Signal;

use super::job::{Ended, Job};
use super::moto::Moto;
use super::s3::BUCKET;
use super::{FORMS, small, with_form};

const OUTPUT: &str = "out/a b/rows";

fn job(moto: &Moto) -> Job {
    let job = small().option("--mode", "append").option("--output", format!("s3://{BUCKET}/{OUTPUT}"));
    moto.tell(job)
}

fn clean(moto: &Moto, options: &[&str]) -> Ended {
    let job =
        Job::new(env!("CARGO_BIN_EXE_kiln_command")).arg("clean").arg(format!("s3://{BUCKET}/{OUTPUT}"));
    let job = options.iter().fold(moto.tell(job), |job, option| job.arg(*option));
    let ended = job.run();
    ended.exits(0);
    ended
}

/// Begins an upload of the object `name` of the output.
fn begin(moto: &Moto, name: &str) {
    let key = format!("{OUTPUT}/{name}").replace(' ', "%20");
    let answer = moto.ask("POST", &format!("/{BUCKET}/{key}?uploads"));
    assert_eq!(Moto::all(&answer, "UploadId").len(), 1, "{answer}");
}

/// The keys of open uploads, below the output.
fn open(moto: &Moto) -> Vec<String> {
    let mut keys = Moto::all(&moto.ask("GET", &format!("/{BUCKET}?uploads")), "Key");
    keys.sort();
    keys.iter().map(|key| key.strip_prefix(&format!("{OUTPUT}/")).unwrap_or(key).to_owned()).collect()
}

#[test]
fn an_upload_that_nobody_completes_is_ended_and_others_stay() {
    for form in FORMS {
        let moto = Moto::start();
        with_form(job(&moto), form).run().ok();
        begin(&moto, "part-00007-0a1b2c3d.parquet");
        begin(&moto, "day=1/part-00007-0a1b2c3d.parquet");
        begin(&moto, "notes.txt");
        begin(&moto, "../other/part-00007-0a1b2c3d.parquet");
        let all = open(&moto);
        assert_eq!(all.len(), 4);

        let listed = clean(&moto, &[]);
        assert!(listed.stdout.contains("to remove: 0 files, 0 bytes, 2 open uploads"), "{}", listed.stdout);
        assert_eq!(open(&moto), all, "nothing is ended unless it is asked for");
        let cleaned = clean(&moto, &["--delete"]);
        assert!(cleaned.stdout.contains("removed 0 files, 0 bytes, 2 open uploads"), "{}", cleaned.stdout);
        let left = open(&moto);
        assert!(left.len() == 2 && left.contains(&"notes.txt".to_owned()), "{left:?}");
        assert!(clean(&moto, &["--delete"]).stdout.contains("0 open uploads"));
    }
}

#[test]
fn an_upload_of_an_attempt_that_may_be_alive_stays() {
    for form in FORMS {
        let moto = Moto::start();
        with_form(job(&moto), form).run().ok();
        let alive = with_form(job(&moto), form).env("KILN_FAILPOINT", "commit.ready=stop").start();
        alive.wait_until_stopped();
        let listed = moto.ask("GET", &format!("/{BUCKET}?list-type=2&prefix=out"));
        let names = Moto::all(&listed, "Key").into_iter().filter(|key| key.ends_with(".parquet"));
        let names: Vec<String> = names.map(|key| key.rsplit('/').next().unwrap().to_owned()).collect();
        assert_eq!(names.len(), 12);
        // Other files of the same two publishes, of which one is over. moto keeps strangers off an object that is there.
        names.iter().for_each(|name| begin(&moto, &name.replacen("part-000", "part-009", 1)));
        let cleaned = clean(&moto, &["--delete"]);
        assert!(cleaned.stdout.contains("6 open uploads"), "{}", cleaned.stdout);
        assert_eq!(open(&moto).len(), 6);
        alive.signal(Signal::CONT);
        alive.wait().ok();
        // Its files are young, so that nobody takes it for dead before it has ended; then its uploads are nobody's.
        let cleaned = clean(&moto, &["--delete"]);
        assert!(cleaned.stdout.contains("removed 0 files, 0 bytes, 6 open uploads"), "{}", cleaned.stdout);
        assert_eq!(open(&moto), [""; 0]);
    }
}
