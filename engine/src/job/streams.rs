//! Standard output and error that never fail, because a lost stream should not fail a job.
//!
//! `println!` panics when a write fails, so `| head -1` or a full disk would turn a published job into
//! a bug. Each stream that is not a terminal is therefore replaced by a pipe. A thread copies the pipe
//! to the real stream and drops data that the stream rejects. Before the report, and at every other
//! exit, the real streams are restored and the rest of the pipes is copied, so the last line stays the
//! last line. If both streams have the same target, they share one pipe, so their lines keep their
//! order. Output of the last instant before SIGKILL may be lost.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, TryLockError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::stdio::{dup2_stderr, dup2_stdout};
use signal_hook::consts::SIGABRT;

use super::lock;

/// How long a reader that reads nothing may delay the end of a job.
pub(super) const STUCK_LIMIT: Duration = Duration::from_secs(60);
/// How long an abort waits until its message is copied.
const ABORT_PAUSE: Duration = Duration::from_millis(20);
/// Size of one read: the capacity of a pipe.
const BLOCK_BYTES: usize = 1 << 16;
/// Device number of `/dev/null` on Linux, which accepts every write.
const NULL_DEVICE: u64 = 0x103;

/// The streams of this process that are replaced by a pipe.
static STREAMS: OnceLock<Vec<Stream>> = OnceLock::new();

/// A pipe and the real stream to which it is copied.
struct Stream {
    pipe: PipeReader,
    real: File,
    is_stdout: bool,
    is_stderr: bool,
    /// Whether the real stream has rejected a write. The lock is held while copying.
    is_lost: Mutex<bool>,
    /// Number of writes to the real stream, which distinguishes a slow reader from a stuck one.
    writes: AtomicU64,
}

/// Whether a pipe may hold more data.
#[derive(PartialEq, Eq)]
enum Left {
    Perhaps,
    Nothing,
    /// The pipe is empty and has no writer.
    Closed,
}

/// Protects the streams of this process. Call it once, before the job's own code. On an error the
/// streams stay unchanged.
pub(super) fn protect() {
    let Ok(streams) = streams() else { return };
    if streams.is_empty() || STREAMS.set(streams).is_err() {
        return;
    }
    for stream in STREAMS.get().into_iter().flatten() {
        // One thread per stream, so that a stuck reader of one does not delay the other.
        if Builder::new().name("kiln-streams".to_owned()).spawn(|| stream.copy_all()).is_err() {
            return restore(Duration::ZERO);
        }
    }
    // SAFETY: `at_exit` has the type that C expects and catches its panics. It runs while other threads
    // still run, and locks guard the data that it shares with them.
    unsafe { libc::atexit(at_exit) };
    // SAFETY: the action sleeps and restores the default, which `signal-hook` documents as allowed in a handler.
    let _ = unsafe { signal_hook::low_level::register(SIGABRT, at_abort) };
}

/// Restores the real streams and copies the rest of the pipes, unless a reader reads nothing for
/// `limit`. Later calls find nothing to copy.
pub(super) fn restore(limit: Duration) {
    for stream in STREAMS.get().into_iter().flatten() {
        stream.restore(limit);
    }
}

extern "C" fn at_exit() {
    let _ = std::panic::catch_unwind(|| restore(STUCK_LIMIT));
}

/// Waits until the message of the abort is copied by a thread that ends with the process.
fn at_abort() {
    std::thread::sleep(ABORT_PAUSE);
    let _ = signal_hook::low_level::emulate_default_handler(SIGABRT);
}

fn streams() -> io::Result<Vec<Stream>> {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let out = target(stdout.as_fd(), stdout.is_terminal());
    let err = target(stderr.as_fd(), stderr.is_terminal());
    let is_same = |a: &File, b: &File| {
        let id = |file: &File| file.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
        id(a).is_some() && id(a) == id(b)
    };
    match (out, err) {
        (Some(out), Some(err)) if is_same(&out, &err) => Ok(vec![Stream::begin(out, true, true)?]),
        (out, err) => {
            let out = out.map(|real| Stream::begin(real, true, false));
            let err = err.map(|real| Stream::begin(real, false, true));
            out.into_iter().chain(err).collect()
        }
    }
}

/// The real stream, if it may fail: not a terminal and not `/dev/null`.
fn target(fd: BorrowedFd<'_>, is_terminal: bool) -> Option<File> {
    let real = File::from(fd.try_clone_to_owned().ok().filter(|_| !is_terminal)?);
    let meta = real.metadata().ok()?;
    let is_null = meta.file_type().is_char_device() && meta.rdev() == NULL_DEVICE;
    (!is_null).then_some(real)
}

impl Stream {
    /// Replaces the stream with a pipe.
    fn begin(real: File, is_stdout: bool, is_stderr: bool) -> io::Result<Stream> {
        let (pipe, writer): (PipeReader, PipeWriter) = io::pipe()?;
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        let (is_lost, writes) = (Mutex::new(false), AtomicU64::new(0));
        let stream = Stream { pipe, real, is_stdout, is_stderr, is_lost, writes };
        stream.become_streams(&writer)?;
        Ok(stream)
    }

    fn become_streams(&self, fd: impl AsFd) -> io::Result<()> {
        if self.is_stdout {
            dup2_stdout(&fd)?;
        }
        if self.is_stderr {
            dup2_stderr(&fd)?;
        }
        Ok(())
    }

    /// Copies until the process ends or the pipe has no writer left.
    fn copy_all(&self) {
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let waited = poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], None);
            let is_over = self.copy(&mut lock(&self.is_lost), &mut block) == Left::Closed;
            if is_over || waited.is_err_and(|error| error != rustix::io::Errno::INTR) {
                return;
            }
        }
    }

    fn restore(&self, limit: Duration) {
        let _ = self.become_streams(&self.real);
        let Some(mut is_lost) = self.lock_unless_stuck(limit) else { return };
        let mut block = vec![0; BLOCK_BYTES];
        while self.copy(&mut is_lost, &mut block) == Left::Perhaps {}
    }

    /// Locks the stream for copying, unless its reader has read nothing for `limit`.
    fn lock_unless_stuck(&self, limit: Duration) -> Option<MutexGuard<'_, bool>> {
        let (mut seen, mut since) = (self.writes.load(Ordering::Relaxed), Instant::now());
        loop {
            match self.is_lost.try_lock() {
                Ok(is_lost) => return Some(is_lost),
                Err(TryLockError::Poisoned(is_lost)) => return Some(is_lost.into_inner()),
                Err(TryLockError::WouldBlock) => {}
            }
            let writes = self.writes.load(Ordering::Relaxed);
            if writes != seen {
                (seen, since) = (writes, Instant::now());
            } else if since.elapsed() > limit {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Copies one block.
    fn copy(&self, is_lost: &mut bool, block: &mut [u8]) -> Left {
        match (&self.pipe).read(block) {
            Ok(0) => Left::Closed,
            Ok(count) => {
                self.write(is_lost, &block[..count]);
                Left::Perhaps
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Left::Perhaps,
            Err(_) => Left::Nothing,
        }
    }

    fn write(&self, is_lost: &mut bool, mut bytes: &[u8]) {
        while !bytes.is_empty() && !*is_lost {
            match (&self.real).write(bytes) {
                Ok(count) if count > 0 => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The caller's end of the stream is non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let _ = poll(&mut [PollFd::new(&self.real, PollFlags::OUT)], None);
                }
                Ok(_) | Err(_) => *is_lost = true,
            }
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
    }
}
