//! Handles the messages of the driver in an executor, in the order in which they arrive.
//!
//! Every handler returns quickly, because tasks run on slots of their own. A plan that cannot be decoded is
//! stored as its error, so that the tasks that need it fail and not the executor.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::{ExchangeId, StageId};
use kiln_proto::v1::driver_message::Kind;
use kiln_proto::v1::executor_message::Kind as ToDriver;
use kiln_proto::v1::{self, ExecutorMessage};
use tokio::sync::mpsc::Sender;

use super::peers::FlightPeers;
use super::plans::{PlanId, Plans};
use super::wire;
use crate::driver::{ExecutorId, JobId, TaskId};
use crate::error::{Error, Result};
use crate::runtime::{Assignment, Peers, TaskInputs, Worker};
use crate::{plan, task};

/// The message handler of an executor.
pub(super) struct Duties {
    me: ExecutorId,
    worker: Arc<Worker>,
    peers: Arc<FlightPeers>,
    plans: Plans<Result<Arc<dyn ExecutionPlan>>>,
    outbox: Sender<ExecutorMessage>,
}

impl Duties {
    pub(super) fn new(
        me: ExecutorId,
        worker: Arc<Worker>,
        peers: Arc<FlightPeers>,
        outbox: Sender<ExecutorMessage>,
    ) -> Duties {
        Duties { me, worker, peers, plans: Plans::default(), outbox }
    }

    /// Handles one message; breaks on `Goodbye`.
    pub(super) async fn carry_out(&mut self, kind: Option<Kind>) -> Result<ControlFlow<()>> {
        match kind {
            Some(Kind::StagePlan(plan)) => self.keep(&plan),
            Some(Kind::Launch(launch)) => self.launch(launch).await?,
            Some(Kind::Peers(peers)) => self.peers.set(peers),
            Some(Kind::Abort(abort)) => self.worker.abort(wire::read_task(abort.task)?),
            Some(Kind::Forget(forget)) => self.worker.store().forget(ExchangeId(forget.exchange)),
            Some(Kind::Quiesce(quiesce)) => self.quiesce(quiesce),
            Some(Kind::Goodbye(_)) => return Ok(ControlFlow::Break(())),
            Some(Kind::Welcome(_) | Kind::Refused(_)) | None => {
                return Err(Error::bug("the driver said what has no meaning here"));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn keep(&mut self, sent: &v1::StagePlan) {
        let id = PlanId { job: JobId(sent.job), stage: StageId(sent.stage) };
        // Decoding runs code of the job's own types, which may panic.
        let plan = task::guarded(|| plan::decode(&sent.plan));
        self.plans.add(id, sent.plan.len(), plan);
    }

    async fn launch(&mut self, launch: v1::Launch) -> Result<()> {
        let task = wire::read_task(launch.task)?;
        let plan = match self.plans.find(PlanId::of(task)) {
            Some(Ok(plan)) => Arc::clone(plan),
            Some(Err(error)) => return self.refuse(task, error.clone()).await,
            None => return self.refuse(task, Error::bug("the plan of the stage did not come")).await,
        };
        let peers: Arc<dyn Peers> = Arc::<FlightPeers>::clone(&self.peers);
        let store = Arc::clone(self.worker.store());
        let inputs = TaskInputs::new(wire::read_inputs(launch.inputs), store, Some(self.me), Some(peers));
        self.worker.start(Assignment { task, plan, output: ExchangeId(launch.output), inputs });
        Ok(())
    }

    /// Reports that a task failed before it started.
    async fn refuse(&self, task: TaskId, error: Error) -> Result<()> {
        let status = ToDriver::TaskStatus(wire::status(task, &Err(error)));
        // If the driver has exited, the end of its stream ends this process too.
        let _ = self.outbox.send(ExecutorMessage { kind: Some(status) }).await;
        Ok(())
    }

    /// Answers when no task is running any more; other messages are handled in the meantime.
    fn quiesce(&self, question: v1::Quiesce) {
        let (worker, outbox) = (Arc::clone(&self.worker), self.outbox.clone());
        tokio::task::spawn_blocking(move || {
            worker.quiesce(Duration::from_millis(u64::from(question.limit_ms)));
            let quiet = ToDriver::Quiet(v1::Quiet { number: question.number });
            let _ = outbox.blocking_send(ExecutorMessage { kind: Some(quiet) });
        });
    }
}
