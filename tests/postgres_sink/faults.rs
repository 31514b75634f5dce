//! Jobs that are killed at every step, replies that are lost, servers that crash: a retry makes the table that a run without
//! faults makes, once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::job::Job;
use crate::proxy::{Cut, Proxy};
use crate::server::{Database, Server};
use crate::{OLD, content, lines, publishes, target, write};

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
            assert_eq!(
                killed.killed_by(),
                Some(9),
                "{step}, {options:?}: it was not killed: {}",
                killed.stderr
            );
            let is_published = matches!(step, "table.committed" | "table.cleaned");
            assert_eq!(
                content(&db),
                if is_published { expected.clone() } else { old },
                "{step}, {options:?}"
            );
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
        // A run takes about a second and a half.
        std::thread::sleep(Duration::from_millis(1800 * moment / moments));
        running.signal(Signal::KILL);
        killed += u32::from(running.wait().killed_by() == Some(9));
        let now = content(&db);
        assert!(now == old || now == expected, "moment {moment}: the table is neither old nor new");
        job().run().ok();
        assert_eq!(content(&db), expected, "moment {moment}");
        assert_eq!(db.sql("SELECT count(*) FROM kiln_publishes WHERE published_at IS NOT NULL"), "1");
    }
    assert!(killed > 0, "no job was killed");
}

#[test]
fn what_a_killed_attempt_has_staged_goes_with_the_next_run_of_anybody() {
    let db = target();
    let killed =
        write(&db, MODES[1]).option("--run-id", "night").env("KILN_FAILPOINT", "table.staged=kill").run();
    assert_eq!(killed.killed_by(), Some(9));
    let stagings = "SELECT count(*) FROM pg_class WHERE relname LIKE 'kiln_staging_%'";
    assert_eq!(db.sql(stagings), "1");
    // It may still be alive for all that another run knows, until its claim is a week old.
    write(&db, &["--mode", "append", "--first", "5000"]).run().ok();
    assert_eq!(db.sql(stagings), "1");
    db.sql(
        "UPDATE kiln_publishes SET claimed_at = claimed_at - interval '8 days' WHERE published_at IS NULL",
    );
    write(&db, &["--mode", "append", "--first", "7000"]).run().ok();
    assert_eq!(publishes(&db), "2 of 2");
}

#[test]
fn a_job_that_fails_leaves_nothing() {
    let db = target();
    let before = content(&db);
    let ended = write(&db, &["--mode", "append"]).run();
    assert_eq!(ended.code(), Some(65));
    let running = write(&db, &["--mode", "overwrite", "--pause", "1", "--rows", "40000"]).start();
    db.wait_for("SELECT count(*) FROM pg_class WHERE relname LIKE 'kiln_staging_%'");
    running.signal(Signal::TERM);
    assert_eq!(running.wait().code(), Some(143));
    assert_eq!(content(&db), before);
    assert_eq!(publishes(&db), "0 of 0");
}

/// The address of a database by the proxy.
fn through(db: &Database, proxy: &Proxy) -> String {
    db.tcp_url(&format!("kiln:{}", crate::server::PASSWORD))
        .replace(&format!(":{}/", db.server().port()), &format!(":{}/", proxy.port()))
        + "?sslmode=disable"
}

fn by_proxy(db: &Database, proxy: &Proxy, options: &[&str]) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_write_postgres")).on("local[2]");
    let job = job.option("--url", through(db, proxy)).option("--table", "t").option("--run-id", "night");
    options.iter().fold(job, |job, option| job.arg(*option))
}

