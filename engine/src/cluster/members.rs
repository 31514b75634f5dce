//! The members of the cluster: executors that were started, have attached, or are lost.
//!
//! ```text
//!   expect ──▶ Starting ──attach──▶ Attached ──lose──▶ Lost      (never back: an id is used once)
//!                  └──────────lose──────────────────────▲
//! ```
//!
//! Only the first reason for a loss counts. Every change is reported to the driver as an event, and to the
//! other members as a new list of addresses, which precedes whatever is sent to them next. `server` handles
//! the sockets, `backend` decides what is sent.

mod waits;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kiln_proto::v1::driver_message::Kind;
use kiln_proto::v1::{self, DriverMessage};
use tokio::sync::mpsc::{Receiver, channel};

use super::member::{Attached, Member, Standing};
use super::peers::FlightPeers;
use super::plans::PlanId;
use super::process::Process;
use crate::driver::{Event, ExecutorId};
use crate::error::{Error, Result};

/// The capacity of an executor's outbox. An executor normally takes messages within microseconds, so one with
/// a full outbox hangs.
const OUTBOX_MESSAGES: usize = 4096;

/// All members, shared by the driver's thread, the server and the threads that watch processes.
pub(super) struct Members {
    state: Mutex<State>,
    changed: Condvar,
    peers: Arc<FlightPeers>,
    tell: Tell,
}

/// Sends an event to the driver.
type Tell = Box<dyn Fn(Event) + Send + Sync>;

#[derive(Default)]
struct State {
    members: BTreeMap<ExecutorId, Member>,
    /// The driver is shutting down: a process that exits now is not lost.
    closing: bool,
}

impl Members {
    pub(super) fn new(peers: Arc<FlightPeers>, tell: impl Fn(Event) + Send + Sync + 'static) -> Members {
        Members { state: Mutex::default(), changed: Condvar::new(), peers, tell: Box::new(tell) }
    }

    /// Passes an event from a member to the driver.
    pub(super) fn tell(&self, event: Event) {
        (self.tell)(event);
    }

    /// Registers an executor whose process is about to start.
    pub(super) fn expect(&self, id: ExecutorId) {
        self.lock().members.insert(id, Member::starting());
    }

    /// Records the process of an executor, so that it is killed when the executor is lost.
    pub(super) fn started(&self, id: ExecutorId, process: Arc<Process>) {
        if let Some(member) = self.lock().members.get_mut(&id) {
            match member.standing {
                Standing::Lost(_) => process.kill(),
                Standing::Starting | Standing::Attached(_) => member.process = Some(process),
            }
        }
    }

    /// Attaches an executor. Messages for it come out of the receiver, in order.
    ///
    /// # Errors
    /// Why it cannot attach.
    pub(super) fn attach(
        &self,
        id: ExecutorId,
        slots: u32,
        flight_address: String,
    ) -> Result<Receiver<DriverMessage>, String> {
        let mut state = self.lock();
        let member =
            state.members.get_mut(&id).ok_or_else(|| format!("{id} was not started by this driver"))?;
        match &member.standing {
            Standing::Starting => {}
            Standing::Attached(_) => return Err(format!("{id} takes part already")),
            Standing::Lost(reason) => return Err(format!("{id} was given up: {reason}")),
        }
        let (outbox, inbox) = channel(OUTBOX_MESSAGES);
        // A new channel is empty.
        let _ = outbox.try_send(message(Kind::Welcome(v1::Welcome {})));
        member.standing = Standing::Attached(Attached::new(outbox, flight_address));
        self.tell_addresses(&state);
        (self.tell)(Event::ExecutorJoined { executor: id, slots });
        self.changed.notify_all();
        Ok(inbox)
    }

    /// Marks a member as lost and kills its process. Does nothing if it is already lost.
    pub(super) fn lose(&self, id: ExecutorId, reason: Error) {
        let mut state = self.lock();
        let closing = state.closing;
        let Some(member) = state.members.get_mut(&id) else { return };
        if closing || matches!(member.standing, Standing::Lost(_)) {
            return;
        }
        let text = reason.to_string();
        member.standing = Standing::Lost(reason);
        if let Some(process) = member.process.take() {
            process.kill();
        }
        self.tell_addresses(&state);
        (self.tell)(Event::ExecutorLost { executor: id, reason: text });
        self.changed.notify_all();
    }

    /// Sends a message to an attached member. A member with a full outbox is lost.
    pub(super) fn send(&self, id: ExecutorId, kind: Kind) {
        let sent = match self.lock().members.get(&id).and_then(Member::attached) {
            Some(attached) => attached.outbox.try_send(message(kind)).is_ok(),
            None => return,
        };
        if !sent {
            self.lose(id, Error::transient(format!("it let {OUTBOX_MESSAGES} messages wait")));
        }
    }

    /// Whether this plan has to be sent to the member first; the plan counts as sent from then on.
    pub(super) fn needs_plan(&self, id: ExecutorId, plan: PlanId, bytes: usize) -> bool {
        let mut state = self.lock();
        let attached = state.members.get_mut(&id).and_then(Member::attached_mut);
        attached.is_some_and(|attached| attached.needs_plan(plan, bytes))
    }

    /// Whether a status with this sequence number is new.
    pub(super) fn is_new_status(&self, id: ExecutorId, sequence: u64) -> bool {
        let mut state = self.lock();
        let attached = state.members.get_mut(&id).and_then(Member::attached_mut);
        attached.is_some_and(|attached| attached.is_new_status(sequence))
    }

