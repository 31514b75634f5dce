//! What limited a run most: the resource that its tasks spent the largest part of their time on.

use std::sync::{Arc, Mutex};

use serde::Serialize;

use super::lock;
use crate::meter::{self, Resource, Spent};

/// A run whose tasks took less time than this has no bottleneck worth a word.
const LEAST_NANOS: u64 = 500_000_000;

/// The share of the time in which the source could not send, from 0 to 1, once it is known.
pub type NetworkShare = Arc<dyn Fn() -> Option<f64> + Send + Sync>;

/// The resource that limited a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bottleneck {
    /// Which one.
    pub resource: Resource,
    /// Its part of the time of all tasks, from 0 to 1.
    pub share: f64,
}

/// The times of a run's tasks so far.
#[derive(Default)]
pub(crate) struct Times {
    spent: Mutex<Spent>,
    network: Mutex<Vec<NetworkShare>>,
}

impl Times {
    /// Adds the time that a task, or the driver, has spent on a resource.
    pub(crate) fn add(&self, resource: usize, nanos: u64) {
        if let Some(sum) = lock(&self.spent).get_mut(resource) {
            *sum = sum.saturating_add(nanos);
        }
    }

    /// Runs `work` of the driver, for which `slots` task slots wait, and adds its time for each of them.
    pub(crate) fn of_driver<R>(&self, slots: usize, work: impl FnOnce() -> R) -> R {
        meter::start();
        let result = work();
        let spent = meter::finish();
        spent.iter().enumerate().for_each(|(at, nanos)| self.add(at, nanos.saturating_mul(slots as u64)));
        result
    }

    /// A source that can tell its own time from that of the network.
    pub(crate) fn ask(&self, network: NetworkShare) {
        lock(&self.network).push(network);
    }

    /// The bottleneck, if the tasks took long enough for one.
    pub(super) fn bottleneck(&self) -> Option<Bottleneck> {
        let known: Vec<f64> = lock(&self.network).iter().filter_map(|share| share()).collect();
        let network = if known.is_empty() { 0.0 } else { known.iter().sum::<f64>() / known.len() as f64 };
        of(&lock(&self.spent), network)
    }
}

/// The largest of `spent`, after the part `network` of the time at the source is moved to the network.
fn of(spent: &Spent, network: f64) -> Option<Bottleneck> {
    let all: u64 = spent.iter().sum();
    if all < LEAST_NANOS {
        return None;
    }
    let mut spent = spent.map(|nanos| nanos as f64);
    let moved = spent[Resource::Source as usize] * network.clamp(0.0, 1.0);
    spent[Resource::Source as usize] -= moved;
    spent[Resource::Network as usize] += moved;
    let largest = Resource::ALL.into_iter().zip(spent).max_by(|a, b| a.1.total_cmp(&b.1));
    largest
        .map(|(resource, nanos)| Bottleneck { resource, share: (nanos / all as f64 * 100.0).round() / 100.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn spent(of: &[(Resource, u64)]) -> Spent {
        let mut spent = Spent::default();
        of.iter().for_each(|(resource, seconds)| spent[*resource as usize] = seconds * SECOND);
        spent
    }

    #[test]
    fn the_largest_time_is_the_bottleneck() {
        for resource in Resource::ALL {
            let mut times = vec![(Resource::Processor, 3), (Resource::Source, 2), (Resource::Target, 2)];
            times.retain(|(other, _)| *other != resource);
            times.push((resource, 10));
            let found = of(&spent(&times), 0.0).map(|found| found.resource);
            assert_eq!(found, Some(resource));
        }
    }

    #[test]
    fn the_time_of_a_source_that_could_not_send_belongs_to_the_network() {
        let times = spent(&[(Resource::Processor, 1), (Resource::Source, 9)]);
        let found = |network| of(&times, network).map(|found| (found.resource, found.share));
        assert_eq!(found(0.1), Some((Resource::Source, 0.81)));
        assert_eq!(found(0.8), Some((Resource::Network, 0.72)));
    }

    #[test]
    fn a_short_run_has_none() {
        assert_eq!(of(&[LEAST_NANOS / 4; 6].map(|nanos| nanos / 2), 0.0), None);
    }
}
