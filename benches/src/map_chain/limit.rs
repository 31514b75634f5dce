//! The ten maps in one loop, for comparison with the job's ten closures.
//!
//! Computes the wrapping sum of all mapped rows, on one thread and without memory. Any additional cost
//! is the overhead of an engine per row. `steps` has the maps.

use super::steps::all_steps;

/// The sum of `0..rows` after ten maps, modulo 2^64.
pub fn sum(rows: u64) -> u64 {
    (0..rows).fold(0, |sum, row| sum.wrapping_add(all_steps(row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_part_of_the_sum() {
        assert_eq!(sum(0), 0);
        assert_eq!(sum(1001).wrapping_sub(sum(1000)), all_steps(1000));
    }
}
