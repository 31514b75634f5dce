//! Ranges with a step, unions of many datasets, and histograms.

use kiln::{Class, Dataset};

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed, for_each_setting, local};

/// The numbers of a range, counted in 128 bits.
fn numbers(start: i64, end: i64, step: i64) -> Vec<i64> {
    let (mut at, mut all) = (i128::from(start), Vec::new());
    while if step > 0 { at < i128::from(end) } else { at > i128::from(end) } {
        all.push(at as i64);
        at += i128::from(step);
    }
    all
}

#[test]
fn range_in_has_every_number_once_in_order_and_spread_evenly() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        for _ in 0..20 {
            let (start, end) = (random.around_zero(100), random.around_zero(100));
            let step = *random.pick(&[1, -1, 2, -2, 3, -7, 150, -150, i64::MAX, i64::MIN]);
            let (expected, partitions) = (numbers(start, end, step), random.below(9) as usize);
            let rows = local().range_in(partitions, start, end, step);
            let sizes: Vec<usize> = rows.clone().glom().collect().unwrap().iter().map(Vec::len).collect();
            assert_eq!(rows.collect().unwrap(), expected, "{start}..{end} by {step} in {partitions}");
            assert_eq!(sizes.len(), partitions.max(1));
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
        }
    });
}

#[test]
fn range_in_is_the_same_everywhere_and_reaches_the_ends_of_64_bits() {
    let ends = [
        (i64::MIN, i64::MIN + 20, 3),
        (i64::MAX, i64::MAX - 20, -3),
        (i64::MIN, i64::MAX, i64::MAX / 3),
        (i64::MAX, i64::MIN, i64::MIN / 3),
    ];
    for (start, end, step) in ends {
        let expected = numbers(start, end, step);
        check_ordered(&expected, |s| s.cx().range_in(s.partitions, start, end, step).collect());
    }
    assert_eq!(local().range_in(5, i64::MIN, i64::MAX, 1).take(2).unwrap(), [i64::MIN, i64::MIN + 1]);
    let error = local().range_in(2, 0, 10, 0).collect().unwrap_err();
    assert_eq!(error.class(), Class::Config);
    assert!(error.to_string().contains("a step of 0, at line"), "{error}");
}

#[test]
fn a_range_in_partitions_is_what_its_exchanges_have_at_least() {
    let plan = kiln::Context::local(2).range_in(8, 0, 100, 1).key_by(|n| n % 10).reduce_by_key(|a, b| a + b);
    assert!(plan.explain().unwrap().contains("8 partitions"), "{}", plan.explain().unwrap());
}

#[test]
fn union_all_gives_the_partitions_of_all_datasets_in_their_order() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let parts: Vec<Vec<String>> = random.rows(9, |r| {
            let rows = r.below(20) as usize;
            r.rows(rows, Random::line)
        });
        check_ordered(&parts.concat(), |s| s.cx().union_all(parts.iter().map(|part| s.rows(part))).collect());
        check_ordered(&parts[0], |s| s.cx().union_all([s.rows(&parts[0])]).collect());
        check_ordered(&[], |s| s.cx().union_all(Vec::<Dataset<String>>::new()).collect());
    });
}

#[test]
fn union_all_of_thousands_of_datasets_is_one_node() {
    let cx = local();
    let parts = (0..3000_u64).map(|n| cx.range(n..n + 1).map(|n| n * 2));
    let all = cx.union_all(parts);
    assert_eq!((all.num_partitions(), all.sum().unwrap()), (3000, 2 * 2999 * 3000 / 2));
}

#[test]
fn union_all_of_two_contexts_is_a_config_error() {
    let other = kiln::Context::local(1);
    let error = local().union_all([local().range(0..2), other.range(0..2)]).count().unwrap_err();
    assert_eq!(error.class(), Class::Config);
}

/// Counts by definition: a bucket includes its lower edge, and the last one also its upper edge.
fn counts(edges: &[f64], numbers: &[f64]) -> Vec<u64> {
    let last = edges.len() - 2;
    let is_in = |at: usize, n: f64| edges[at] <= n && (n < edges[at + 1] || at == last && n == edges[at + 1]);
    let count = |at: usize| numbers.iter().filter(|n| is_in(at, **n)).count() as u64;
    (0..=last).map(count).collect()
}

#[test]
fn a_histogram_counts_every_finite_number_once_between_the_extremes() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0];
        let numbers = random.rows(300, |r| match r.below(9) {
            0 => *r.pick(&odd),
            _ => r.around_zero(1000) as f64 / 8.0,
        });
        let finite: Vec<f64> = numbers.iter().copied().filter(|n| n.is_finite()).collect();
        let buckets = 1 + random.below(20) as usize;
        for_each_setting(|s, name| {
            let (edges, found) = s.rows(&numbers).histogram(buckets).unwrap();
            assert_eq!(
                (edges.len(), found.iter().sum::<u64>()),
                (buckets + 1, finite.len() as u64),
                "{name}"
            );
            assert!(edges[0] == finite.iter().copied().fold(f64::MAX, f64::min), "{name}");
            assert!(edges[buckets] == finite.iter().copied().fold(f64::MIN, f64::max), "{name}");
            assert_eq!(found, counts(&edges, &numbers), "{name}: {edges:?}");
            assert_eq!(s.rows(&numbers).histogram_between(&edges).unwrap(), found, "{name}");
        });
        let edges = [f64::NEG_INFINITY, -7.0, 0.0, 0.5, f64::INFINITY];
        check_ordered(&counts(&edges, &numbers), |s| s.rows(&numbers).histogram_between(&edges));
    });
}

#[test]
fn a_histogram_of_equal_numbers_has_one_bucket_and_one_of_none_has_no_edges() {
    for_each_setting(|s, name| {
        assert_eq!(s.rows(&[7_u8; 5]).histogram(3).unwrap(), (vec![7.0, 7.0], vec![5]), "{name}");
        for none in [&[][..], &[f64::NAN, f64::INFINITY]] {
            assert_eq!(s.rows(none).histogram(3).unwrap(), (vec![], vec![]), "{name}");
            assert_eq!(s.rows(none).histogram_between(&[0.0, 1.0, 2.0]).unwrap(), [0, 0], "{name}");
        }
    });
}

#[test]
fn buckets_and_edges_that_make_no_sense_are_config_errors() {
    let rows = || local().range(0..10);
    for buckets in [0, usize::MAX] {
        assert_eq!(rows().histogram(buckets).unwrap_err().class(), Class::Config);
    }
    for edges in [&[][..], &[1.0], &[1.0, 1.0], &[2.0, 1.0], &[0.0, f64::NAN], &[f64::NAN, 0.0]] {
        assert_eq!(rows().histogram_between(edges).unwrap_err().class(), Class::Config, "{edges:?}");
    }
}

#[test]
fn the_job_on_the_way_of_a_histogram_counts_nothing_of_its_own() {
    for_each_setting(|s, name| {
        let seen = s.cx().counter("rows of a histogram");
        let before = seen.value();
        let numbers: Vec<u64> = (0..100).collect();
        let rows = s.rows(&numbers).inspect_with(&seen, |seen, _| seen.add(1));
        assert_eq!(rows.histogram(4).unwrap().1, [25; 4], "{name}");
        assert_eq!(seen.value() - before, 100, "{name}");
    });
}
