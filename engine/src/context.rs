//! The context of a job: creates datasets, shares values, and runs the jobs of actions.

mod action;
mod counters;

pub(crate) use action::{Action, Held, MAX_SUBMISSIONS};

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::{ExchangeExec, ExchangeId, Movement, Stage, StageGraph, cut, explain};

use crate::cluster::{ClusterBackend, ExecutorCommand};
use crate::config::{Cluster, Config};
use crate::driver::{Event, JobId, JobSpec, Limits, StageSpec};
use crate::error::{Error, Result};
use crate::job::{Run, StageView};
use crate::memory::{self, Memory};
use crate::plan::OperatorExec;
use crate::runtime::{JobDone, LocalBackend, Process, Runtime};
use crate::ship::lazy::Lazy;
use crate::ship::shared::{Param, Shared};
use action::RESULT;

/// How long to wait for the tasks of a failed job to stop.
const QUIESCE_LIMIT: Duration = Duration::from_millis(1200);

/// Creates datasets and runs jobs; cheap to clone.
///
/// `#[kiln::main]` passes one to the job. Nothing is started before the first action.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    config: Config,
    run: Arc<Run>,
    exchanges: AtomicU64,
    sources: AtomicU64,
    jobs: AtomicU64,
    persisted: Mutex<Persisted>,
    runtime: Mutex<Option<Arc<Runtime>>>,
}

/// The exchanges of `persist`.
#[derive(Default)]
struct Persisted {
    /// The exchanges that a job has computed.
    computed: BTreeSet<ExchangeId>,
    /// The exchanges that are no longer kept.
    ended: BTreeSet<ExchangeId>,
}

impl Persisted {
    /// Records that a job with these stages has ended successfully.
    fn add(&mut self, graph: &StageGraph) {
        let kept = graph.stages.iter().filter(|stage| is_persisted(stage)).map(|stage| stage.output);
        self.computed.extend(kept.filter(|exchange| !self.ended.contains(exchange)));
    }

    fn end(&mut self, exchange: ExchangeId) {
        self.computed.remove(&exchange);
        self.ended.insert(exchange);
    }
}

impl Context {
    /// A context for `config` that reports to `run`.
    pub fn new(config: Config, run: Arc<Run>) -> Context {
        Context(Arc::new(Inner {
            config,
            run,
            exchanges: AtomicU64::new(1),
            sources: AtomicU64::new(0),
            jobs: AtomicU64::new(1),
            persisted: Mutex::default(),
            runtime: Mutex::new(None),
        }))
    }

    /// Tasks that run at once, in all processes.
    pub(crate) fn slots(&self) -> usize {
        self.0.config.cluster.slots()
    }

    /// A context with `slots` task slots in this process, for tests and for programs that do not use
    /// `#[kiln::main]`.
    pub fn local(slots: usize) -> Context {
        Context::new(
            Config::new(Cluster::Local { slots }),
            Run::new("local".to_owned(), crate::job::Progress::silent()),
        )
    }

    /// A context configured by the environment: `KILN_CLUSTER`, `KILN_MEMORY`, `KILN_TMP`, `KILN_STRICT` and
    /// `KILN_SEED`.
    ///
    /// # Errors
    /// Of class config when a variable is malformed.
    pub fn from_env(run: Arc<Run>) -> Result<Context> {
        Ok(Context::new(Config::from_env()?, run))
    }

    /// Declares a value, so that closures may use it wherever they run: the `…_with` operators pass it to the
    /// closure as its first argument.
    ///
    /// Any type that serde can serialise and deserialise is allowed, if it owns its data: collections, the
    /// types of rows, and structs that derive `Serialize` and `Deserialize`. Share several values as a tuple.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let offset = cx.share(10u64);
    /// assert_eq!(cx.range(0..2).map_with(&offset, |offset, n| n + offset).collect()?, [10, 11]);
    /// # Ok(()) }
    /// ```
    pub fn share<P: Param>(&self, value: P) -> Shared<P> {
        Shared::new(value)
    }

    /// A value that each process creates when a closure first uses it, for values that are expensive to
    /// create and cannot be sent to executors. `make` captures nothing and runs once per process; the value
    /// lives as long as the process.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let squares = cx.lazy(|| (0..1000).map(|n| n * n).collect::<Vec<u64>>());
    /// let rows = cx.range(5..7).map_with(&squares, |squares, n| squares[n as usize]);
    /// assert_eq!(rows.collect()?, [25, 36]);
    /// # Ok(()) }
    /// ```
    pub fn lazy<T, F>(&self, make: F) -> Shared<Lazy<T>>
    where
        T: Send + Sync + 'static,
        F: Fn() -> T + Send + Sync + 'static,
    {
        Shared::new(Lazy::new(make))
    }

