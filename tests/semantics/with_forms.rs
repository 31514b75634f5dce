//! The `…_with` methods: the shared value reaches every closure, wherever it runs.

use std::collections::BTreeMap;

use kiln::{Dataset, Shared};

use crate::random::Random;
use crate::support::{Setting, check_ordered, for_each_seed};

/// A shared value that is not a row: any serde type is allowed.
#[derive(serde::Serialize, serde::Deserialize)]
struct Rules {
    factor: u64,
    names: BTreeMap<u64, String>,
}

fn rules() -> Rules {
    Rules { factor: 7, names: (0..5).map(|n| (n, format!("name {n}"))).collect() }
}

impl Rules {
    fn name(&self, n: u64) -> &str {
        self.names.get(&n).map_or("nobody", String::as_str)
    }
}

fn numbers(seed: u64) -> Vec<u64> {
    Random::new(seed).rows(200, |r| r.below(10))
}

#[test]
fn map_with_sees_the_shared_value() {
    for_each_seed(|seed| {
        let (numbers, rules) = (numbers(seed), rules());
        let expected: Vec<String> = numbers.iter().map(|n| format!("{}{}", rules.name(*n), n * 7)).collect();
        check_ordered(&expected, |s| {
            let shared = s.cx().share(self::rules());
            s.rows(&numbers)
                .map_with(&shared, |rules, n| format!("{}{}", rules.name(n), n * rules.factor))
                .collect()
        });
    });
}

#[test]
fn map_to_with_may_borrow_from_the_shared_value() {
    for_each_seed(|seed| {
        let (numbers, rules) = (numbers(seed), rules());
        let expected: Vec<(String, u64)> = numbers.iter().map(|n| (rules.name(*n).to_owned(), *n)).collect();
        check_ordered(&expected, |s| {
            let shared = s.cx().share(self::rules());
            s.rows(&numbers).map_to_with::<(String, u64), _>(&shared, |rules, n| (rules.name(n), n)).collect()
        });
    });
}

#[test]
fn flat_map_with_sees_the_shared_value() {
    for_each_seed(|seed| {
        let numbers = numbers(seed);
        let expected: Vec<u64> = numbers.iter().flat_map(|n| (0..*n).map(|i| i * 7)).collect();
        check_ordered(&expected, |s| {
            let shared = s.cx().share(rules());
            let many = |rules: &Rules, n: u64| (0..n).map(|i| i * rules.factor).collect::<Vec<_>>();
            s.rows(&numbers).flat_map_with(&shared, many).collect()
        });
    });
}

#[test]
fn flat_map_emit_with_sees_the_shared_value() {
    for_each_seed(|seed| {
        let (numbers, rules) = (numbers(seed), rules());
        let expected: Vec<String> =
            numbers.iter().flat_map(|n| rules.name(*n).split(' ')).map(String::from).collect();
        check_ordered(&expected, |s| {
            let shared = s.cx().share(self::rules());
            let parts = s.rows(&numbers).flat_map_emit_with::<String, _>(&shared, |rules, n, emit| {
                rules.name(n).split(' ').for_each(emit);
            });
            parts.collect()
        });
    });
}

#[test]
fn filter_with_sees_the_shared_value() {
    for_each_seed(|seed| {
        let (numbers, rules) = (numbers(seed), rules());
        let expected: Vec<u64> = numbers.iter().copied().filter(|n| rules.names.contains_key(n)).collect();
        check_ordered(&expected, |s| {
            let shared = s.cx().share(self::rules());
            s.rows(&numbers).filter_with(&shared, |rules, n| rules.names.contains_key(&n)).collect()
        });
    });
}

#[test]
fn key_by_with_and_map_values_with_see_the_shared_value() {
    for_each_seed(|seed| {
        let numbers = numbers(seed);
        let expected: Vec<(u64, u64)> = numbers.iter().map(|n| (n % 7, n + 7)).collect();
        check_ordered(&expected, |s| {
            let shared = s.cx().share(rules());
            let keyed = s.rows(&numbers).key_by_with(&shared, |rules, n| n % rules.factor);
            keyed.map_values_with(&shared, |rules, n| n + rules.factor).collect()
        });
    });
}

