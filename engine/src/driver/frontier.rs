//! Which stages of a job have to run, and which of them can run now.
//!
//! The answer follows from which outputs are complete: a traversal starts at the result and stops at every
//! complete output. The producers of a complete output are not run, and not run again if their own output is
//! lost. A job can have thousands of stages, so the traversal is not repeated for every event: when an output
//! becomes complete, the frontier is updated in place. Only a loss, and the repair of one, require a new
//! traversal. The consistency checks in `books` compare the updated frontier with a fresh one.

use std::collections::BTreeSet;

/// The edges between the stages of a job, by stage index; producers come first.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// By stage: the stages that produce its inputs.
    pub(super) producers: Vec<Vec<usize>>,
    /// By stage: the stages that read its output.
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
    /// The stage is incomplete, and so is every stage on some path from it to the result.
    wanted: Vec<bool>,
    /// By stage: how many of its inputs are not complete.
    missing: Vec<usize>,
    /// The wanted stages whose inputs are complete.
    ready: BTreeSet<usize>,
}

impl Frontier {
    /// Traverses the stages backwards from the result.
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

    /// Updates the frontier when the output of `stage` becomes complete or incomplete.
    pub(super) fn set(&mut self, links: &Links, stage: usize, is_complete: bool) {
        if self.complete[stage] == is_complete {
            return;
        }
        self.complete[stage] = is_complete;
        // A wanted producer may be wanted only to repair this output. Whether another stage needs it takes a
        // new traversal.
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

    /// The wanted stages whose inputs are complete, in stage order.
    pub(super) fn ready(&self) -> impl Iterator<Item = usize> + '_ {
        self.ready.iter().copied()
    }
}
