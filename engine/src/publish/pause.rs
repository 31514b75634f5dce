//! Pauses between two requests to a store that answers too little, or to other publishers.

use std::time::Duration;

/// Pauses between two tries, growing to the second.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(2)];

/// A pause that doubles.
#[derive(Default)]
pub struct Pause {
    tries: u32,
}

impl Pause {
    /// Waits a while, longer each time.
    pub fn wait(&mut self) {
        let [first, last] = PAUSES;
        let longest = first.saturating_mul(1 << self.tries.min(10)).min(last);
        self.tries += 1;
        std::thread::sleep(jittered(longest));
    }
}

/// A random part of `longest`, so that publishers that met do not meet again.
pub fn jittered(longest: Duration) -> Duration {
    let share = uuid::Uuid::new_v4().as_u128() as u32;
    longest.mul_f64(f64::from(share) / f64::from(u32::MAX))
}
