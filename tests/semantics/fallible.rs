//! Closures that reject rows: the policy applies, and errors name the location and the record.

use std::path::PathBuf;

use kiln::{Class, Error, OnError, Reject};

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed, for_each_setting, kinds};

/// Numbers as text, and a few rows that are no numbers.
fn texts(seed: u64) -> Vec<String> {
    Random::new(seed).rows(200, |r| match r.below(10) {
        0 => r.line(),
        _ => r.below(1000).to_string(),
    })
}

fn good(texts: &[String]) -> Vec<u64> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

#[test]
fn try_map_keeps_what_is_accepted_and_counts_the_rest_once_in_every_setting() {
    for_each_seed(|seed| {
        let (texts, good) = (texts(seed), good(&texts(seed)));
        let bad = (texts.len() - good.len()) as u64;
        check_ordered(&good, |s| {
            let refused = s.cx().counter("refused by try_map");
            let before = refused.value();
            let rows = s.rows(&texts).try_map(|text| text.parse::<u64>(), OnError::Skip(&refused)).collect();
            assert_eq!(refused.value() - before, bad);
            rows
        });
    });
}

#[test]
fn try_map_with_sees_the_shared_value() {
    for_each_seed(|seed| {
        let numbers = Random::new(seed).rows(100, |r| r.below(20));
        let expected: Vec<u64> = numbers.iter().filter_map(|n| n.checked_sub(7)).collect();
        check_ordered(&expected, |s| {
            let (seven, small) = (s.cx().share(7u64), s.cx().counter("small"));
            let sub = |seven: &u64, n: u64| n.checked_sub(*seven).ok_or("too small");
            s.rows(&numbers).try_map_with(&seven, sub, OnError::Skip(&small)).collect()
        });
    });
}

#[test]
fn try_flat_map_gives_the_items_of_what_is_accepted() {
    for_each_seed(|seed| {
        let numbers = Random::new(seed).rows(100, |r| r.below(6));
        let expected: Vec<u64> = numbers.iter().filter(|n| **n != 5).flat_map(|n| 0..*n).collect();
        check_ordered(&expected, |s| {
            let (five, refused) = (s.cx().share(5u64), s.cx().counter("five"));
            let rows = s.rows(&numbers);
            let same = rows
                .clone()
                .try_flat_map(|n| if n == 5 { Err("five") } else { Ok(0..n) }, OnError::Skip(&refused));
            let below = |five: &u64, n: u64| if n == *five { Err("five") } else { Ok(0..n) };
            let with = rows.try_flat_map_with(&five, below, OnError::Skip(&refused)).collect()?;
            assert_eq!(same.collect()?, with);
            Ok(with)
        });
    });
}

#[test]
fn try_map_to_may_borrow_from_the_row_and_from_the_shared_value() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(200, Random::line);
        let expected: Vec<(String, String)> = lines
            .iter()
            .filter_map(|line| line.split_once(' '))
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect();
        let refused = (lines.len() - expected.len()) as u64;
        check_ordered(&expected, |s| {
            let (singles, blank) = (s.cx().counter("single words"), s.cx().share(" ".to_owned()));
            let before = singles.value();
            let rows = s.rows(&lines);
            let pairs = rows.clone().try_map_to::<(String, String), _>(
                |line| line.split_once(' ').ok_or("a single word"),
                OnError::Skip(&singles),
            );
            let pairs = pairs.collect()?;
            assert_eq!(singles.value() - before, refused);
            let starts = rows.try_map_to_with::<(String, String), _, _>(
                &blank,
                |blank, line| {
                    if line.contains(&**blank) { Ok((line, &**blank)) } else { Err("a single word") }
                },
                OnError::Skip(&singles),
            );
            let starts = starts.collect()?;
            assert!(
                starts.iter().zip(&pairs).all(|((line, blank), (a, b))| *line == format!("{a}{blank}{b}"))
            );
            assert_eq!(starts.len(), pairs.len());
            Ok(pairs)
        });
    });
}

#[test]
fn rows_without_a_file_fail_with_their_number_and_their_text() {
    let texts: Vec<String> = ["1", "2", &"long ".repeat(100), "4", "five"].map(String::from).into();
    for_each_setting(|s, name| {
        let rows = s.cx().parallelize_in(1, texts.clone()).erase();
        let error = rows.try_map(|text| text.parse::<u64>(), OnError::Fail).collect().unwrap_err();
        assert_eq!(error.class(), Class::Data, "{name}");
        let text = error.to_string();
        let start = "a record was refused: invalid digit found in string, at record `long long ";
        assert!(text.starts_with(start) && text.contains("…`, row 3, line "), "{name}: {text}");
        assert!(text.contains("fallible.rs:") && text.contains("operator try_map, stage"), "{name}: {text}");
        assert!(text.len() < 600, "{name}: {text}");
    });
}

#[test]
fn lines_of_a_file_fail_with_its_name_and_their_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.txt");
    std::fs::write(&path, "\u{feff}10\r\n\n20\nxyz\n30\n").unwrap();
    let address = path.to_string_lossy().into_owned();
    for place in kinds() {
        let lines = place.cx.read_text(&address).filter(|line| !line.is_empty());
        let numbers = lines.clone().try_map(|line| line.parse::<u64>(), OnError::Fail);
        let error = numbers.count().unwrap_err().to_string();
        assert!(
            error.contains("at record `xyz`, file /") && error.contains("numbers.txt, byte 11, "),
            "{error}"
        );
        let (numbers, rejects) = lines.try_map_or_reject(|line| line.parse::<u64>());
        assert_eq!(numbers.collect().unwrap(), [10, 20, 30]);
        let rejects = rejects.collect().unwrap();
        assert_eq!(rejects.len(), 1);
        assert!(rejects[0].place.ends_with("numbers.txt, byte 11"), "{rejects:?}");
    }
}

