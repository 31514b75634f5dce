//! Actions with side effects: they visit every row, and errors name the location.
//!
//! A folder that all processes share records the effects of closures in other processes.

use std::path::PathBuf;

use kiln::{Class, Error};

use crate::support::{check_ordered, for_each_setting, kinds};

#[test]
fn for_each_comes_by_every_row() {
    check_ordered(&(0..20).map(|n| format!("row-{n:02}")).collect::<Vec<_>>(), |s| {
        let folder = tempfile::tempdir().unwrap();
        let path = s.cx().share(folder.path().to_owned());
        s.rows(&(0..20u64).collect::<Vec<_>>()).for_each_with(&path, |folder, n| {
            std::fs::write(folder.join(format!("row-{n:02}")), "").expect("the folder is there");
        })?;
        s.rows(&[1u64, 2]).for_each(|n| assert!(n > 0))?;
        Ok(names(folder.path()))
    });
}

#[test]
fn for_each_partition_sees_all_rows_of_each_partition_in_order() {
    let rows: Vec<u64> = (0..20).collect();
    check_ordered(&rows, |s| {
        let folder = tempfile::tempdir().unwrap();
        let path = s.cx().share(folder.path().to_owned());
        s.rows(&rows).for_each_partition_with(&path, |folder, index, rows| {
            let lines: String = rows.map(|n| format!("{n}\n")).collect();
            std::fs::write(folder.join(index.to_string()), lines).expect("the folder is there");
        })?;
        let read = |index: usize| std::fs::read_to_string(folder.path().join(index.to_string())).unwrap();
        let lines = (0..s.partitions).map(read).collect::<String>();
        Ok(lines.lines().map(|line| line.parse().unwrap()).collect())
    });
}

#[test]
fn closures_that_may_fail_and_do_not_see_every_row_too() {
    check_ordered(&(0..20).map(|n| format!("{n:02}")).collect::<Vec<_>>(), |s| {
        let numbers: Vec<u64> = (0..20).collect();
        let (singly, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = s.cx().share(singly.path().to_owned());
        let write = |folder: &PathBuf, n: u64| {
            std::fs::write(folder.join(format!("{n:02}")), "").map_err(|e| Error::io("no file", e))
        };
        s.rows(&numbers).try_for_each_with(&path, write)?;
        let path = s.cx().share(whole.path().to_owned());
        s.rows(&numbers).try_for_each_partition_with(&path, |folder, _, mut rows| {
            rows.try_for_each(|n| std::fs::write(folder.join(format!("{n:02}")), ""))
                .map_err(|e| Error::io("no file", e))
        })?;
        assert_eq!(names(singly.path()), names(whole.path()));
        Ok(names(singly.path()))
    });
}

#[test]
fn the_error_of_a_row_keeps_its_class_and_names_row_line_and_operator() {
    for_each_setting(|s, name| {
        let rows = s.cx().parallelize_in(1, (0..100u64).collect::<Vec<_>>());
        let small = |n: u64| if n < 70 { Ok(()) } else { Err(Error::auth(format!("{n} may not enter"))) };
        let error = rows.try_for_each(small).unwrap_err();
        assert_eq!(error.class(), Class::Auth, "{name}");
        let text = error.to_string();
        assert!(text.starts_with("70 may not enter, at row 71, line "), "{name}: {text}");
        assert!(text.contains("effects.rs:") && text.contains("operator try_for_each, stage"), "{text}");
    });
}

#[test]
fn the_error_of_a_line_names_its_file_and_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.txt");
    std::fs::write(&path, "10\n20\nxyz\n").unwrap();
    for place in kinds() {
        let lines = place.cx.read_text(&path.to_string_lossy());
        let number = |line: &str| match line.parse::<u64>() {
            Ok(_) => Ok(()),
            Err(e) => Err(Error::data("no number").because(e)),
        };
        let error = lines.try_for_each(number).unwrap_err().to_string();
        assert!(error.contains("numbers.txt, byte 6, line "), "{error}");
    }
}

#[test]
fn the_error_of_a_partition_keeps_its_class_and_names_partition_line_and_operator() {
    for_each_setting(|s, name| {
        if name.contains("of 1 rows") {
            return; // a batch a row: slow, and the same
        }
        let rows = s.cx().parallelize_in(3, (0..50_000u64).collect::<Vec<_>>()).filter(|_| true);
        let error = rows.try_for_each_partition(|index, mut rows| match (index, rows.next()) {
            (1, first) => Err(Error::unavailable(format!("no room for {first:?}"))),
            _ => Ok(()),
        });
        let error = error.unwrap_err();
        assert_eq!(error.class(), Class::Unavailable, "{name}");
        let text = error.to_string();
        assert!(text.starts_with("no room for Some(16666), at partition 1, line "), "{name}: {text}");
        assert!(text.contains("effects.rs:") && text.contains("try_for_each_partition, stage"), "{text}");
    });
}

#[test]
fn what_fails_before_a_partition_s_closure_is_not_taken_for_its_own_error() {
    for place in kinds() {
        let rows = place.cx.parallelize_in(2, 0..1000u64);
        let rows = rows.map(|n: u64| if n == 700 { panic!("bad luck") } else { n });
        let error = rows.try_for_each_partition(|_, rows| match rows.count() {
            500 => Ok(()),
            n => Err(Error::data(format!("{n} rows"))),
        });
        let error = error.unwrap_err();
        assert_eq!(error.class(), Class::Bug);
        assert!(error.to_string().starts_with("the job panicked: bad luck"), "{error}");
    }
}

#[test]
fn a_transient_error_makes_the_task_try_again() {
    for place in kinds() {
        let folder = tempfile::tempdir().unwrap();
        let path = place.cx.share(folder.path().to_owned());
        let rows = place.cx.parallelize_in(2, 0..10u64);
        let each = |folder: &PathBuf, n: u64| match std::fs::create_dir(folder.join(n.to_string())) {
            Ok(()) if n == 7 => Err(Error::transient("not yet")),
            _ => Ok(()),
        };
        rows.try_for_each_with(&path, each).unwrap();
        assert_eq!(names(folder.path()).len(), 10);
    }
}

/// The names of the files in a folder.
fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
