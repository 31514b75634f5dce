//! Jobs that are killed at every step, replies that are lost, servers that crash: a retry makes the table that a run without
//! faults makes, once.

use std::time::Duration;

use rustix::process::Signal;

use crate::job::Job;
use crate::proxy::{Cut, Proxy};
use crate::server::{Database, PASSWORD, Server};
use crate::{OLD, content, lines, publishes, stagings, target, write};

/// The steps of a publish.
const STEPS: [&str; 9] = [
    "table.claimed",
    "table.part_sent",
    "table.part_staged",
    "table.staged",
    "table.locked",
    "table.moved",
    "table.recorded",
    "table.committed",
    "table.cleaned",
];
const MODES: [&[&str]; 4] = [
    &["--mode", "append", "--first", "2000"],
    &["--mode", "overwrite"],
    &["--replace-where", "part = 1", "--part", "1", "--first", "5000"],
    &["--upsert-by", "id", "--first", "1500"],
];
/// The reply to a commit: a packet of 7 bytes, the first one of its request, that nothing has changed.
const COMMITTED: &str = "\u{7}\0\0\u{1}\0\0\0";
/// Of the statement that moves the rows.
const MOVES: &str = ".`t` (`id`";

/// What the table is after a run without faults.
fn clean_run(options: &[&str]) -> String {
    let db = target();
    write(&db, options).run().ok();
    content(&db)
}

#[test]
fn a_retry_after_a_kill_at_any_step_makes_what_a_clean_run_makes() {
    for options in MODES {
        let expected = clean_run(options);
        for step in STEPS {
            let db = target();
            let old = content(&db);
            let job = || write(&db, options).option("--run-id", "night");
            let killed = job().env("KILN_FAILPOINT", format!("{step}=kill")).run();
            assert_eq!(killed.killed_by(), Some(9), "{step}, {options:?}: {}", killed.stderr);
            let is_published = matches!(step, "table.committed" | "table.cleaned");
            let now = if is_published { expected.clone() } else { old };
            assert_eq!(content(&db), now, "{step}, {options:?}");
            let retry = job().run().ok();
            assert_eq!(content(&db), expected, "{step}, {options:?}");
            assert_eq!(retry.json()["outputs"][0]["rows"], 1000);
            if step != "table.committed" {
                assert_eq!(publishes(&db), "1 of 1", "{step}, {options:?}");
            }
        }
    }
}

#[test]
fn a_retry_after_a_kill_at_any_moment_makes_what_a_clean_run_makes() {
    let moments: u64 = std::env::var("KILN_MOMENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let mut killed = 0;
    let options = ["--replace-where", "part = 1", "--part", "1", "--first", "5000", "--pause", "1"];
    let expected = clean_run(&options);
    for moment in 0..moments {
        let db = target();
        let old = content(&db);
        let job = || write(&db, &options).option("--run-id", "night");
        let running = job().start();
        std::thread::sleep(Duration::from_millis(1800 * moment / moments));
        running.signal(Signal::KILL);
        killed += u32::from(running.wait().killed_by() == Some(9));
        let now = content(&db);
        assert!(now == old || now == expected, "moment {moment}: the table is neither old nor new");
        job().run().ok();
        assert_eq!(content(&db), expected, "moment {moment}");
        assert_eq!(db.sql("SELECT COUNT(*) FROM kiln_publishes WHERE published_at IS NOT NULL"), "1");
    }
    assert!(killed > 0, "no job was killed");
}

#[test]
fn a_job_that_fails_leaves_nothing() {
    let db = target();
    let before = content(&db);
    let ended = write(&db, &["--mode", "append"]).run();
    assert_eq!(ended.code(), Some(65), "keys are there twice: {}", ended.stderr);
    let running = write(&db, &["--mode", "overwrite", "--pause", "20"]).start();
    db.wait_for("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'kiln\\_staging%'");
    running.signal(Signal::TERM);
    assert_ne!(running.wait().code(), Some(0));
    assert_eq!((content(&db), stagings(&db)), (before, "0".to_owned()));
    assert_eq!(publishes(&db), "0 of 0");
}

fn by_proxy(db: &Database, proxy: &Proxy, options: &[&str]) -> Job {
    let url = db.tcp_url(&format!("kiln:{PASSWORD}"));
    let url = url.replace(&format!(":{}/", db.server().port()), &format!(":{}/", proxy.port()));
    let job = Job::new(env!("CARGO_BIN_EXE_write_mysql")).on("local[2]").option("--table", "t");
    let job = job.option("--url", url + "?ssl-mode=DISABLED").option("--run-id", "night");
    options.iter().fold(job, |job, option| job.arg(*option))
}

#[test]
fn a_lost_reply_to_the_commit_is_resolved_by_the_ledger() {
    for options in MODES {
        let expected = clean_run(options);
        let db = target();
        let cut = Cut { after: MOVES, reply: COMMITTED, times: 1, closes: false };
        let proxy = Proxy::start(db.server().port(), cut);
        let ended = by_proxy(&db, &proxy, options).run();
        ended.exits(0);
        assert_eq!(proxy.cuts(), 1, "the reply was lost");
        assert!(ended.stderr.contains("the ledger has the publish"), "{}", ended.stderr);
        assert_eq!(content(&db), expected);
        assert_eq!(publishes(&db), "1 of 1");
        by_proxy(&db, &proxy, options).run().ok();
        assert_eq!(content(&db), expected);
    }
}

#[test]
fn a_commit_that_nobody_can_tell_the_outcome_of_is_found_by_the_retry() {
    let db = target();
    let cut = Cut { after: MOVES, reply: COMMITTED, times: 1, closes: true };
    let proxy = Proxy::start(db.server().port(), cut);
    let ended = by_proxy(&db, &proxy, MODES[0]).run();
    assert_eq!((ended.code(), proxy.cuts()), (Some(75), 1), "{}", ended.stderr);
    assert_eq!(ended.json()["reason"], "outcome_unknown");
    assert_eq!(lines(&db), "new 1000, old 2000");
    let retry = write(&db, MODES[0]).option("--run-id", "night").run().ok();
    assert_eq!(retry.json()["outputs"][0]["rows"], 1000);
    assert_eq!(lines(&db), "new 1000, old 2000");
}

#[test]
fn rows_of_task_attempts_that_lost_do_not_count() {
    for cluster in crate::job::EVERYWHERE {
        let db = target();
        // The reply to the commit of a part.
        let cut = Cut { after: "`kiln_part`) VALUES", reply: COMMITTED, times: 3, closes: false };
        let proxy = Proxy::start(db.server().port(), cut);
        let ended = by_proxy(&db, &proxy, MODES[0]).on(cluster).run();
        ended.exits(0);
        assert_eq!(proxy.cuts(), 3, "parts were staged, and their tasks were not told");
        assert_eq!(lines(&db), "new 1000, old 2000", "{cluster}");
    }
}

#[test]
fn a_crash_of_the_server_leaves_the_old_rows_and_the_retry_writes_the_new_ones() {
    let db = Server::start().database();
    db.sql(OLD);
    let before = content(&db);
    let job = || write(&db, &["--mode", "overwrite", "--pause", "2"]).option("--run-id", "night");
    let running = job().start();
    db.wait_for("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'kiln\\_staging%'");
    db.server().restart();
    let ended = running.wait();
    let now = content(&db);
    assert!(ended.code() == Some(0) || now == before, "{:?}", ended.code());
    job().run().ok();
    assert_eq!(lines(&db), "new 1000");
}
