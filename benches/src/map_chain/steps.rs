//! Ten small maps on `u64`, used by the hand-written loop and by the job's ten closures.
//!
//! Each is a few instructions, and none is the inverse of its neighbour or can be merged with it:
//! products, sums, shifts and rotations alternate, so that no compiler can turn ten steps into one, or
//! a sum over all rows into a formula.

#[inline]
pub fn step_0(x: u64) -> u64 {
    x.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[inline]
pub fn step_1(x: u64) -> u64 {
    x ^ (x >> 29)
}

#[inline]
pub fn step_2(x: u64) -> u64 {
    x.wrapping_add(0x1234_5678_9abc_def1)
}

#[inline]
pub fn step_3(x: u64) -> u64 {
    x.rotate_left(17)
}

#[inline]
pub fn step_4(x: u64) -> u64 {
    x.wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[inline]
pub fn step_5(x: u64) -> u64 {
    x ^ (x << 13)
}

#[inline]
pub fn step_6(x: u64) -> u64 {
    x.wrapping_sub(0x0fed_cba9_8765_4321)
}

#[inline]
pub fn step_7(x: u64) -> u64 {
    x.rotate_left(41)
}

#[inline]
pub fn step_8(x: u64) -> u64 {
    x ^ (x >> 7)
}

#[inline]
pub fn step_9(x: u64) -> u64 {
    x.wrapping_add(x << 3)
}

/// All ten steps, one after the other.
#[inline]
pub fn all_steps(x: u64) -> u64 {
    step_9(step_8(step_7(step_6(step_5(step_4(step_3(step_2(step_1(step_0(x))))))))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ten_steps_keep_different_rows_different() {
        let mapped: std::collections::HashSet<u64> = (0..10_000).map(all_steps).collect();
        assert_eq!(mapped.len(), 10_000);
    }
}
