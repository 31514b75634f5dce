//! Random numbers that are the same on every machine and in every version of this program.
//!
//! A generator, and an alias table for weighted choices. They are implemented here because a library
//! may change its numbers between releases, and then two people would measure two different texts under
//! the same name.

/// A generator of 64-bit numbers (splitmix64) that depends only on its seed.
pub struct Random(u64);

impl Random {
    /// The generator with `seed`.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let number = self.0;
        self.0 = self.0.wrapping_add(STEP);
        scramble(number)
    }

    /// A number in `0..limit`; the bias is below `limit` / 2^64.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(limit)) >> 64) as u64
    }

    /// True with a probability of `percent` %.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The increment of splitmix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A bijection without a visible pattern: the finalizer of splitmix64.
#[inline]
pub fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Weighted choice in constant time: Walker's alias method.
///
/// A lookup in cumulative weights needs a binary search with some 17 cache misses for each of 60
/// million words; this needs one.
pub struct Weighted {
    columns: Vec<Column>,
}

/// One column of equal width: its own index up to `keep` / 2^32, `other` above.
struct Column {
    keep: u32,
    other: u32,
}

impl Weighted {
    /// A choice among `weights.len()` indices, with probabilities proportional to `weights`.
    pub fn new(weights: &[f64]) -> Weighted {
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut share: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let mut columns: Vec<Column> =
            (0..weights.len() as u32).map(|own| Column { keep: u32::MAX, other: own }).collect();
        let (mut poor, mut rich): (Vec<usize>, Vec<usize>) = (0..share.len()).partition(|&i| share[i] < 1.0);
        // Fill each poor column from a rich one, which may become poor itself.
        while let (Some(to), Some(&from)) = (poor.pop(), rich.last()) {
            columns[to] = Column { keep: (share[to] * u32::MAX as f64) as u32, other: from as u32 };
            share[from] -= 1.0 - share[to];
            if share[from] < 1.0 {
                rich.pop();
                poor.push(from);
            }
        }
        Weighted { columns }
    }

    /// Draws an index with a single random number.
    pub fn draw(&self, random: &mut Random) -> usize {
        let bits = random.bits();
        let index = (((bits >> 32) * self.columns.len() as u64) >> 32) as usize;
        let column = &self.columns[index];
        if bits as u32 <= column.keep { index } else { column.other as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weighted_choice_follows_its_weights() {
        let (choice, mut random) = (Weighted::new(&[1.0, 2.0, 5.0]), Random::new(7));
        let mut drawn = [0_i64; 3];
        (0..80_000).for_each(|_| drawn[choice.draw(&mut random)] += 1);
        for (got, expected) in drawn.into_iter().zip([10_000, 20_000, 50_000]) {
            assert!((got - expected).abs() < 600, "drawn {drawn:?}");
        }
    }

    #[test]
    fn numbers_stay_below_their_limit() {
        let mut random = Random::new(1);
        assert!((0..1000).all(|_| random.below(7) < 7));
    }
}
