//! The effect of each mode on an existing output, on disk and in an object store.

use std::fs;

use kiln::{Class, Context, Mode, Result};

use super::{names, small, table};

/// Writes the lines `from..to` as two text files.
fn write(cx: &Context, output: &str, mode: Mode, lines: std::ops::Range<u64>) -> Result<()> {
    cx.parallelize_in(2, lines).map(|n| n.to_string()).write().mode(mode).text(output)
}

fn read(cx: &Context, output: &str) -> Vec<u64> {
    let lines = cx.read_text(output).map_to::<String>(|line| line).collect().unwrap();
    let mut numbers: Vec<u64> = lines.iter().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// Runs `test` with an output on disk and one in the memory of this process.
fn everywhere(test: impl Fn(&Context, &str)) {
    let place = tempfile::tempdir().unwrap();
    let memory = format!("memory:///{}/rows", place.path().file_name().unwrap().display());
    for output in [place.path().join("rows").display().to_string(), memory] {
        test(&Context::local(2), &output);
    }
    assert!(!place.path().join(".kiln-stage").exists(), "nothing staged is left");
}

#[test]
fn overwrite_replaces_all_of_it() {
    everywhere(|cx, output| {
        write(cx, output, Mode::Overwrite, 0..10).unwrap();
        write(cx, output, Mode::Overwrite, 50..53).unwrap();
        assert_eq!(read(cx, output), [50, 51, 52]);
    });
}

#[test]
fn append_adds_files() {
    everywhere(|cx, output| {
        write(cx, output, Mode::Append, 0..3).unwrap();
        write(cx, output, Mode::Append, 3..5).unwrap();
        write(cx, output, Mode::Append, 5..5).unwrap();
        assert_eq!(read(cx, output), [0, 1, 2, 3, 4]);
    });
}

#[test]
fn error_and_ignore_leave_it_as_it_is_and_ignore_says_so() {
    everywhere(|cx, output| {
        write(cx, output, Mode::Ignore, 0..3).unwrap();
        let error = write(cx, output, Mode::Error, 3..6).unwrap_err();
        assert_eq!((error.class(), error.message()), (Class::Config, "the output exists"));
        assert_eq!(cx.job_run().facts().skipped, None);
        write(cx, output, Mode::Ignore, 3..6).unwrap();
        assert_eq!(cx.job_run().facts().skipped, Some(format!("the output exists: {output}")));
        assert_eq!(read(cx, output), [0, 1, 2]);
    });
}

#[test]
fn replace_partitions_leaves_the_others() {
    everywhere(|cx, output| {
        let write = |rows: Vec<(u64, String)>| {
            let rows = cx.parallelize_in(2, rows);
            rows.write()
                .names(["day", "n"])
                .partition_by(["day"])
                .mode(Mode::ReplacePartitions)
                .header(false)
                .csv(output)
        };
        let row = |day: u64, n: u64| (day, n.to_string());
        write(vec![row(1, 1), row(1, 2), row(2, 3), row(2, 4)]).unwrap();
        write(vec![row(2, 5), row(3, 6)]).unwrap();
        let read = |folder: &str| read(cx, &format!("{output}/{folder}/"));
        assert_eq!([read("day=1"), read("day=2"), read("day=3")], [vec![1, 2], vec![5], vec![6]]);
    });
}

#[test]
fn a_job_may_overwrite_what_it_has_read() {
    everywhere(|cx, output| {
        write(cx, output, Mode::Error, 0..4).unwrap();
        let some = cx.read_text(output).filter(|line| line != "2");
        some.write().mode(Mode::Overwrite).text(output).unwrap();
        assert_eq!(read(cx, output), [0, 1, 3]);
    });
}

#[test]
fn a_file_at_the_output_is_a_config_error_in_every_mode() {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(1));
    let output = place.path().join("rows");
    fs::write(&output, "precious").unwrap();
    for mode in [Mode::Error, Mode::Overwrite, Mode::Append] {
        let error = write(&cx, &output.display().to_string(), mode, 0..3).unwrap_err();
        assert_eq!(error.class(), Class::Config, "{mode:?}");
    }
    assert_eq!(fs::read_to_string(&output).unwrap(), "precious");
    assert_eq!(names(place.path()), ["rows"]);
}

#[test]
fn a_link_to_a_folder_stays_a_link_when_its_output_is_replaced() {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(1));
    let (real, link) = (place.path().join("real"), place.path().join("link"));
    write(&cx, &real.display().to_string(), Mode::Error, 0..3).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    write(&cx, &link.display().to_string(), Mode::Overwrite, 7..8).unwrap();
    assert!(link.is_symlink());
    assert_eq!(read(&cx, &real.display().to_string()), [7]);
}

#[test]
fn of_two_jobs_that_overwrite_one_place_one_whole_output_is_there() {
    for round in 0..3 {
        let place = tempfile::tempdir().unwrap();
        let output = place.path().join("rows");
        let rivals = [1000, 2000, 3000].map(|offset: u64| {
            let job = small("local[2]").option("--mode", "overwrite").option("--offset", offset.to_string());
            job.option("--output", &output).start()
        });
        let ended = rivals.map(|rival| rival.wait());
        // A job that started before a published one gives way to it.
        assert!(ended.iter().all(|ended| matches!(ended.code(), Some(0 | 73))), "round {round}");
        assert!(ended.iter().any(|ended| ended.code() == Some(0)), "round {round}");
        let numbers = table::numbers(&output);
        assert!([1000, 2000, 3000].contains(&numbers[0]), "round {round}");
        assert_eq!(numbers, (numbers[0]..numbers[0] + 600).collect::<Vec<u64>>(), "round {round}");
        assert_eq!(names(place.path()).len(), 1 + 6, "nothing staged is left");
    }
}

#[test]
fn of_two_jobs_that_append_to_one_place_both_are_there() {
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("rows");
    let rivals = [0, 600, 1200].map(|offset: u64| {
        let job = small("local[2]").option("--mode", "append").option("--offset", offset.to_string());
        job.option("--output", &output).start()
    });
    rivals.into_iter().for_each(|rival| drop(rival.wait().ok()));
    let mut numbers = table::numbers(&output);
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1800).collect::<Vec<u64>>());
    assert_eq!(names(place.path()).len(), 1 + 18);
}

#[test]
fn a_job_that_ignores_what_is_there_ends_as_skipped() {
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("rows");
    small("local[1]").option("--output", &output).run().ok();
    let ended = small("local[1]").option("--mode", "ignore").option("--output", &output).run();
    ended.exits(99);
    assert_eq!(ended.json()["outputs"], serde_json::json!([]));
}

#[test]
fn nothing_that_was_replaced_stays_in_a_store() {
    let cx = Context::local(2);
    for name in ["rows", "=", "k=v", "a b"] {
        let place = format!("memory:///replaced-{}", name.len());
        let output = format!("{place}/{name}");
        for round in 0..4 {
            write(&cx, &output, Mode::Overwrite, round..round + 10).unwrap();
        }
        write(&cx, &output, Mode::Append, 20..21).unwrap();
        cx.range(0..5).checkpoint(&output).unwrap();
        let all = cx.read_binary_files(&format!("{place}/**")).collect().unwrap();
        let names: Vec<&str> = all.iter().map(|(address, _)| address.rsplit('/').next().unwrap()).collect();
        assert!(names.iter().all(|name| name.ends_with(".parquet")), "{output}: {names:?}");
    }
}