    /// A seed for sampling: the same for all tasks, attempts and runs of this program. It is set by
    /// `KILN_SEED`, and derived from the program's name by default.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let some = cx.range(0..1000).sample(false, 0.5, cx.seed());
    /// assert_eq!(some.collect()?, some.collect()?);
    /// # Ok(()) }
    /// ```
    pub fn seed(&self) -> u64 {
        self.0.config.seed
    }

    /// The run that this context reports to.
    pub fn job_run(&self) -> &Arc<Run> {
        &self.0.run
    }

    /// How this context runs its jobs.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Whether both are the same context.
    pub(crate) fn is(&self, other: &Context) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A new number that identifies a source.
    pub(crate) fn new_source(&self) -> u64 {
        self.0.sources.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn new_exchange(&self) -> ExchangeId {
        ExchangeId(self.0.exchanges.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn explain(&self, plan: &Arc<dyn ExecutionPlan>) -> Result<String> {
        Ok(explain(&self.stages(plan, RESULT)?))
    }

    /// The stages that compute `plan`: rows that `persist` keeps are read, not computed.
    fn stages(&self, plan: &Arc<dyn ExecutionPlan>, result: ExchangeId) -> Result<StageGraph> {
        Ok(cut(plan, result, &|exchange| self.keeps(exchange))?)
    }

    /// Whether the rows of `exchange` are kept and complete, as far as the context knows.
    fn keeps(&self, exchange: &ExchangeExec) -> bool {
        exchange.movement == Movement::Keep && self.persisted().computed.contains(&exchange.id)
    }

    /// Runs a job to its end; its rows are then in the exchange `result`.
    ///
    /// If kept rows turn out to be lost, the job fails and is submitted again with the stages that compute
    /// them. So a job need not include all the stages that ever led to kept rows.
    fn submit(
        &self,
        runtime: &Runtime,
        plan: &Arc<dyn ExecutionPlan>,
        result: ExchangeId,
        durable: bool,
    ) -> Result<JobDone> {
        let first = self.stages(plan, result)?;
        let mut outcome = self.submit_stages(runtime, &first, durable);
        let mut kept = first.kept;
        while let Some(lost) = outcome.as_ref().err().and_then(Error::lost)
            && kept.contains(&ExchangeId(lost.exchange))
        {
            self.persisted().computed.remove(&ExchangeId(lost.exchange));
            let again = self.stages(plan, result)?;
            outcome = self.submit_stages(runtime, &again, durable);
            // The outputs of stages that only compute the kept rows are useless to the rest of the action.
            let known: BTreeSet<ExchangeId> = first.stages.iter().map(|stage| stage.output).collect();
            let more =
                again.stages.iter().filter(|stage| !known.contains(&stage.output) && !self.is_kept(stage));
            more.for_each(|stage| runtime.events().send(Event::Release { exchange: stage.output }));
            kept = again.kept;
        }
        outcome
    }

    fn submit_stages(&self, runtime: &Runtime, graph: &StageGraph, durable: bool) -> Result<JobDone> {
        let id = JobId(self.0.jobs.fetch_add(1, Ordering::Relaxed));
        let run = &self.0.run;
        run.progress.job_started(&views(graph), self.source_bytes(graph)?);
        for stage in &graph.stages {
            log::info!("{id}: {} has {} tasks: {}", stage.id, stage.tasks, label(stage));
        }
        let started = Instant::now();
        let stages = graph.stages.iter().cloned().map(Arc::new).collect();
        let submission = runtime.submit(spec(id, graph, durable), stages);
        let stop = runtime.events();
        // A cancel request from before this line is passed on at once, and the driver knows the job by now.
        let _guard = run.cancel.on_request_while(Box::new(move || {
            stop.send(Event::Cancel { job: id, error: Error::job_stopped() });
        }));
        let outcome = submission.wait();
        run.progress.job_ended();
        match &outcome {
            Ok(done) => {
                let (seconds, retries) = (started.elapsed().as_secs_f64(), done.retries);
                log::info!("{id}: done in {seconds:.3} s, {retries} retries");
                run.add_retries(retries);
                self.persisted().add(graph);
            }
            Err(_) => runtime.quiesce(QUIESCE_LIMIT),
        }
        outcome
    }

    /// Drops the rows that `persist` keeps of an exchange, and stops keeping them.
    pub(crate) fn unpersist(&self, exchange: ExchangeId) {
        self.persisted().end(exchange);
        if let Some(runtime) = self.lock().clone() {
            runtime.events().send(Event::Release { exchange });
        }
    }

    /// Whether the output of a stage outlives the action.
    fn is_kept(&self, stage: &Stage) -> bool {
        is_persisted(stage) && !self.persisted().ended.contains(&stage.output)
    }

    /// The bytes that the sources of a job will read, if any; persisted rows are not read again.
    fn source_bytes(&self, graph: &StageGraph) -> Result<Option<u64>> {
        let (mut wanted, mut bytes) = (BTreeSet::<ExchangeId>::new(), 0);
        for stage in graph.stages.iter().rev() {
            let is_result = stage.exchange.is_none();
            if (is_result || wanted.contains(&stage.output))
                && !self.persisted().computed.contains(&stage.output)
            {
                wanted.extend(&stage.inputs);
                self.visit(&stage.plan, &mut |node| {
                    bytes += node.operator.source_bytes();
                    Ok(())
                })?;
            }
        }
        Ok((bytes > 0).then_some(bytes))
    }

    fn persisted(&self) -> MutexGuard<'_, Persisted> {
        self.0.persisted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runtime(&self) -> Result<Arc<Runtime>> {
        let mut runtime = self.lock();
        if let Some(running) = &*runtime {
            return Ok(Arc::clone(running));
        }
        let started = Arc::new(self.start()?);
        *runtime = Some(Arc::clone(&started));
        Ok(started)
    }

    fn start(&self) -> Result<Runtime> {
        // A context that a program created itself must report the position of a panic in a closure, too.
        crate::job::install_panic_hook();
        let (run, config) = (Arc::clone(&self.0.run), &self.0.config);
        memory::sweep(&config.tmp);
        match config.cluster {
            Cluster::Local { slots } => {
                let memory = Memory::new(config.memory, slots, &config.tmp);
                let left = Arc::downgrade(&memory);
                let clear = move || left.upgrade().iter().for_each(|memory| memory.clear());
                let cleanup = run.cleanup.register(Box::new(clear));
                let bytes_read = run.progress.byte_counter();
                let process = Process { bytes_read, memory, batch_rows: config.batch_rows };
                let never = Limits { executor_silence: Duration::MAX, ..Limits::default() };
                Runtime::start(never, run, |events| LocalBackend::start(slots, process, cleanup, events))
            }
            Cluster::LocalCluster { executors, slots } => {
                let command = ExecutorCommand::new(config);
                let reports = Arc::clone(&run);
                Runtime::start(Limits::default(), run, |events| {
                    ClusterBackend::start(executors, slots, &command, &reports, events)
                })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Runtime>>> {
        self.0.runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_persisted(stage: &Stage) -> bool {
    stage.exchange.as_ref().is_some_and(|how| how.movement == Movement::Keep)
}

/// The driver's view of the stages. All outputs but the result are kept until the action ends, since it may
/// consist of several jobs.
fn spec(id: JobId, graph: &StageGraph, durable: bool) -> JobSpec {
    let last = graph.stages.len() - 1;
    let stages = graph.stages.iter().enumerate().map(|(at, stage)| StageSpec {
        id: stage.id,
        output: stage.output,
        inputs: stage.inputs.clone(),
        partitions: u32::try_from(stage.tasks).unwrap_or(u32::MAX),
        durable: durable && at == last,
        keep: at != last,
    });
    JobSpec { id, stages: stages.collect(), kept: graph.kept.iter().copied().collect() }
}

fn views(graph: &StageGraph) -> Vec<StageView> {
    let view = |stage: &Stage| StageView { id: stage.id.0, label: label(stage), tasks: stage.tasks as u32 };
    graph.stages.iter().map(view).collect()
}

/// The name of the last operator of a stage that has one.
fn label(stage: &Stage) -> String {
    let mut next = Some(&stage.plan);
    while let Some(plan) = next {
        let steps = plan.downcast_ref::<OperatorExec>().map(|node| node.operator.steps());
        if let Some(step) = steps.and_then(|mut steps| steps.pop()) {
            return step.name;
        }
        next = plan.children().into_iter().next();
    }
    "read".to_owned()
}
