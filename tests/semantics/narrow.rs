//! Operators that keep every row in its partition give the same result as the iterator method of the
//! same name.

use kiln::Row;

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed, kinds};

/// A row whose view has borrowed fields.
#[derive(Row, Clone, Debug, PartialEq)]
struct Word {
    text: String,
    length: u64,
}

#[test]
fn map_gives_one_row_for_each() {
    for_each_seed(|seed| {
        let numbers = Random::new(seed).rows(300, Random::next);
        let expected: Vec<u64> = numbers.iter().map(|n| n / 3 + 1).collect();
        check_ordered(&expected, |s| s.rows(&numbers).map(|n| n / 3 + 1).collect());
    });
}

#[test]
fn map_takes_functions_that_borrow_and_closures_that_own() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(200, |r| format!("  {} ", r.line()));
        let expected: Vec<String> = lines.iter().map(|line| line.trim().to_uppercase()).collect();
        check_ordered(&expected, |s| {
            s.rows(&lines).map_to::<String>(str::trim).map(|line| line.to_uppercase()).collect()
        });
    });
}

#[test]
fn map_to_gives_what_the_closure_borrows() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(200, Random::line);
        let first = |line: &String| (line.split(' ').next().unwrap_or("").to_owned(), line.len() as u64);
        let expected: Vec<(String, u64)> = lines.iter().map(first).collect();
        check_ordered(&expected, |s| {
            let pairs = s
                .rows(&lines)
                .map_to::<(String, u64)>(|line| (line.split(' ').next().unwrap_or(""), line.len() as u64));
            pairs.collect()
        });
    });
}

#[test]
fn map_to_may_give_the_view_of_a_struct() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(200, Random::line);
        let expected: Vec<Word> = lines
            .iter()
            .map(|line| Word { text: line.trim_end_matches('e').to_owned(), length: line.len() as u64 })
            .collect();
        check_ordered(&expected, |s| {
            let words = s.rows(&lines).map_to::<Word>(|line| WordView {
                text: line.trim_end_matches('e'),
                length: line.len() as u64,
            });
            words.filter(|word| word.text.len() as u64 <= word.length).collect()
        });
    });
}

#[test]
fn flat_map_gives_all_items_in_their_order() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(200, Random::line);
        let words: Vec<String> =
            lines.iter().flat_map(|line| line.split_whitespace()).map(String::from).collect();
        check_ordered(&words, |s| s.rows(&lines).flat_map_to(str::split_whitespace).collect());
        check_ordered(&words, |s| {
            s.rows(&lines)
                .flat_map(|line| line.split_whitespace().map(String::from).collect::<Vec<_>>())
                .collect()
        });
    });
}

#[test]
fn flat_map_takes_options_and_empty_results() {
    for_each_seed(|seed| {
        let numbers = Random::new(seed).rows(300, |r| r.below(50));
        let expected: Vec<u64> =
            numbers.iter().filter_map(|n| n.is_multiple_of(3).then_some(n / 3)).collect();
        check_ordered(&expected, |s| {
            s.rows(&numbers).flat_map(|n: u64| n.is_multiple_of(3).then_some(n / 3)).collect()
        });
        check_ordered(&Vec::<u64>::new(), |s| {
            s.rows(&numbers).flat_map(|_: u64| Vec::<u64>::new()).collect()
        });
    });
}

#[test]
fn flat_map_emit_gives_what_it_emits() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(200, Random::line);
        let expected: Vec<String> =
            lines.iter().flat_map(|l| l.split_whitespace()).map(str::to_lowercase).collect();
        check_ordered(&expected, |s| {
            let words = s.rows(&lines).flat_map_emit::<String>(|line, emit| {
                line.split_whitespace().for_each(|word| emit(&word.to_lowercase()));
            });
            words.collect()
        });
    });
}

#[test]
fn filter_keeps_the_rows_for_which_it_holds() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(300, |r| (r.string(), r.around_zero(50)));
        let expected: Vec<_> = pairs.iter().filter(|(text, n)| text.len() > 5 && *n < 0).cloned().collect();
        check_ordered(&expected, |s| s.rows(&pairs).filter(|(text, n)| text.len() > 5 && n < 0).collect());
    });
}

#[test]
fn key_by_pairs_each_row_with_its_key() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(200, Random::line);
        let expected: Vec<(u64, String)> =
            lines.iter().map(|line| (line.len() as u64, line.clone())).collect();
        check_ordered(&expected, |s| s.rows(&lines).key_by(|line| line.len() as u64).collect());
    });
}

#[test]
fn map_values_leaves_the_keys() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(200, |r| (r.string(), r.around_zero(1000)));
        let expected: Vec<_> = pairs.iter().map(|(key, n)| (key.clone(), format!("<{n}>"))).collect();
        check_ordered(&expected, |s| s.rows(&pairs).map_values(|n| format!("<{n}>")).collect());
    });
}

#[test]
fn flat_map_values_pairs_every_item_with_its_key() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(200, |r| (r.string(), r.below(4)));
        let expected: Vec<(String, String)> =
            pairs.iter().flat_map(|(key, n)| (0..*n).map(move |i| (key.clone(), format!("{i}")))).collect();
        check_ordered(&expected, |s| {
            s.rows(&pairs).flat_map_values(|n| (0..n).map(|i| format!("{i}"))).collect()
        });
    });
}

#[test]
fn keys_and_values_are_the_two_halves_of_the_pairs() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(200, |r| (r.string(), r.line()));
        let (keys, values): (Vec<String>, Vec<String>) = pairs.iter().cloned().unzip();
        check_ordered(&keys, |s| s.rows(&pairs).keys().collect());
        check_ordered(&values, |s| s.rows(&pairs).values().collect());
    });
}

#[test]
fn inspect_passes_every_row_on() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(200, Random::line);
        check_ordered(&lines, |s| s.rows(&lines).inspect(|line| assert!(line.len() < 1000)).collect());
    });
}

#[test]
fn union_has_the_rows_of_both_and_first_those_of_the_left() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let (left, right) = (random.rows(100, Random::string), random.rows(50, Random::string));
        let expected = [left.clone(), right.clone(), left.clone()].concat();
        check_ordered(&expected, |s| {
            let rows = s.rows(&left);
            rows.clone().union(s.cx().parallelize_in(3, right.clone())).union(rows).collect()
        });
    });
}

#[test]
fn a_chain_of_every_narrow_operator_gives_what_the_iterators_give() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(300, Random::line);
        let words = lines.iter().flat_map(|line| line.split_whitespace()).filter(|word| word.len() > 1);
        let expected: Vec<(u64, String)> = words.map(|w| (w.len() as u64 * 2, format!("{w}!"))).collect();
        for partitions in [1, 2, 7] {
            for place in kinds() {
                // Without `erase`: the whole chain is fused with its source.
                let words =
                    place.cx.parallelize_in(partitions, lines.clone()).flat_map_to(str::split_whitespace);
                let keyed = words
                    .filter(|word| word.len() > 1)
                    .map_to::<String>(|word| word)
                    .key_by(|word| word.len() as u64);
                let pairs = keyed
                    .map_values(|word| format!("{word}!"))
                    .map(|(n, word): (u64, &str)| (n * 2, word.to_owned()));
                assert_eq!(pairs.collect().unwrap(), expected, "{} {partitions}", place.name);
            }
        }
    });
}
