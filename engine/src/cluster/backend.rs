//! Carries out the driver's decisions on executor processes of this machine.
//!
//! Decisions arrive on the driver's thread, which must not block: each becomes a message in the outbox of one
//! executor. The plan of a stage is sent to each executor before its first task of the stage, and is encoded
//! once for all of them. `members` records which executors are attached or lost.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kiln_planner::ExchangeId;
use kiln_proto::v1;
use kiln_proto::v1::driver_message::Kind;
use tokio::runtime::Runtime;

use super::handshake::Identity;
use super::members::Members;
use super::net::{self, MAX_MESSAGE_BYTES};
use super::peers::FlightPeers;
use super::plans::{PlanId, Plans};
use super::process::{BATCH_ROWS, Process, Start};
use super::server::Door;
use super::token::Token;
use super::wire;
use crate::config::{Config, MEMORY, TMP};
use crate::driver::{Event, ExecutorId, TaskId, TaskInput};
use crate::error::{Error, Result};
use crate::job::{CleanupGuard, Run};
use crate::memory;
use crate::plan;
use crate::runtime::{Backend, Events, Launch, Peers, TaskInputs};
use crate::shuffle::BlockStore;

/// The time limit for all executors to join.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long executors may take to exit by themselves before they are killed.
const GOODBYE_LIMIT: Duration = Duration::from_millis(200);
/// Extra time for an answer to arrive, beyond the limit that the executors were given.
const ANSWER_GRACE: Duration = Duration::from_millis(100);
/// Threads for network I/O.
const IO_THREADS: usize = 2;
/// The size of a plan message without the plan, at most.
const MESSAGE_FRAME_BYTES: usize = 1 << 10;

/// The command that starts this binary as an executor.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExecutorCommand {
    /// Arguments: none for a job, the name of a test for a test binary.
    pub(crate) args: Vec<String>,
    /// Variables added to the environment of this process: the configuration.
    pub(crate) env: Vec<(&'static str, OsString)>,
    /// The folder in which killed executors leave temporary files.
    pub(crate) tmp: PathBuf,
}

impl ExecutorCommand {
    /// The command for executors with this configuration.
    pub(crate) fn new(config: &Config) -> ExecutorCommand {
        let env = vec![
            (MEMORY, config.memory.to_string().into()),
            (TMP, config.tmp.clone().into()),
            (BATCH_ROWS, config.batch_rows.to_string().into()),
        ];
        ExecutorCommand { args: config.executor_args.clone(), env, tmp: config.tmp.clone() }
    }
}

/// Executor processes. Dropping the backend ends them.
pub(crate) struct ClusterBackend {
    members: Arc<Members>,
    peers: Arc<FlightPeers>,
    events: Events,
    /// The most recent encoded plans.
    encoded: Plans<Bytes>,
    /// The number of the latest quiesce request.
    questions: u64,
    tmp: PathBuf,
    runtime: Option<Runtime>,
    _cleanup: CleanupGuard,
}

impl ClusterBackend {
    /// Starts `executors` processes with `slots` slots each and waits until all of them have joined.
    ///
    /// # Errors
    /// When a process exits or is refused before all have joined, when they take too long, or when the system
    /// refuses a process, a thread or a socket.
    pub(crate) fn start(
        executors: usize,
        slots: usize,
        launcher: &ExecutorCommand,
        run: &Arc<Run>,
        events: Events,
    ) -> Result<ClusterBackend> {
        let token = Token::random()?;
        // From here on, dropping the backend ends the processes that were started.
        let (backend, driver_address) =
            ClusterBackend::without_executors(&token, run, launcher.tmp.clone(), events)?;
        for id in (0..executors as u32).map(ExecutorId) {
            let driver_address = driver_address.clone();
            backend.start_executor(&Start {
                executor: id,
                slots,
                driver_address,
                token: &token,
                command: launcher,
            })?;
        }
        backend.members.wait_attached(START_LIMIT)?;
        Ok(backend)
    }

