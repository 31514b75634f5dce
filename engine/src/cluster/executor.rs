//! An executor process, from start to exit.
//!
//! The process enters here before any user code and never reaches the job's `main`: it only runs what its
//! driver sends. Its lifetime is bound to the driver's: when the message stream or the pipe on standard input
//! ends, the driver has exited, and nobody needs the executor's outputs any more.

use std::io::{BufRead, Read};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Builder;
use std::time::Duration;

use kiln_proto::v1::driver_client::DriverClient;
use kiln_proto::v1::driver_message::Kind as FromDriver;
use kiln_proto::v1::executor_message::Kind;
use kiln_proto::v1::{DriverMessage, ExecutorMessage, Heartbeat, Hello};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::duties::Duties;
use super::handshake::Identity;
use super::net::{self, MAX_MESSAGE_BYTES};
use super::peers::FlightPeers;
use super::process::{BATCH_ROWS, DRIVER, EXECUTOR, SLOTS};
use super::token::Token;
use super::{flight, wire};
use crate::config::{MEMORY, TMP};
use crate::driver::ExecutorId;
use crate::error::{Error, Result};
use crate::job;
use crate::memory::Memory;
use crate::runtime::{Process, Worker};

/// Threads for network I/O; tasks have their own.
const IO_THREADS: usize = 2;
/// The interval of the heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The capacity of the outbox; when it is full, the slots block.
const OUTBOX_MESSAGES: usize = 1024;
/// The exit code of an executor whose driver has exited.
const DRIVER_IS_GONE: i32 = 75;

/// Whether this process was started as an executor. If so, [`executor_main`] must be called before any code
/// of the job.
pub fn executor_requested() -> bool {
    std::env::var_os(EXECUTOR).is_some()
}

/// Runs this process as an executor until its driver exits, then exits.
pub fn executor_main() -> ! {
    job::install_panic_hook();
    job::init_logging();
    let code = run().unwrap_or_else(|error| {
        log::error!("an executor ends: {error}");
        i32::from(error.class().exit_code())
    });
    std::process::exit(code)
}

/// The settings from the environment and from standard input.
struct Settings {
    me: ExecutorId,
    driver_address: String,
    slots: usize,
    token: Token,
    memory: u64,
    tmp: PathBuf,
    batch_rows: usize,
}

fn run() -> Result<i32> {
    let flag = Arc::new(AtomicBool::new(false));
    // Handled, but ignored: Ctrl-C is meant for the driver.
    signal_hook::flag::register(signal_hook::consts::SIGINT, flag)
        .map_err(|e| Error::io("signals cannot be handled", e))?;
    let settings = Settings {
        me: ExecutorId(variable(EXECUTOR)?),
        driver_address: variable(DRIVER)?,
        slots: variable(SLOTS)?,
        token: token()?,
        memory: variable(MEMORY)?,
        tmp: variable(TMP)?,
        batch_rows: variable(BATCH_ROWS)?,
    };
    end_with_stdin()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(IO_THREADS)
        .thread_name("kiln-io")
        .enable_all()
        .build()
        .map_err(|e| Error::io("the threads for sockets cannot be started", e))?;
    let outcome = runtime.block_on(serve(settings));
    runtime.shutdown_background();
    outcome
}

fn variable<T: FromStr>(name: &str) -> Result<T> {
    let text = std::env::var(name).ok();
    let value = text.and_then(|text| text.parse().ok());
    value.ok_or_else(|| {
        Error::bug(format!("{name} is missing or malformed: only a driver can start an executor"))
    })
}

fn token() -> Result<Token> {
    let mut line = String::new();
    let stdin = std::io::stdin().lock().take(1 << 10).read_line(&mut line);
    stdin.map_err(|e| Error::io("standard input cannot be read", e))?;
    Token::from_line(&line)
}

/// Exits when standard input ends, whatever the other threads are doing.
fn end_with_stdin() -> Result<()> {
    let watch = || {
        let mut bytes = [0; 64];
        let mut stdin = std::io::stdin().lock();
        while !matches!(stdin.read(&mut bytes), Ok(0) | Err(_)) {}
        // Not `exit`, which may wait for something that another thread holds.
        signal_hook::low_level::exit(DRIVER_IS_GONE)
    };
    let thread = Builder::new().name("kiln-lease".to_owned()).spawn(watch);
    thread.map(drop).map_err(|e| Error::io("the thread that watches the driver cannot be started", e))
}

