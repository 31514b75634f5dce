//! Which stages of a job are wanted, and which of them can run now.
//!
//! It follows from which outputs are complete, by a walk back from the result that ends at every complete
//! output; what feeds one of those is not run, and not run again when it is lost. A job may have thousands
//! of stages, so the walk is not repeated after every event: an output that becomes complete moves the
//! frontier past it, and only a loss takes the walk again. The books hold both against each other.

use std::collections::BTreeSet;

/// How the stages of a job feed each other, by their index; producers come first.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// By stage: those that make its inputs.
    pub(super) producers: Vec<Vec<usize>>,
    /// By stage: those that read its output.
    consumers: Vec<Vec<usize>>,
}

impl Links {
    pub(super) fn new(producers: Vec<Vec<usize>>) -> Links {
        let mut consumers = vec![Vec::new(); producers.len()];
        for (consumer, inputs) in producers.iter().enumerate() {
            inputs.iter().for_each(|producer| consumers[*producer].push(consumer));
        }
        Links { producers, consumers }
    }
}

/// The state of each stage of one job.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Frontier {
    complete: Vec<bool>,
    /// Incomplete, and the way from there to the result is too.
    wanted: Vec<bool>,
    /// By stage: its inputs that are not complete.
    missing: Vec<usize>,
    /// The wanted stages whose inputs are complete.
    ready: BTreeSet<usize>,
}

impl Frontier {
    /// The walk back from the result.
    pub(super) fn new(links: &Links, complete: Vec<bool>) -> Frontier {
        let mut wanted = vec![false; complete.len()];
        if let Some((wanted, complete)) = wanted.last_mut().zip(complete.last()) {
            *wanted = !complete;
        }
        for consumer in (0..complete.len()).rev().filter(|consumer| !complete[*consumer]) {
            if wanted[consumer] {
                links.producers[consumer]
                    .iter()
                    .for_each(|producer| wanted[*producer] = !complete[*producer]);
            }
        }
        let incomplete = |inputs: &Vec<usize>| inputs.iter().filter(|input| !complete[**input]).count();
        let missing: Vec<usize> = links.producers.iter().map(incomplete).collect();
        let ready = (0..complete.len()).filter(|stage| wanted[*stage] && missing[*stage] == 0).collect();
        Frontier { complete, wanted, missing, ready }
    }

    /// Takes in whether the output of `stage` is complete.
    pub(super) fn set(&mut self, links: &Links, stage: usize, is_complete: bool) {
        if self.complete[stage] == is_complete {
            return;
        }
        self.complete[stage] = is_complete;
        // A producer that is wanted although its consumer is complete may have been wanted for that one alone.
        let is_repair = links.producers[stage].iter().any(|producer| self.wanted[*producer]);
        if !is_complete || is_repair {
            *self = Frontier::new(links, std::mem::take(&mut self.complete));
            return;
        }
        self.wanted[stage] = false;
        self.ready.remove(&stage);
        for consumer in &links.consumers[stage] {
            self.missing[*consumer] -= 1;
            if self.missing[*consumer] == 0 && self.wanted[*consumer] {
                self.ready.insert(*consumer);
            }
        }
    }

    pub(super) fn is_wanted(&self, stage: usize) -> bool {
        self.wanted.get(stage).copied().unwrap_or(false)
    }

    /// The wanted stages whose inputs are complete, in their order.
    pub(super) fn ready(&self) -> impl Iterator<Item = usize> + '_ {
        self.ready.iter().copied()
    }
}
