//! Failed tasks, missing outputs and lost executors.

use super::*;

#[test]
fn a_transient_failure_is_tried_again_with_a_new_attempt() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, vec![stage(0, &[], 1)]);
    assert_eq!(play.failed("e1 s0 p0 a0", Error::transient("timed out")), "run e1 s0 p0 a1");
    assert_eq!(play.done("e1 s0 p0 a1"), "job 1 done on e1, 1 retries");
}

#[test]
fn the_fourth_transient_failure_of_a_task_fails_the_job() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, vec![stage(0, &[], 1)]);
    for task in ["e1 s0 p0 a0", "e1 s0 p0 a1", "e1 s0 p0 a2"] {
        play.failed(task, Error::transient("timed out"));
    }
    assert_eq!(
        play.failed("e1 s0 p0 a3", Error::transient("timed out")),
        "e1 forgets x0\njob 1 failed: timed out, at stage 0, task 0, attempt 3, executor 1, failure 4 of 4"
    );
}

#[test]
fn any_other_failure_fails_the_job_at_once_and_aborts_the_rest() {
    let mut play = Play::with_slots(&[2]);
    play.submit(1, vec![stage(0, &[], 3)]);
    assert_eq!(
        play.failed("e1 s0 p1 a0", Error::data("invalid UTF-8")),
        "abort e1 s0 p0 a0\ne1 forgets x0\n\
         job 1 failed: invalid UTF-8, at stage 0, task 1, attempt 0, executor 1"
    );
}

#[test]
fn only_the_first_status_of_a_task_counts() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, map_reduce());
    assert_eq!(play.done("e1 s0 p0 a0"), "run e1 s0 p1 a0");
    assert_eq!(play.done("e1 s0 p0 a0"), "", "a duplicate");
    assert_eq!(play.failed("e1 s0 p0 a0", Error::data("late")), "", "a late change of mind");
    assert_eq!(play.done("e9 s0 p1 a0"), "", "from an executor that nobody knows");
    assert_eq!(play.done("e1 s0 p1 a5"), "", "an attempt that was never sent");
}

#[test]
fn a_lost_executor_gives_its_running_tasks_to_the_others() {
    let mut play = Play::with_slots(&[1, 1]);
    play.submit(1, vec![stage(0, &[], 2)]);
    play.done("e1 s0 p0 a0");
    assert_eq!(play.lose(2), "run e1 s0 p1 a1");
    assert_eq!(play.done("e2 s0 p1 a0"), "", "the dead are not heard");
}

#[test]
fn output_on_a_lost_executor_is_computed_again_back_to_the_source() {
    let mut play = Play::with_slots(&[1, 1]);
    play.submit(1, vec![stage(0, &[], 1), stage(1, &[0], 1), stage(2, &[1], 1)]);
    play.done("e1 s0 p0 a0");
    play.done("e1 s1 p0 a0");
    assert_eq!(play.lose(1), "run e2 s0 p0 a1", "stage 2 ran on e1: it needs stage 1, that needs stage 0");
    assert_eq!(play.done("e2 s0 p0 a1"), "run e2 s1 p0 a1 from e2");
}

#[test]
fn lost_output_that_no_unfinished_stage_reads_is_not_computed_again() {
    let mut play = Play::with_slots(&[1, 1]);
    play.submit(1, vec![stage(0, &[], 1), stage(1, &[], 1), stage(2, &[0, 1], 1), stage(3, &[2], 2)]);
    play.done("e1 s0 p0 a0");
    assert_eq!(play.done("e2 s1 p0 a0"), "run e1 s2 p0 a0 from e1 e2");
    assert_eq!(play.done("e1 s2 p0 a0"), "run e1 s3 p0 a0 from e1\nrun e2 s3 p1 a0 from e1");
    assert_eq!(play.lose(2), "", "stage 1 is lost, but stage 2 has already read it");
}

#[test]
fn durable_output_survives_its_executor() {
    let mut play = Play::with_slots(&[1, 1]);
    play.submit(1, vec![StageSpec { durable: true, ..stage(0, &[], 2) }]);
    play.done("e1 s0 p0 a0");
    play.lose(1);
    assert_eq!(play.done("e2 s0 p1 a0"), "job 1 done on e1 e2, 0 retries");
    assert_eq!(play.release(0), "", "published files are nobody's to forget");
}

