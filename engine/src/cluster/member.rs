//! One member of the cluster, and the driver's record of it.

use std::sync::Arc;

use kiln_proto::v1::DriverMessage;
use tokio::sync::mpsc::Sender;

use super::plans::{PlanId, Plans};
use super::process::Process;
use crate::error::Error;

/// An executor that was started.
pub(super) struct Member {
    pub(super) standing: Standing,
    /// Its process; `None` before it has started, and after it was asked to exit.
    pub(super) process: Option<Arc<Process>>,
}

/// The state of a member.
pub(super) enum Standing {
    Starting,
    Attached(Attached),
    Lost(Error),
}

/// The state of an attached member.
pub(super) struct Attached {
    pub(super) outbox: Sender<DriverMessage>,
    pub(super) flight_address: String,
    /// The highest quiesce request that it has answered.
    pub(super) last_quiet: u64,
    /// The plans that it stores.
    plans: Plans<()>,
    /// The highest sequence number of its statuses so far.
    last_status: u64,
}

impl Member {
    pub(super) fn starting() -> Member {
        Member { standing: Standing::Starting, process: None }
    }

    pub(super) fn attached(&self) -> Option<&Attached> {
        match &self.standing {
            Standing::Attached(attached) => Some(attached),
            Standing::Starting | Standing::Lost(_) => None,
        }
    }

    pub(super) fn attached_mut(&mut self) -> Option<&mut Attached> {
        match &mut self.standing {
            Standing::Attached(attached) => Some(attached),
            Standing::Starting | Standing::Lost(_) => None,
        }
    }
}

impl Attached {
    pub(super) fn new(outbox: Sender<DriverMessage>, flight_address: String) -> Attached {
        Attached { outbox, flight_address, last_quiet: 0, plans: Plans::default(), last_status: 0 }
    }

    /// Whether this plan has to be sent first; the plan counts as sent from then on.
    pub(super) fn needs_plan(&mut self, plan: PlanId, bytes: usize) -> bool {
        let needs = self.plans.find(plan).is_none();
        if needs {
            self.plans.add(plan, bytes, ());
        }
        needs
    }

    /// Whether a status with this sequence number is new, and records the number.
    pub(super) fn is_new_status(&mut self, sequence: u64) -> bool {
        let is_new = sequence > self.last_status;
        self.last_status = self.last_status.max(sequence);
        is_new
    }
}

#[cfg(test)]
pub(super) mod tests {
    use kiln_planner::StageId;
    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::mpsc::channel;

    use super::super::peers::FlightPeers;
    use super::super::token::Token;
    use super::*;
    use crate::driver::JobId;

    #[test]
    fn a_plan_is_needed_once() {
        let mut attached = Attached::new(channel(1).0, String::new());
        let plan = PlanId { job: JobId(1), stage: StageId(1) };
        assert_eq!([attached.needs_plan(plan, 1), attached.needs_plan(plan, 1)], [true, false]);
    }

    #[test]
    fn a_status_that_comes_again_is_no_news() {
        let mut attached = Attached::new(channel(1).0, String::new());
        assert_eq!([1, 2, 2, 1, 3].map(|n| attached.is_new_status(n)), [true, true, false, false, true]);
    }

    /// An empty list of addresses, and the runtime that it needs.
    pub(crate) fn peers_of_nobody() -> (Runtime, Arc<FlightPeers>) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let peers = FlightPeers::new(runtime.handle().clone(), &Token::random().unwrap()).unwrap();
        (runtime, Arc::new(peers))
    }
}
