//! Ten maps as ten closures of a job.

use kiln::{Context, Result};

use super::steps::*;

/// The wrapping sum of `0..rows` after ten maps.
///
/// Fails when the job fails.
#[allow(clippy::redundant_closure, reason = "ten closures are what is measured")]
pub fn run(cx: &Context, rows: u64) -> Result<u64> {
    let mapped = cx.range(0..rows).map(|x| step_0(x)).map(|x| step_1(x)).map(|x| step_2(x));
    let mapped = mapped.map(|x| step_3(x)).map(|x| step_4(x)).map(|x| step_5(x)).map(|x| step_6(x));
    let mapped = mapped.map(|x| step_7(x)).map(|x| step_8(x)).map(|x| step_9(x));
    Ok(mapped.reduce(u64::wrapping_add)?.unwrap_or(0))
}