#[test]
fn rows_of_several_items_are_accepted_whole_or_rejected_whole() {
    for_each_seed(|seed| {
        let lines: Vec<String> = texts(seed).chunks(3).map(|words| words.join(" ")).collect();
        let parse = |line: &str| line.split(' ').map(str::parse::<u64>).collect::<Result<Vec<_>, _>>();
        let good: Vec<u64> = lines.iter().filter_map(|line| parse(line).ok()).flatten().collect();
        let bad: Vec<String> = lines.iter().filter(|line| parse(line).is_err()).cloned().collect();
        check_ordered(&good, |s| s.rows(&lines).try_flat_map_or_reject(parse).0.collect());
        check_ordered(&bad, |s| {
            let radix = s.cx().share(10u32);
            let (_, rejects) =
                s.rows(&lines).try_flat_map_or_reject_with(&radix, |radix: &u32, line: &str| {
                    line.split(' ')
                        .map(|word| u64::from_str_radix(word, *radix))
                        .collect::<Result<Vec<_>, _>>()
                });
            Ok(rejects.collect()?.into_iter().map(|reject| reject.record).collect())
        });
    });
}

#[test]
fn the_accepted_and_the_rejected_are_all_rows_in_their_order() {
    for_each_seed(|seed| {
        let (texts, good) = (texts(seed), good(&texts(seed)));
        let bad: Vec<String> = texts.iter().filter(|text| text.parse::<u64>().is_err()).cloned().collect();
        check_ordered(&good, |s| {
            let (accepted, rejects) = s.rows(&texts).try_map_or_reject(|text| text.parse::<u64>());
            let rejects: Vec<Reject> = rejects.collect()?;
            assert!(rejects.iter().map(|reject| &reject.record).eq(&bad));
            assert!(rejects.iter().all(|reject| reject.place.starts_with("partition ")));
            accepted.collect()
        });
        check_ordered(&[good.len() as u64, bad.len() as u64], |s| {
            let radix = s.cx().share(10u32);
            let parse = |radix: &u32, text: &str| u64::from_str_radix(text, *radix);
            let (accepted, rejects) = s.rows(&texts).try_map_or_reject_with(&radix, parse);
            Ok(vec![accepted.count()?, rejects.count()?])
        });
    });
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// Row 7 fails at first, row 8 always. They create a folder when they are tried.
fn fails_once(folder: &std::path::Path, n: u64) -> kiln::Result<u64> {
    match (n, std::fs::create_dir(folder.join(n.to_string()))) {
        (7, Ok(())) => Err(Error::transient("not yet")),
        (8, _) => Err(Error::data("never")),
        _ => Ok(n),
    }
}

#[test]
fn a_transient_error_refuses_no_row_and_the_task_is_tried_again() {
    for place in kinds() {
        let fresh = || {
            let folder = tempfile::tempdir().unwrap();
            let path = place.cx.share(folder.path().to_owned());
            (folder, path)
        };
        let rows = || place.cx.parallelize_in(2, 0..10_u64);
        let accepted: Vec<u64> = (0..10).filter(|n| *n != 8).collect();

        let (_folder, path) = fresh();
        let all =
            rows().filter(|n| n != 8).try_map_with(&path, |p: &PathBuf, n| fails_once(p, n), OnError::Fail);
        assert_eq!(all.collect().unwrap(), accepted, "{}", place.name);

        let ((_folder, path), skipped) = (fresh(), place.cx.counter("never"));
        let before = skipped.value();
        let boxed = |p: &PathBuf, n: u64| -> Result<Vec<u64>, Boxed> { Ok(vec![fails_once(p, n)?]) };
        let some = rows().try_flat_map_with(&path, boxed, OnError::Skip(&skipped));
        assert_eq!(
            (some.collect().unwrap(), skipped.value() - before),
            (accepted.clone(), 1),
            "{}",
            place.name
        );

        let (_folder, path) = fresh();
        let (some, _) = rows().try_map_or_reject_with(&path, |p: &PathBuf, n| fails_once(p, n));
        assert_eq!(some.collect().unwrap(), accepted, "{}", place.name);
        let (_folder, path) = fresh();
        let (_, rejects) = rows().try_map_or_reject_with(&path, |p: &PathBuf, n| fails_once(p, n));
        let rejects = rejects.collect().unwrap();
        assert_eq!(rejects.iter().map(|reject| &*reject.record).collect::<Vec<_>>(), ["8"], "{}", place.name);
    }
}

#[test]
fn the_error_of_a_closure_keeps_its_class() {
    let classes = [
        Class::Config,
        Class::Data,
        Class::Auth,
        Class::Transient,
        Class::Unavailable,
        Class::Resource,
        Class::Bug,
    ];
    for place in kinds() {
        for class in classes {
            let failing = place.cx.share(class);
            let rows = place.cx.parallelize_in(1, [40_u64, 41]);
            let fails = |class: &Class, n: u64| match n {
                41 => Err(Error::new(*class, "bad luck")),
                _ => Ok(n),
            };
            let error = rows.try_map_with(&failing, fails, OnError::Fail).collect().unwrap_err();
            assert_eq!(error.class(), class, "{error}");
            let text = error.to_string();
            assert!(text.contains("bad luck, at record `41`, row 2, line "), "{text}");
            assert!(text.contains("fallible.rs:") && text.contains("operator try_map, stage"), "{text}");
        }
    }
}
