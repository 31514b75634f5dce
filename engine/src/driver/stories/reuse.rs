//! Outputs that outlive their job: caches, shared datasets, and their reuse by later jobs.

use super::*;

#[test]
fn a_kept_output_is_not_computed_again_nor_what_only_it_needs() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, cached());
    play.done("e1 s0 p0 a0");
    assert_eq!(play.done("e1 s1 p0 a0"), "e1 forgets x0\njob 1 done on e1, 0 retries");
    let mut longer = cached();
    longer.push(stage(2, &[1], 1));
    assert_eq!(play.submit(2, longer), "run e1 s2 p0 a0 from e1 for job 2");
}

#[test]
fn a_job_whose_result_is_kept_is_done_when_it_is_submitted() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, cached());
    play.done("e1 s0 p0 a0");
    play.done("e1 s1 p0 a0");
    assert_eq!(play.submit(2, cached()), "job 2 done on e1, 0 retries");
    assert_eq!(play.release(1), "e1 forgets x1");
}

#[test]
fn only_the_lost_partitions_of_a_cache_are_computed_again() {
    let mut play = Play::with_slots(&[1, 1]);
    let cache = || vec![StageSpec { keep: true, ..stage(0, &[], 2) }];
    play.submit(1, cache());
    play.done("e1 s0 p0 a0");
    play.done("e2 s0 p1 a0");
    assert_eq!(play.lose(2), "", "no job needs it now");
    assert_eq!(play.submit(2, cache()), "run e1 s0 p1 a1 for job 2");
    assert_eq!(play.done_in(2, "e1 s0 p1 a1"), "job 2 done on e1 e1, 1 retries");
}

#[test]
fn attempts_of_a_forgotten_output_count_on_in_a_later_job() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, vec![stage(0, &[], 1)]);
    play.done("e1 s0 p0 a0");
    assert_eq!(play.release(0), "e1 forgets x0");
    assert_eq!(play.submit(2, vec![stage(0, &[], 1)]), "run e1 s0 p0 a1 for job 2");
}

#[test]
fn two_live_jobs_share_the_work_on_the_same_dataset() {
    let mut play = Play::with_slots(&[2]);
    play.submit(1, vec![stage(0, &[], 1), stage(1, &[0], 1)]);
    assert_eq!(play.submit(2, vec![stage(0, &[], 1), stage(2, &[0], 1)]), "", "job 1 is at it");
    let both = "run e1 s1 p0 a0 from e1\nrun e1 s2 p0 a0 from e1 for job 2";
    assert_eq!(play.done("e1 s0 p0 a0"), both);
    assert_eq!(play.done("e1 s1 p0 a0"), "job 1 done on e1, 0 retries", "x0 is still in use");
    assert_eq!(play.done_in(2, "e1 s2 p0 a0"), "e1 forgets x0\njob 2 done on e1, 0 retries");
}

#[test]
fn shared_work_goes_on_when_the_job_that_started_it_fails() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, vec![stage(0, &[], 1)]);
    play.submit(2, vec![stage(0, &[], 1)]);
    let cancel = Event::Cancel { job: JobId(1), error: Error::cancelled("interrupted") };
    let taken_over = "abort e1 s0 p0 a0\njob 1 failed: interrupted\nrun e1 s0 p0 a1 for job 2";
    assert_eq!(play.tell(cancel), taken_over);
}

#[test]
fn a_result_that_two_jobs_found_is_kept_until_both_release_it() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, vec![stage(0, &[], 1)]);
    play.submit(2, vec![stage(0, &[], 1)]);
    assert_eq!(play.done("e1 s0 p0 a0"), "job 1 done on e1, 0 retries\njob 2 done on e1, 0 retries");
    assert_eq!(play.release(0), "");
    assert_eq!(play.release(0), "e1 forgets x0");
}

#[test]
fn a_job_reads_a_kept_output_without_the_stages_that_compute_it() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, cached());
    play.done("e1 s0 p0 a0");
    play.done("e1 s1 p0 a0");
    assert_eq!(play.submit_over(2, &[1], vec![stage(2, &[1], 1)]), "run e1 s2 p0 a0 from e1 for job 2");
    assert_eq!(play.release(1), "", "a job reads it");
    assert_eq!(play.done_in(2, "e1 s2 p0 a0"), "e1 forgets x1\njob 2 done on e1, 0 retries");
}

#[test]
fn a_job_fails_with_a_lost_output_when_a_kept_one_is_not_there() {
    let mut play = Play::with_slots(&[1, 1]);
    let lost = "job 2 failed: rows that an earlier job has kept are lost, at job 2";
    assert_eq!(play.submit_over(2, &[1], vec![stage(2, &[1], 1)]), lost);
    play.submit(1, vec![StageSpec { keep: true, ..stage(1, &[], 1) }]);
    play.done("e1 s1 p0 a0");
    play.submit_over(2, &[1], vec![stage(2, &[1], 2)]);
    let failed = play.lose(1);
    assert!(failed.contains(lost), "{failed}");
}

#[test]
fn a_kept_output_that_nobody_still_has_to_read_may_be_lost() {
    let mut play = Play::with_slots(&[1, 1]);
    play.submit(1, vec![StageSpec { keep: true, ..stage(1, &[], 1) }]);
    play.done("e1 s1 p0 a0");
    // Both tasks of stage 3 read the output of stage 2; nothing reads the kept output any more.
    play.submit_over(2, &[1], vec![stage(2, &[1], 1), stage(3, &[2], 2)]);
    let running = play.done_in(2, "e1 s2 p0 a0");
    assert!(running.contains("s3 p0") && running.contains("s3 p1"), "{running}");
    assert!(!play.release(1).contains("failed"));
}

/// A source followed by a cache.
fn cached() -> Vec<StageSpec> {
    vec![stage(0, &[], 1), StageSpec { keep: true, ..stage(1, &[0], 1) }]
}
