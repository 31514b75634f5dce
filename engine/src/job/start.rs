//! What `#[kiln::main]` calls: from the process's start to its exit code.

use std::process::ExitCode;

use super::{execute, init_logging, install_panic_hook, install_signals, parse_args, streams};
use crate::cluster::{executor_main, executor_requested};
use crate::context::Context;
use crate::error::Result;

/// Runs a job whose main function takes arguments.
pub fn start<A: clap::Parser>(main: fn(Context, A) -> Result<()>) -> ExitCode {
    begin(main)
}

/// Runs a job whose main function takes none; the command line has Kiln's options only.
pub fn start_without_args(main: fn(Context) -> Result<()>) -> ExitCode {
    #[derive(clap::Parser)]
    struct NoArgs {}
    begin(|cx, _: NoArgs| main(cx))
}

/// Becomes an executor and never returns, if a driver has started this process as one; else does
/// nothing.
///
/// `#[kiln::main]` calls it before any code of the job. A program with a `main` of its own calls it
/// first; a test binary has a test that does nothing else, and names it in
/// [`Config::executor_args`](crate::Config::executor_args).
pub fn run_as_executor_if_asked() {
    if executor_requested() {
        executor_main();
    }
}

fn begin<A: clap::Parser>(main: impl FnOnce(Context, A) -> Result<()>) -> ExitCode {
    run_as_executor_if_asked();
    install_panic_hook();
    init_logging();
    let (run, args) = match parse_args::<A>() {
        Ok(parsed) => parsed,
        Err(code) => return code.into(),
    };
    streams::protect();
    let code = execute(run.clone(), || {
        install_signals(&run)?;
        main(Context::from_env(run.clone())?, args)
    });
    code.into()
}