/// Attaches to the driver and handles its messages; returns the exit code.
async fn serve(settings: Settings) -> Result<i32> {
    let (outbox, inbox) = channel(OUTBOX_MESSAGES);
    let bytes_read = Arc::<AtomicU64>::default();
    let memory = Memory::new(settings.memory, settings.slots, &settings.tmp);
    let (counter, batch_rows) = (Arc::clone(&bytes_read), settings.batch_rows);
    let process = Process { bytes_read: counter, memory: Arc::clone(&memory), batch_rows };
    let worker = Arc::new(worker(settings.slots, process, outbox.clone())?);
    let flight_address = serve_outputs(&worker, &settings.token)?;
    say(&outbox, Kind::Hello(hello(&settings, flight_address)?)).await;
    let mut inbound = attach(&settings, inbox).await?;
    match next(&mut inbound).await {
        Some(FromDriver::Welcome(_)) => {}
        // The driver has the reason and shows it to the user.
        Some(FromDriver::Refused(_)) => return Ok(i32::from(crate::error::Class::Config.exit_code())),
        _ => return Ok(DRIVER_IS_GONE),
    }
    tokio::spawn(heartbeats(outbox.clone(), bytes_read));
    let peers = Arc::new(FlightPeers::new(Handle::current(), &settings.token)?);
    let mut duties = Duties::new(settings.me, worker, peers, outbox);
    while let Some(kind) = next(&mut inbound).await {
        if duties.carry_out(Some(kind)).await?.is_break() {
            // The process exits next without running destructors.
            memory.clear();
            return Ok(0);
        }
    }
    Ok(DRIVER_IS_GONE)
}

fn worker(slots: usize, process: Process, outbox: Sender<ExecutorMessage>) -> Result<Worker> {
    Worker::new(slots, process, move |task, outcome| {
        let kind = Kind::TaskStatus(wire::status(task, &outcome));
        let _ = outbox.blocking_send(ExecutorMessage { kind: Some(kind) });
    })
}

/// Serves the worker's outputs and returns the address.
fn serve_outputs(worker: &Worker, token: &Token) -> Result<String> {
    let (incoming, address) = net::listen()?;
    let service = flight::service(Arc::clone(worker.store()), token);
    tokio::spawn(async move {
        if let Err(e) = net::server().add_service(service).serve_with_incoming(incoming).await {
            log::error!("the outputs of this executor cannot be reached any more: {e}");
        }
    });
    Ok(address.to_string())
}

fn hello(settings: &Settings, flight_address: String) -> Result<Hello> {
    let identity = Identity::own()?;
    Ok(Hello {
        protocol_version: identity.protocol_version,
        binary_hash: identity.binary_hash,
        table_fingerprint: identity.table_fingerprint,
        table_length: identity.table_length,
        executor: settings.me.0,
        slots: settings.slots as u32,
        flight_address,
        pid: std::process::id(),
    })
}

async fn attach(settings: &Settings, inbox: Receiver<ExecutorMessage>) -> Result<Streaming<DriverMessage>> {
    let channel = net::endpoint(&settings.driver_address)?
        .connect()
        .await
        .map_err(|e| Error::transient("the driver cannot be reached").because(e))?;
    let mut client = DriverClient::with_interceptor(channel, settings.token.shown()?)
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let refused = |status: Status| Error::config(format!("the driver refuses: {}", status.message()));
    Ok(client.attach(numbered(inbox)).await.map_err(refused)?.into_inner())
}

/// Numbers the statuses where only one passes at a time, because slots finish concurrently.
fn numbered(inbox: Receiver<ExecutorMessage>) -> impl futures::Stream<Item = ExecutorMessage> {
    let mut sequence = 0;
    ReceiverStream::new(inbox).map(move |mut message| {
        if let Some(Kind::TaskStatus(status)) = &mut message.kind {
            sequence += 1;
            status.sequence = sequence;
        }
        message
    })
}

/// The next message of the driver; `None` if its stream has ended or broken, or if the message has no kind.
async fn next(inbound: &mut Streaming<DriverMessage>) -> Option<FromDriver> {
    inbound.message().await.ok().flatten()?.kind
}

async fn heartbeats(outbox: Sender<ExecutorMessage>, bytes_read: Arc<AtomicU64>) {
    let mut clock = tokio::time::interval(HEARTBEAT);
    loop {
        clock.tick().await;
        let bytes_read_delta = bytes_read.swap(0, Ordering::Relaxed);
        say(&outbox, Kind::Heartbeat(Heartbeat { bytes_read_delta })).await;
    }
}

async fn say(outbox: &Sender<ExecutorMessage>, kind: Kind) {
    let _ = outbox.send(ExecutorMessage { kind: Some(kind) }).await;
}