#[test]
fn a_lost_reply_to_the_commit_is_resolved_by_the_ledger() {
    for options in MODES {
        let expected = clean_run(options);
        let db = target();
        let cut = Cut { after: "INSERT INTO public.t (", reply: "COMMIT\0", times: 1, closes: false };
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
    let options = MODES[0];
    let cut = Cut { after: "INSERT INTO public.t (", reply: "COMMIT\0", times: 1, closes: true };
    let proxy = Proxy::start(db.server().port(), cut);
    let ended = by_proxy(&db, &proxy, options).run();
    assert_eq!((ended.code(), proxy.cuts()), (Some(75), 1), "{}", ended.stderr);
    assert_eq!(ended.json()["reason"], "outcome_unknown");
    assert_eq!(lines(&db), "new 1000, old 2000");
    let retry = write(&db, options).option("--run-id", "night").run().ok();
    assert_eq!(retry.json()["outputs"][0]["rows"], 1000);
    assert_eq!(lines(&db), "new 1000, old 2000");
}

#[test]
fn replies_that_are_lost_before_the_commit_only_cost_another_try() {
    for (after, reply) in [
        ("INSERT INTO public.kiln_publishes", "COMMIT\0"),
        ("CREATE UNLOGGED TABLE", "CREATE TABLE\0"),
        ("INSERT INTO public.t (", "INSERT 0 1000\0"),
        ("UPDATE public.kiln_publishes", "UPDATE 1\0"),
        ("DROP TABLE IF EXISTS", "DROP TABLE\0"),
    ] {
        let db = target();
        let proxy = Proxy::start(db.server().port(), Cut { after, reply, times: 1, closes: false });
        let ended = by_proxy(&db, &proxy, MODES[0]).run();
        ended.exits(0);
        assert_eq!(proxy.cuts(), 1, "{after}: no reply was lost");
        assert_eq!(lines(&db), "new 1000, old 2000", "{after}");
        assert_eq!(publishes(&db), "1 of 1", "{after}");
    }
}

#[test]
fn rows_of_task_attempts_that_lost_do_not_count() {
    for cluster in crate::job::EVERYWHERE {
        let db = target();
        let cut = Cut { after: "COPY public.kiln_staging_", reply: "COPY ", times: 3, closes: false };
        let proxy = Proxy::start(db.server().port(), cut);
        let ended = by_proxy(&db, &proxy, MODES[0]).on(cluster).run();
        ended.exits(0);
        assert_eq!(proxy.cuts(), 3, "parts were staged, and their tasks were not told");
        assert_ne!(ended.json()["retries"], 0);
        assert_eq!(lines(&db), "new 1000, old 2000", "{cluster}");
        assert_eq!(publishes(&db), "1 of 1");
    }
}

#[test]
fn if_all_staged_rows_counted_those_of_lost_attempts_would_be_published() {
    let db = target();
    db.sql("ALTER TABLE t DROP CONSTRAINT t_pkey");
    let cut = Cut { after: "COPY public.kiln_staging_", reply: "COPY ", times: 1, closes: false };
    let proxy = Proxy::start(db.server().port(), cut);
    let ended = by_proxy(&db, &proxy, MODES[0]).env("KILN_SABOTAGE", "parts").run();
    assert_eq!(proxy.cuts(), 1);
    // The count of the rows finds it, too.
    assert_eq!(ended.json()["reason"], "staging_lost", "{}", ended.stderr);
    assert_eq!(lines(&db), "old 2000");
}

#[test]
fn staged_rows_that_a_crash_of_the_server_takes_are_missed() {
    let server = Server::start();
    let db = server.database();
    db.sql(OLD);
    let before = content(&db);
    let job = || write(&db, MODES[1]).option("--run-id", "night");
    let running = job().env("KILN_FAILPOINT", "table.staged=stop").start();
    running.wait_until_stopped();
    server.restart();
    running.signal(Signal::CONT);
    let ended = running.wait();
    assert_eq!(ended.code(), Some(75), "{}", ended.stderr);
    assert_eq!(ended.json()["reason"], "staging_lost");
    assert_eq!(content(&db), before, "an overwrite by nothing would have emptied the table");
    job().run().ok();
    assert_eq!(lines(&db), "new 1000");
    assert_eq!(publishes(&db), "1 of 1");
}

#[test]
fn a_server_that_restarts_while_rows_are_staged_ends_in_a_whole_table() {
    let server = Server::start();
    let db = server.database();
    db.sql(OLD);
    let job = || write(&db, MODES[1]).option("--run-id", "night");
    let running = job().env("KILN_FAILPOINT", "table.part_sent=stop").start();
    running.wait_until_stopped();
    server.restart();
    running.signal(Signal::CONT);
    let ended = running.wait();
    // The parts that were staged before the restart are gone; without any, the attempt goes on.
    assert!(matches!(ended.code(), Some(0 | 69 | 75)), "{}", ended.stderr);
    assert!(["old 2000", "new 1000"].contains(&lines(&db).as_str()));
    job().run().ok();
    assert_eq!(lines(&db), "new 1000");
}

#[test]
fn a_reader_sees_old_rows_or_new_ones_and_never_a_mix() {
    let db = target();
    let is_done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = Vec::new();
            while !is_done.load(Ordering::SeqCst) {
                let now = lines(&db);
                if seen.last() != Some(&now) {
                    seen.push(now);
                }
            }
            seen
        });
        for text in ["a", "b", "c", "d"] {
            write(&db, &["--mode", "overwrite", "--text", text]).run().ok();
        }
        is_done.store(true, Ordering::SeqCst);
        reader.join().unwrap()
    });
    let whole = ["old 2000", "a 1000", "b 1000", "c 1000", "d 1000"];
    assert!(seen.iter().all(|lines| whole.contains(&lines.as_str())), "{seen:?}");
    assert!(seen.len() > 2, "the reader has seen changes: {seen:?}");
}
