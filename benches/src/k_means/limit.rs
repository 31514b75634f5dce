//! Hand-written k-means: the points stay in memory, and only the centres change between the rounds.

use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use kiln::Result;

use super::centres::{Centres, DIMENSIONS, Groups, Point, ROUNDS};
use crate::files::{on_threads, scan};

/// Moves the centres to the points in `input`, round by round, on `slots` threads.
///
/// # Errors
/// Fails when a file cannot be read.
pub fn run(input: &Path, slots: usize) -> Result<Centres> {
    let points = scan(input, slots, Vec::new, read)?;
    let mut centres = Centres::start();
    for _ in 0..ROUNDS {
        let parts = on_threads(points.iter().map(|points| || group(&centres, points)));
        let all = parts.into_iter().fold(Groups::default(), both);
        for (centre, (sum, points)) in all.0.iter().enumerate() {
            centres.move_to(centre, sum, *points);
        }
    }
    Ok(centres)
}

/// Adds the points of a batch.
fn read(points: &mut Vec<Point>, batch: &RecordBatch) {
    let columns: [&[f64]; DIMENSIONS] =
        std::array::from_fn(|i| &**batch.column(i).as_primitive::<Float64Type>().values());
    points.extend((0..batch.num_rows()).map(|row| columns.map(|column| column[row])));
}

/// Groups the points by their nearest centre.
fn group(centres: &Centres, points: &[Point]) -> Groups {
    let mut groups = Groups::default();
    for point in points {
        let (sum, count) = &mut groups.0[centres.nearest(point)];
        add(sum, point);
        *count += 1;
    }
    groups
}

fn both(mut one: Groups, other: Groups) -> Groups {
    for ((sum, count), (other, more)) in one.0.iter_mut().zip(&other.0) {
        add(sum, other);
        *count += more;
    }
    one
}

fn add(sum: &mut Point, point: &Point) {
    sum.iter_mut().zip(point).for_each(|(sum, x)| *sum += x);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::scratch::Scratch;
    use crate::k_means::data;

    #[test]
    fn the_centres_are_the_same_to_the_last_digit_with_any_number_of_threads() {
        let scratch = Scratch::new().expect("the temporary directory is writable");
        data::table(&scratch.output(), 3_011).expect("a table can be written");
        let found = |slots| run(&scratch.output(), slots).expect("the table is there").to_string();
        assert_eq!(found(1), found(3));
        assert_ne!(found(1), Centres::start().to_string());
    }
}
