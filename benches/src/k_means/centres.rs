//! The centres of a round: the nearest one to a point, and how they move.
//!
//! Coordinates are stored by dimension, so that the distances to all centres are computed in parallel.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::data::random::scramble;

/// Dimensions of a point.
pub const DIMENSIONS: usize = 8;
/// Number of centres.
pub const CENTRES: usize = 16;
/// Number of rounds.
pub const ROUNDS: usize = 10;

/// Size of the cube that contains the centres.
const CUBE: u64 = 1024;
/// Distance of a start centre from its cluster's middle, in every dimension.
const START_OFF: f64 = 32.0;

/// A point, or a sum of points.
pub type Point = [f64; DIMENSIONS];

/// All centres: for every dimension, the coordinate of each centre.
#[derive(Clone, Serialize, Deserialize)]
pub struct Centres([[f64; CENTRES]; DIMENSIONS]);

/// The sum and number of the points of each centre.
#[derive(Clone, Copy, Default)]
pub struct Groups(pub [(Point, u64); CENTRES]);

/// The middle of a cluster of the data in one dimension.
pub fn middle(cluster: usize, dimension: usize) -> f64 {
    (scramble((cluster * DIMENSIONS + dimension) as u64) % CUBE) as f64
}

impl Centres {
    /// The start centres, beside the clusters of the data.
    pub fn start() -> Centres {
        let coordinate = |dimension| std::array::from_fn(|centre| middle(centre, dimension) + START_OFF);
        Centres(std::array::from_fn(coordinate))
    }

    /// The index of the centre that is nearest to `point`; the first one in a tie.
    #[inline]
    pub fn nearest(&self, point: &Point) -> usize {
        let mut distances = [0.0; CENTRES];
        for (coordinates, x) in self.0.iter().zip(point) {
            for (distance, coordinate) in distances.iter_mut().zip(coordinates) {
                *distance += (coordinate - x) * (coordinate - x);
            }
        }
        let mut nearest = 0;
        for centre in 1..CENTRES {
            if distances[centre] < distances[nearest] {
                nearest = centre;
            }
        }
        nearest
    }

    /// Moves a centre to the mean of its points. Without points it stays.
    pub fn move_to(&mut self, centre: usize, sum: &Point, points: u64) {
        if points > 0 {
            let all = self.0.iter_mut().zip(sum);
            all.for_each(|(coordinates, sum)| coordinates[centre] = sum / points as f64);
        }
    }
}

impl fmt::Display for Centres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for centre in 0..CENTRES {
            self.0.iter().try_for_each(|coordinates| write!(f, " {:.6}", coordinates[centre]))?;
            writeln!(f)?;
        }
        Ok(())
    }
}
