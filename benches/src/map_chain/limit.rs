//! The chain of ten maps as one loop, as the yardstick for the job's ten closures.
//!
//! A number of rows goes in, the wrapping sum of all mapped rows comes out. One thread and no memory:
//! what it costs beyond this is what an engine adds to a row. The steps are `steps`'.

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
