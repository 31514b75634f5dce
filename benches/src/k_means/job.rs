//! K-means as a Kiln job: the centres are the loop's state, the points are cached.

use std::path::Path;

use kiln::{Context, Result, Row};

use super::centres::{Centres, Point, ROUNDS};
use crate::address;

/// A point as a row.
#[derive(Row, Clone, Copy)]
struct PointRow {
    x0: f64,
    x1: f64,
    x2: f64,
    x3: f64,
    x4: f64,
    x5: f64,
    x6: f64,
    x7: f64,
}

/// Moves the centres to the points in `input`, round by round.
///
/// # Errors
/// Fails when the job fails.
pub fn run(cx: &Context, input: &Path) -> Result<Centres> {
    let points = cx.read_parquet::<PointRow>(&address(input)).cache();
    let mut centres = Centres::start();
    for _ in 0..ROUNDS {
        let shared = cx.share(centres.clone());
        let moved = points
            .clone()
            .map_with(&shared, |centres, point: PointRowView| {
                let point = PointRow::own(point);
                (centres.nearest(&coordinates(point)) as u64, (point, 1u64))
            })
            .reduce_by_key(|(sum, n), (other, m)| (row(add(coordinates(sum), coordinates(other))), n + m));
        for (centre, (sum, points)) in moved.collect()? {
            centres.move_to(centre as usize, &coordinates(sum), points);
        }
    }
    Ok(centres)
}

fn add(one: Point, other: Point) -> Point {
    std::array::from_fn(|dimension| one[dimension] + other[dimension])
}

fn coordinates(row: PointRow) -> Point {
    [row.x0, row.x1, row.x2, row.x3, row.x4, row.x5, row.x6, row.x7]
}

fn row([x0, x1, x2, x3, x4, x5, x6, x7]: Point) -> PointRow {
    PointRow { x0, x1, x2, x3, x4, x5, x6, x7 }
}
