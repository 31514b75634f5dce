//! The functions that `#[kiln::main]` calls, from the start of the process to its exit code.

use std::process::ExitCode;

use super::{execute, init_logging, install_panic_hook, install_signals, parse_args, streams};
use crate::cluster::{executor_main, executor_requested};
use crate::context::Context;
use crate::error::Result;

/// Runs a job whose main function has arguments.
pub fn start<A: clap::Parser>(main: fn(Context, A) -> Result<()>) -> ExitCode {
    begin(main)
}

/// Runs a job whose main function has no arguments. The command line has only Kiln's options.
pub fn start_without_args(main: fn(Context) -> Result<()>) -> ExitCode {
    #[derive(clap::Parser)]
    struct NoArgs {}
    begin(|cx, _: NoArgs| main(cx))
}

/// Turns this process into an executor and never returns, if a driver has started it as one. Otherwise
/// does nothing.
///
/// `#[kiln::main]` calls it before any code of the job. A program with its own `main` calls it first. A
/// test binary has a test that only calls this, and names that test in
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