    /// Records that a member has answered the quiesce request `number`.
    pub(super) fn quiet(&self, id: ExecutorId, number: u64) {
        if let Some(attached) = self.lock().members.get_mut(&id).and_then(Member::attached_mut) {
            attached.last_quiet = attached.last_quiet.max(number);
        }
        self.changed.notify_all();
    }

    /// The ids of the attached members.
    pub(super) fn attached(&self) -> Vec<ExecutorId> {
        let state = self.lock();
        let attached = state.members.iter().filter(|(_, member)| member.attached().is_some());
        attached.map(|(id, _)| *id).collect()
    }

    /// Sends `Goodbye` to all members, waits at most `limit` for their processes, and kills the rest.
    pub(super) fn close(&self, limit: Duration) {
        let mut state = self.lock();
        state.closing = true;
        let mut processes = Vec::new();
        for member in state.members.values_mut() {
            if let Some(attached) = member.attached() {
                let _ = attached.outbox.try_send(message(Kind::Goodbye(v1::Goodbye {})));
            }
            processes.extend(member.process.take());
        }
        // The threads that watch the processes take the lock when a process exits.
        drop(state);
        let until = Instant::now() + limit;
        for process in processes {
            process.end(until.saturating_duration_since(Instant::now()));
        }
    }

    /// Sends the addresses of all attached members to each of them and to this process.
    fn tell_addresses(&self, state: &State) {
        let attached = state.members.iter().filter_map(|(id, member)| Some((id, member.attached()?)));
        let peer = |(id, attached): (&ExecutorId, &Attached)| v1::Peer {
            executor: id.0,
            flight_address: attached.flight_address.clone(),
        };
        let peers = v1::Peers { peers: attached.map(peer).collect() };
        for member in state.members.values().filter_map(Member::attached) {
            // A member with a full outbox is detected by the next message to it.
            let _ = member.outbox.try_send(message(Kind::Peers(peers.clone())));
        }
        self.peers.set(peers);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `kind` as a message.
pub(super) fn message(kind: Kind) -> DriverMessage {
    DriverMessage { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::member::tests::peers_of_nobody;
    use super::*;

    const A: ExecutorId = ExecutorId(1);
    const B: ExecutorId = ExecutorId(2);

    #[test]
    fn a_member_hears_welcome_and_then_where_all_are() {
        check(|members, _| {
            let mut inbox = members.attach(A, 1, "a:1".to_owned()).unwrap();
            members.attach(B, 1, "b:2".to_owned()).unwrap();
            assert!(matches!(inbox.try_recv().unwrap().kind, Some(Kind::Welcome(_))));
            assert_eq!((addresses(&mut inbox), addresses(&mut inbox)), (1, 2));
            members.wait_attached(Duration::ZERO).unwrap();
        });
    }

    #[test]
    fn only_the_first_reason_of_a_loss_counts() {
        check(|members, events| {
            members.lose(A, Error::resource("killed by signal 9"));
            members.lose(A, Error::transient("the connection broke"));
            let told: Vec<String> = events.try_iter().map(|event| format!("{event:?}")).collect();
            assert!(matches!(&told[..], [one] if one.contains("signal 9")), "{told:?}");
            let error = members.wait_attached(Duration::ZERO).unwrap_err();
            assert!(error.to_string().starts_with("killed by signal 9, at executor 1"), "{error}");
            assert!(members.attach(A, 1, String::new()).unwrap_err().contains("given up"));
        });
    }

    #[test]
    fn a_member_that_does_not_take_its_messages_is_lost() {
        check(|members, events| {
            let _inbox = members.attach(A, 1, String::new()).unwrap();
            for exchange in 0..OUTBOX_MESSAGES as u64 {
                members.send(A, Kind::Forget(v1::Forget { exchange }));
            }
            assert!(members.attached().is_empty());
            assert!(events.try_iter().any(|event| matches!(event, Event::ExecutorLost { executor: A, .. })));
        });
    }

    #[test]
    fn an_id_is_taken_once_and_only_when_it_was_given() {
        check(|members, _| {
            let _inbox = members.attach(A, 1, String::new()).unwrap();
            assert_eq!(members.attach(A, 1, String::new()).unwrap_err(), "executor 1 takes part already");
            let other = members.attach(ExecutorId(9), 1, String::new());
            assert_eq!(other.unwrap_err(), "executor 9 was not started by this driver");
        });
    }

    #[test]
    fn a_start_that_takes_too_long_is_an_error() {
        check(|members, _| {
            let error = members.wait_attached(Duration::from_millis(1)).unwrap_err();
            assert!(error.is_retryable(), "{error}");
        });
    }

    fn addresses(inbox: &mut Receiver<DriverMessage>) -> usize {
        match inbox.try_recv().unwrap().kind {
            Some(Kind::Peers(peers)) => peers.peers.len(),
            other => panic!("no addresses but {other:?}"),
        }
    }

    /// Runs `body` with two expected members and the events sent to the driver.
    fn check(body: impl FnOnce(&Members, &mpsc::Receiver<Event>)) {
        let (runtime, peers) = peers_of_nobody();
        let _inside = runtime.enter();
        let (tell, events) = mpsc::channel();
        let members = Members::new(peers, move |event| tell.send(event).unwrap());
        members.expect(A);
        members.expect(B);
        body(&members, &events);
    }
}
