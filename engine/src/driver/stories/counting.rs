//! Counts of closures: each row is counted once per action, whatever fails.

use super::*;

#[test]
fn an_inner_stage_counts_when_it_is_computed_and_not_when_it_is_computed_again() {
    let mut play = Play::with_slots(&[1, 1]);
    play.submit(1, map_reduce());
    assert_eq!(play.counted(1, "e1 s0 p0 a0", 5), "counted [(0, 5)]");
    assert_eq!(play.counted(1, "e2 s0 p1 a0", 7), "counted [(0, 7)]\nrun e1 s1 p0 a0 from e1 e2");
    play.lose(2);
    play.misses("e1 s1 p0 a0", 0, 2);
    assert_eq!(play.counted(1, "e1 s0 p1 a1", 7), "run e1 s1 p0 a1 from e1 e1");
}

#[test]
fn an_attempt_that_fails_or_comes_twice_counts_nothing() {
    let mut play = Play::with_slots(&[2]);
    play.submit(1, map_reduce());
    play.failed("e1 s0 p0 a0", Error::transient("a hiccup"));
    assert_eq!(play.counted(1, "e1 s0 p0 a1", 5), "counted [(0, 5)]");
    assert_eq!(play.counted(1, "e1 s0 p0 a1", 5), "");
}

#[test]
fn what_is_accumulated_goes_the_way_of_what_is_counted() {
    let mut play = Play::with_slots(&[2]);
    play.submit(1, map_reduce());
    let task = TaskId { job: JobId(1), stage: StageId(0), partition: Partition(0), attempt: Attempt(0) };
    let report = TaskReport { accumulated: vec![(2, vec![7])], ..TaskReport::default() };
    let mut told = |outcome| {
        let finished = Event::TaskFinished { executor: ExecutorId(1), task, outcome: Ok(outcome) };
        let actions = play.driver.step(Duration::ZERO, finished);
        let told = actions.into_iter().filter_map(|action| match action {
            Action::Counted { accumulated, .. } => Some(accumulated),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(told(report.clone()), [[(2, vec![7])]]);
    assert!(told(report).is_empty(), "it comes twice");
}

#[test]
fn the_counts_of_the_result_are_in_its_reports() {
    let mut play = Play::with_slots(&[1]);
    play.submit(1, vec![stage(0, &[], 1)]);
    let report = TaskReport { counters: vec![(3, 4)], ..TaskReport::default() };
    let task = TaskId { job: JobId(1), stage: StageId(0), partition: Partition(0), attempt: Attempt(0) };
    let finished = Event::TaskFinished { executor: ExecutorId(1), task, outcome: Ok(report.clone()) };
    let actions = play.driver.step(Duration::ZERO, finished);
    let Some(Action::JobDone { reports, .. }) = actions.last() else { panic!("{actions:?}") };
    assert_eq!(reports, &[report]);
}

#[test]
fn a_stage_that_a_later_action_runs_again_counts_again() {
    let mut play = Play::with_slots(&[1]);
    for job in [1, 2] {
        play.submit(job, vec![stage(0, &[], 1), stage(job as u32, &[0], 1)]);
        let attempt = job - 1;
        let told = play.counted(job, &format!("e1 s0 p0 a{attempt}"), 5);
        assert!(told.starts_with("counted [(0, 5)]"), "{told}");
        play.done_in(job, &format!("e1 s{job} p0 a0"));
        play.release(job);
    }
}

#[test]
fn what_runs_again_for_a_lost_cache_counts_nothing() {
    let mut play = Play::with_slots(&[1, 1]);
    let cached = || vec![stage(0, &[], 1), stage(1, &[0], 1), StageSpec { keep: true, ..stage(2, &[1], 2) }];
    let with_result = |id| [cached(), vec![stage(id, &[2], 1)]].concat();
    play.submit(1, with_result(3));
    play.counted(1, "e1 s0 p0 a0", 1);
    play.counted(1, "e1 s1 p0 a0", 10);
    assert_eq!(play.counted(1, "e1 s2 p0 a0", 100), "counted [(0, 100)]");
    play.counted(1, "e2 s2 p1 a0", 100);
    play.done("e1 s3 p0 a0");
    play.lose(2);
    assert_eq!(play.submit(2, with_result(4)), "run e1 s0 p0 a1 for job 2");
    for task in ["e1 s0 p0 a1", "e1 s1 p0 a1", "e1 s2 p1 a1"] {
        let told = play.counted(2, task, 1000);
        assert!(!told.contains("counted"), "{task}: {told}");
    }
}
