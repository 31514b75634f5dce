//! Every type of value passes every kind of stage boundary unchanged.

use std::fmt::Debug;

use kiln::Row;

use crate::random::Random;
use crate::support::{check_ordered, for_one_seed};

/// A row with all kinds of columns.
#[derive(Row, Clone, Debug, PartialEq)]
struct Visit {
    page: String,
    client: Client,
    referrer: Option<Client>,
    span: (i64, Option<String>),
    score: f32,
    is_new: bool,
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Client {
    name: Option<String>,
    ports: Ports,
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Ports(u16, Option<u16>);

#[test]
fn numbers_and_bools_come_through() {
    all_borders(|r| r.next() as i8);
    all_borders(|r| r.next() as u16);
    all_borders(|r| f64::from_bits(r.next()));
    all_borders(|r| *r.pick(&[f32::NAN, -0.0, f32::INFINITY, 0.1]));
    all_borders(|r| r.below(2) == 0);
    all_borders(|r| r.next() as usize);
}

#[test]
fn strings_come_through() {
    all_borders(Random::string);
    all_borders(|r| r.pick(&["", "\0", "line\nbreak", "🧱", "e\u{301}"]).to_string());
}

#[test]
fn options_come_through() {
    all_borders(|r| (r.below(2) == 0).then(|| r.string()));
    all_borders(|r| (r.below(2) == 0).then(|| r.below(2) == 0));
    all_borders(|_| None::<u64>);
}

#[test]
fn nested_structs_come_through() {
    all_borders(|r| Visit {
        page: r.string(),
        client: client(r),
        referrer: (r.below(2) == 0).then(|| client(r)),
        span: (r.around_zero(9), (r.below(2) == 0).then(|| r.string())),
        score: r.below(9) as f32 / 3.0,
        is_new: r.below(2) == 0,
    });
}

fn client(r: &mut Random) -> Client {
    let name = (r.below(2) == 0).then(|| r.string());
    Client { name, ports: Ports(r.below(9) as u16, (r.below(2) == 0).then_some(80)) }
}

/// Passes values through a source, a cache, a union, a fold's accumulator, a join and a sort, and back
/// in order.
fn all_borders<V: Row + Clone + Debug>(value: impl Fn(&mut Random) -> V) {
    for_one_seed(|seed| {
        let values = Random::new(seed).rows(60, &value);
        check_ordered(&values, |s| s.rows(&values).cache().collect());

        let pairs: Vec<(u64, V)> = (0u64..).zip(values.clone()).collect();
        check_ordered(&values, |s| {
            // Every key is unique, so the reduce and the join only pass the values on.
            let once = s.rows(&pairs).union(s.cx().parallelize_in(2, Vec::new())).reduce_by_key(|a, _| a);
            let joined = s.rows(&pairs).join(once).sort_by_key();
            joined.map_to::<V>(|(_, (_, value))| value).collect()
        });
    });
}