#[test]
fn a_missing_input_is_computed_again_and_does_not_count_against_the_reader() {
    let mut play = Play::with_slots(&[1, 1]);
    play.submit(1, map_reduce());
    play.done("e1 s0 p0 a0");
    assert_eq!(play.done("e2 s0 p1 a0"), "run e1 s1 p0 a0 from e1 e2");
    assert_eq!(play.misses("e1 s1 p0 a0", 0, 2), "run e1 s0 p1 a1", "e2 stays, its output of x0 is gone");
    assert_eq!(play.done("e1 s0 p1 a1"), "run e1 s1 p0 a1 from e1 e1");
}

#[test]
fn two_readers_that_miss_the_same_output_have_it_computed_once() {
    let mut play = Play::with_slots(&[1, 1]);
    play.submit(1, vec![stage(0, &[], 1), stage(1, &[0], 2)]);
    assert_eq!(play.done("e1 s0 p0 a0"), "run e1 s1 p0 a0 from e1\nrun e2 s1 p1 a0 from e1");
    assert_eq!(play.misses("e1 s1 p0 a0", 0, 1), "run e1 s0 p0 a1");
    assert_eq!(play.done("e1 s0 p0 a1"), "run e1 s1 p0 a1 from e1");
    assert_eq!(play.misses("e2 s1 p1 a0", 0, 1), "run e2 s1 p1 a1 from e1", "it was told of the old one");
}

#[test]
fn any_number_of_readers_may_miss_the_same_output_at_once() {
    let mut play = Play::with_slots(&[8]);
    play.submit(1, vec![stage(0, &[], 1), stage(1, &[0], 8)]);
    play.done("e1 s0 p0 a0");
    assert_eq!(play.misses("e1 s1 p0 a0", 0, 1), "run e1 s0 p0 a1");
    for partition in 1..8 {
        assert_eq!(play.misses(&format!("e1 s1 p{partition} a0"), 0, 1), "", "one cause, counted once");
    }
}

#[test]
fn the_fifth_missing_input_in_a_row_fails_the_job() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, vec![stage(0, &[], 1), stage(1, &[0], 1)]);
    for attempt in 0..4 {
        play.done(&format!("e1 s0 p0 a{attempt}"));
        play.misses(&format!("e1 s1 p0 a{attempt}"), 0, 1);
    }
    play.done("e1 s0 p0 a4");
    let failed = play.misses("e1 s1 p0 a4", 0, 1);
    assert!(failed.ends_with("job 1 failed: connection reset, at stage 1, task 0, attempt 4, executor 1"));
}

#[test]
fn a_missing_input_that_was_not_to_be_read_is_a_bug() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, vec![stage(0, &[], 1)]);
    assert!(play.misses("e1 s0 p0 a0", 8, 1).contains("exchange 8 from executor 1 is missed"));
}

#[test]
fn a_task_that_loses_three_executors_is_named_as_the_cause() {
    let mut play = Play::with_slots(&[1, 1, 1, 1]);
    play.submit(1, vec![stage(0, &[], 1)]);
    assert_eq!(play.lose(1), "run e2 s0 p0 a1");
    assert_eq!(play.lose(2), "run e3 s0 p0 a2");
    let failed = play.lose(3);
    assert!(failed.contains("3 executors were lost while they ran this task"), "{failed}");
    assert!(failed.contains("at stage 0, task 0, attempt 2, executor 3"), "{failed}");
}

#[test]
fn the_loss_of_the_last_executor_fails_the_job_with_its_reason() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, map_reduce());
    let failed = "job 1 failed: no executor is left, the last was executor 1: killed, at job 1
  help: run it again; where nobody sent signal 9, memory was short: take fewer slots";
    assert_eq!(play.lose(1), failed);
}

#[test]
fn a_silent_executor_is_given_up_and_every_message_breaks_the_silence() {
    let mut play = Play::with_slots(&[1, 1]);
    play.submit(1, vec![stage(0, &[], 3)]);
    play.now = 5;
    assert_eq!(play.done("e1 s0 p0 a0"), "run e1 s0 p2 a0");
    assert_eq!(play.tell(Event::Tick), "", "five seconds are not more than five");
    play.now = 6;
    assert_eq!(play.tell(Event::Tick), "give up e2: silent for more than 5 s");
    assert_eq!(play.done("e1 s0 p2 a0"), "run e1 s0 p1 a1");
    assert_eq!(play.join(2), "give up e2: it was given up and cannot come back under the same id");
}
