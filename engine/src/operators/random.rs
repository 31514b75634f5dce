//! Seeded random numbers for sampling: the same in every attempt for the same seed and partition.

/// SplitMix64 (Steele, Lea, Flood, 2014): one addition and two multiplications per number.
pub(crate) struct Random(u64);

/// The largest mean that is drawn in one step, for which `exp` of its negative is still far from zero.
const POISSON_STEP: f64 = 16.0;

impl Random {
    /// The numbers of one partition. Mixing scatters the start points of the partitions.
    pub(crate) fn of_partition(seed: u64, partition: usize) -> Random {
        let mut seeds = Random(seed);
        let start = seeds.next() ^ (partition as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
        Random(Random(start).next())
    }

    /// A random 64-bit number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A random number of 53 bits in `0.0..1.0`.
    #[inline]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A random number below `end`, which is at least 1: the high half of a product (Lemire, 2019),
    /// with a bias below `end` / 2^64.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// A Poisson-distributed number with this mean (Knuth's product of uniform numbers). A large mean
    /// is drawn in steps, because the sum of Poisson-distributed numbers is Poisson-distributed too.
    pub(crate) fn poisson(&mut self, mut mean: f64) -> u64 {
        let mut count = 0;
        while mean > 0.0 {
            let limit = (-mean.min(POISSON_STEP)).exp();
            let mut product = self.unit();
            while product > limit {
                count += 1;
                product *= self.unit();
            }
            mean -= POISSON_STEP;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poisson_numbers_have_the_mean_and_the_variance_that_was_asked() {
        for mean in [0.3, 4.0, 40.0] {
            let mut random = Random::of_partition(7, 0);
            let drawn: Vec<f64> = (0..20_000).map(|_| random.poisson(mean) as f64).collect();
            let found = drawn.iter().sum::<f64>() / drawn.len() as f64;
            let variance = drawn.iter().map(|n| (n - found).powi(2)).sum::<f64>() / drawn.len() as f64;
            assert!((found / mean - 1.0).abs() < 0.05 && (variance / mean - 1.0).abs() < 0.05, "{mean}");
        }
    }

    #[test]
    fn partitions_draw_different_numbers_and_attempts_the_same() {
        let first = |partition| Random::of_partition(1, partition).next();
        assert_eq!(first(3), first(3));
        assert_ne!(first(3), first(4));
    }
}