#[test]
fn flat_map_values_with_sees_the_shared_value() {
    for_each_seed(|seed| {
        let numbers = numbers(seed);
        let expected: Vec<(u64, u64)> =
            numbers.iter().flat_map(|n| (0..n % 3).map(|i| (*n, i * 7))).collect();
        check_ordered(&expected, |s| {
            let shared = s.cx().share(rules());
            let many = |rules: &Rules, n: u64| (0..n % 3).map(|i| i * rules.factor).collect::<Vec<_>>();
            s.rows(&numbers).key_by(|n| n).flat_map_values_with(&shared, many).collect()
        });
    });
}

#[test]
fn inspect_with_sees_the_shared_value() {
    for_each_seed(|seed| {
        let numbers = numbers(seed);
        check_ordered(&numbers, |s| {
            let shared = s.cx().share(rules());
            s.rows(&numbers).inspect_with(&shared, |rules, n| assert!(rules.factor == 7 && n < 10)).collect()
        });
    });
}

#[test]
fn top_with_sees_the_shared_value() {
    for_each_seed(|seed| {
        let numbers = numbers(seed);
        let mut expected = numbers.clone();
        expected.sort_by_key(|n| std::cmp::Reverse(n.abs_diff(7)));
        expected.truncate(5);
        check_ordered(&expected, |s| {
            let shared = s.cx().share(rules());
            s.rows(&numbers).top_with(&shared, 5, |rules, n| n.abs_diff(rules.factor))
        });
    });
}

#[test]
fn orders_and_groups_with_a_key_that_is_named_see_the_shared_value() {
    for_each_seed(|seed| {
        let (numbers, rules) = (numbers(seed), rules());
        let key = |n: &u64| (rules.name(*n).to_owned(), n % rules.factor);
        let mut expected = numbers.clone();
        expected.sort_by_key(key);
        check_ordered(&expected, |s| {
            ordered(s, &numbers, |rows, rules| {
                rows.clone().sort_by_to_with::<ByName, _>(rules, by_name).collect()
            })
        });
        check_ordered(&expected[..5], |s| {
            ordered(s, &numbers, |rows, rules| rows.take_ordered_to_with::<ByName, _>(rules, 5, by_name))
        });
        expected.sort_by_key(|n| std::cmp::Reverse(key(n)));
        check_ordered(&expected[..5], |s| {
            ordered(s, &numbers, |rows, rules| rows.top_to_with::<ByName, _>(rules, 5, by_name))
        });
        let mut groups = BTreeMap::<_, Vec<u64>>::new();
        numbers.iter().for_each(|n| groups.entry(key(n)).or_default().push(*n));
        check_ordered(&groups.into_iter().collect::<Vec<_>>(), |s| {
            let shared = s.cx().share(self::rules());
            s.rows(&numbers).group_by_to_with::<ByName, _>(&shared, by_name).sort_by_key().collect()
        });
    });
}

/// A key that borrows from the shared value.
type ByName = (String, u64);

type Ordered = fn(&Dataset<u64>, &Shared<Rules>) -> kiln::Result<Vec<u64>>;

fn ordered(s: Setting, numbers: &[u64], order: Ordered) -> kiln::Result<Vec<u64>> {
    order(&s.rows(numbers), &s.cx().share(rules()))
}

fn by_name(rules: &Rules, n: u64) -> (&str, u64) {
    (rules.name(n), n % rules.factor)
}

#[test]
fn fold_with_and_reduce_with_see_the_shared_value_in_tasks_and_where_their_results_meet() {
    for_each_seed(|seed| {
        let numbers = numbers(seed);
        let sum = numbers.iter().sum::<u64>() % 7;
        check_ordered(&[sum, sum], |s| {
            let shared = s.cx().share(rules());
            let rows = s.rows(&numbers);
            let reduced = rows.reduce_with(&shared, |rules, a, b| (a + b) % rules.factor)?;
            Ok(vec![rows.fold_with(&shared, 0, |rules, a, b| (a + b) % rules.factor)?, reduced.unwrap_or(7)])
        });
    });
}

#[test]
fn one_chain_may_use_several_shared_values() {
    for_each_seed(|seed| {
        let numbers = numbers(seed);
        let expected: Vec<u64> = numbers.iter().map(|n| (n + 1) * 10).filter(|n| *n != 50).collect();
        check_ordered(&expected, |s| {
            let (one, ten, fifty) = (s.cx().share(1u64), s.cx().share(10u64), s.cx().share(50u64));
            let sums = s.rows(&numbers).map_with(&one, |one, n| n + one).map_with(&ten, |ten, n| n * ten);
            sums.filter_with(&fifty, |fifty, n| n != *fifty).collect()
        });
    });
}