    /// The backend without executors, and the address of its control service.
    fn without_executors(
        token: &Token,
        run: &Arc<Run>,
        tmp: PathBuf,
        events: Events,
    ) -> Result<(ClusterBackend, String)> {
        let runtime = runtime()?;
        let peers = Arc::new(FlightPeers::new(runtime.handle().clone(), token)?);
        let told = events.clone();
        let members = Arc::new(Members::new(Arc::clone(&peers), move |event| told.send(event)));
        let identity = Arc::new(Identity::own()?);
        let door = Door { members: Arc::clone(&members), identity, run: Arc::clone(run) };
        let address = {
            let _inside = runtime.enter();
            let (incoming, address) = net::listen()?;
            door.open(incoming, token);
            address.to_string()
        };
        let (ended, left) = (Arc::clone(&members), tmp.clone());
        let cleanup = run.cleanup.register(Box::new(move || {
            ended.close(Duration::ZERO);
            memory::sweep(&left);
        }));
        let backend = ClusterBackend {
            members,
            peers,
            events,
            encoded: Plans::default(),
            questions: 0,
            tmp,
            runtime: Some(runtime),
            _cleanup: cleanup,
        };
        Ok((backend, address))
    }

    fn start_executor(&self, start: &Start<'_>) -> Result<()> {
        let id = start.executor;
        self.members.expect(id);
        let members = Arc::clone(&self.members);
        let process = Process::start(start, move |exit| members.lose(id, exit.into_error()))?;
        self.members.started(id, process);
        Ok(())
    }

    /// Sends the plan of the task's stage, unless the executor already has it.
    fn send_plan(&mut self, launch: &Launch) -> Result<()> {
        let id = PlanId::of(launch.task);
        let plan = match self.encoded.find(id) {
            Some(plan) => plan.clone(),
            None => {
                let plan = encode(launch)?;
                self.encoded.add(id, plan.len(), plan.clone());
                plan
            }
        };
        if self.members.needs_plan(launch.executor, id, plan.len()) {
            let output = launch.stage.output.0;
            let plan = v1::StagePlan { job: id.job.0, stage: id.stage.0, output, plan };
            self.members.send(launch.executor, Kind::StagePlan(plan));
        }
        Ok(())
    }
}

fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(IO_THREADS)
        .thread_name("kiln-io")
        .enable_all()
        .build()
        .map_err(|e| Error::io("the threads for sockets cannot be started", e))
}

fn encode(launch: &Launch) -> Result<Bytes> {
    let plan = plan::encode(&launch.stage.plan)?;
    if plan.len() > MAX_MESSAGE_BYTES - MESSAGE_FRAME_BYTES {
        let text = format!("the plan of {} is {} bytes long", launch.stage.id, plan.len());
        return Err(Error::config(text).help("read the data in the job instead of sending it along"));
    }
    Ok(Bytes::from(plan))
}

impl Backend for ClusterBackend {
    fn launch(&mut self, launch: Launch) {
        let (executor, task) = (launch.executor, launch.task);
        if let Err(error) = self.send_plan(&launch) {
            return self.events.send(Event::TaskFinished { executor, task, outcome: Err(error) });
        }
        let launch = v1::Launch {
            task: Some(wire::task(task)),
            output: launch.stage.output.0,
            inputs: wire::inputs(&launch.inputs),
        };
        self.members.send(executor, Kind::Launch(launch));
    }

    fn abort(&mut self, executor: ExecutorId, task: TaskId) {
        self.members.send(executor, Kind::Abort(v1::Abort { task: Some(wire::task(task)) }));
    }

    fn forget(&mut self, executor: ExecutorId, exchange: ExchangeId) {
        self.members.send(executor, Kind::Forget(v1::Forget { exchange: exchange.0 }));
    }

    fn give_up(&mut self, executor: ExecutorId, reason: &str) {
        self.members.lose(executor, Error::transient(reason));
    }

    fn reader(&self, inputs: Vec<TaskInput>) -> TaskInputs {
        let peers: Arc<dyn Peers> = Arc::<FlightPeers>::clone(&self.peers);
        // The driver stores no outputs itself.
        TaskInputs::new(inputs, Arc::new(BlockStore::default()), None, Some(peers))
    }

    fn quiesce(&mut self, limit: Duration) {
        self.questions += 1;
        let limit_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        for executor in self.members.attached() {
            let question = v1::Quiesce { number: self.questions, limit_ms };
            self.members.send(executor, Kind::Quiesce(question));
        }
        self.members.wait_quiet(self.questions, limit + ANSWER_GRACE);
    }
}

impl Drop for ClusterBackend {
    fn drop(&mut self) {
        self.members.close(GOODBYE_LIMIT);
        memory::sweep(&self.tmp);
        if let Some(runtime) = self.runtime.take() {
            // Waiting for a runtime inside another runtime panics, and a job may drop the backend there.
            runtime.shutdown_background();
        }
    }
}
