//! Which task starts when and where, and how a job ends.

use super::*;

#[test]
fn tasks_go_to_the_executor_with_most_free_slots() {
    let mut play = Play::with_slots(&[1, 2]);
    assert_eq!(play.submit(1, vec![stage(0, &[], 4)]), "run e2 s0 p0 a0\nrun e1 s0 p1 a0\nrun e2 s0 p2 a0");
    assert_eq!(play.done("e1 s0 p1 a0"), "run e1 s0 p3 a0");
}

#[test]
fn a_stage_starts_when_all_its_inputs_are_complete() {
    let mut play = Play::with_slots(&[2]);
    assert_eq!(play.submit(1, map_reduce()), "run e1 s0 p0 a0\nrun e1 s0 p1 a0");
    assert_eq!(play.done("e1 s0 p1 a0"), "");
    assert_eq!(play.done("e1 s0 p0 a0"), "run e1 s1 p0 a0 from e1 e1");
}

#[test]
fn stages_with_no_path_between_them_run_at_once() {
    let mut play = Play::with_slots(&[4]);
    let diamond = vec![stage(0, &[], 1), stage(1, &[], 1), stage(2, &[1, 0], 1)];
    assert_eq!(play.submit(1, diamond), "run e1 s0 p0 a0\nrun e1 s1 p0 a0");
}

#[test]
fn the_end_of_a_job_says_where_its_result_lies_and_forgets_the_rest() {
    let mut play = Play::with_slots(&[1, 1]);
    play.submit(1, map_reduce());
    play.done("e1 s0 p0 a0");
    play.done("e2 s0 p1 a0");
    assert_eq!(play.done("e1 s1 p0 a0"), "e1 forgets x0\ne2 forgets x0\njob 1 done on e1, 0 retries");
    assert_eq!(play.release(1), "e1 forgets x1");
    assert_eq!(play.release(1), "");
}

#[test]
fn reports_come_in_partition_order() {
    let mut play = Play::with_slots(&[2]);
    play.submit(1, vec![stage(0, &[], 2)]);
    let report = |rows| Ok(TaskReport { rows, ..TaskReport::default() });
    play.ended(1, "e1 s0 p1 a0", report(11));
    let task = TaskId { job: JobId(1), stage: StageId(0), partition: Partition(0), attempt: Attempt(0) };
    let last = Event::TaskFinished { executor: ExecutorId(1), task, outcome: report(10) };
    let actions = play.driver.step(Duration::ZERO, last);
    let Some(Action::JobDone { reports, .. }) = actions.last() else { panic!("{actions:?}") };
    assert_eq!(reports.iter().map(|report| report.rows).collect::<Vec<_>>(), [10, 11]);
}

#[test]
fn progress_is_said_once_for_each_change_and_goes_back_with_a_loss() {
    let mut play = Play::with_slots(&[1, 1]);
    play.submit(1, vec![stage(0, &[], 3)]);
    play.done("e1 s0 p0 a0");
    assert_eq!(play.progress, ["stage 0: 1 of 3"]);
    play.tell(Event::Tick);
    play.lose(1);
    assert_eq!(play.progress, ["stage 0: 1 of 3", "stage 0: 0 of 3"]);
}

#[test]
fn a_stage_without_partitions_is_complete_from_the_start() {
    let mut play = Play::with_slots(&[1]);
    assert_eq!(play.submit(1, vec![stage(0, &[], 0), stage(1, &[0], 1)]), "run e1 s1 p0 a0");
}

#[test]
fn a_cancelled_job_aborts_its_tasks_and_leaves_the_slots_to_the_next() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, vec![stage(0, &[], 1)]);
    assert_eq!(play.submit(2, vec![stage(1, &[], 1)]), "");
    let cancel = Event::Cancel { job: JobId(1), error: Error::cancelled("interrupted") };
    let end = "abort e1 s0 p0 a0\ne1 forgets x0\njob 1 failed: interrupted\nrun e1 s1 p0 a0 for job 2";
    assert_eq!(play.tell(cancel.clone()), end);
    assert_eq!(play.tell(cancel), "");
    assert_eq!(play.done("e1 s0 p0 a0"), "");
}

#[test]
fn a_job_without_executors_fails_at_once() {
    let mut play = Play::with_slots(&[]);
    let refused = play.submit(1, map_reduce());
    assert_eq!(refused, "job 1 failed: no executor has joined, at job 1");
}

#[test]
fn a_job_waits_for_executors_within_the_grace() {
    let mut play = Play::with_slots(&[]);
    play.driver.limits.no_executor_grace = Duration::from_secs(10);
    assert_eq!(play.submit(1, vec![stage(0, &[], 1)]), "");
    assert_eq!(play.join(7), "run e7 s0 p0 a0");
}

#[test]
fn a_job_that_cannot_be_run_is_refused_and_hurts_no_other() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, vec![stage(0, &[], 1)]);
    let orphan = play.submit(2, vec![stage(5, &[4], 1)]);
    assert_eq!(orphan, "job 2 failed: no earlier stage makes an input, at stage 5, job 2");
    let reshaped = play.submit(3, vec![stage(0, &[], 9)]);
    assert_eq!(
        reshaped,
        "job 3 failed: exchange 0 has another shape than in an earlier job, at stage 0, job 3"
    );
    assert_eq!(play.done("e1 s0 p0 a0"), "job 1 done on e1, 0 retries");
}

#[test]
fn the_watchdog_ends_a_job_that_stands_still() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, vec![stage(0, &[], 1)]);
    // A fault that no event can cause: the task is no longer recorded as running, but its partition was not
    // put back.
    let (task, running) = play.driver.running.pop_first().unwrap();
    play.driver.executors.vacate(running.executor, task);
    assert_eq!(
        play.tell(Event::Tick),
        "e1 forgets x0\njob 1 failed: the job stands still with executors present, \
         at stages stage 0: 0 of 1 done, 0 waiting, wanted, job 1"
    );
}
