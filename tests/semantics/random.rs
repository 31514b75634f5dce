//! Seeded random numbers and rows: a failure can be repeated with its seed.

/// SplitMix64 (Steele, Lea, Flood, 2014): small, and good enough for test rows.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number from -`reach` to `reach`.
    pub(crate) fn around_zero(&mut self, reach: i64) -> i64 {
        self.below(2 * reach as u64 + 1) as i64 - reach
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    /// A string of 0 to 40 bytes. Many strings share a long prefix, and some are too long to be stored
    /// inline in the slot of a table; `ä` takes two bytes.
    pub(crate) fn string(&mut self) -> String {
        let prefix = *self.pick(&["", "a", "shared prefix ", "shared prefix of twenty-five ä"]);
        let room = 40 - prefix.len() as u64;
        let tail = *self.pick(&[0, 1, 2, room]);
        let letters = (0..tail).map(|_| *self.pick(&['a', 'b']));
        format!("{prefix}{}", letters.collect::<String>())
    }

    /// `count` rows, each made by `row`.
    pub(crate) fn rows<T>(&mut self, count: usize, mut row: impl FnMut(&mut Random) -> T) -> Vec<T> {
        (0..count).map(|_| row(self)).collect()
    }

    /// Pairs with few distinct keys and many values.
    pub(crate) fn pairs(&mut self, count: usize, keys: u64) -> Vec<(u64, i64)> {
        self.rows(count, |r| (r.below(keys), r.around_zero(1000)))
    }

    /// A line of a few words.
    pub(crate) fn line(&mut self) -> String {
        let words = self.below(8) as usize;
        self.rows(words, |r| (*r.pick(&["the", "a", "kiln", "Über", "brick", "of"])).to_owned()).join(" ")
    }
}
