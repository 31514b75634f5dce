//! Converts the engine's ids, inputs and statuses to protobuf messages and back.
//!
//! Protobuf lets every message field be absent. A missing part is an error here and never a default, or a
//! task 0 that nobody asked for would run.

use kiln_planner::{ExchangeId, StageId};
use kiln_proto::v1::{self, task_status::Outcome};

use crate::driver::{Attempt, ExecutorId, JobId, Located, Partition, TaskId, TaskInput, TaskReport};
use crate::error::{Error, Result};

pub(super) fn task(id: TaskId) -> v1::TaskId {
    v1::TaskId { job: id.job.0, stage: id.stage.0, partition: id.partition.0, attempt: id.attempt.0 }
}

pub(super) fn read_task(id: Option<v1::TaskId>) -> Result<TaskId> {
    let id = id.ok_or_else(|| incomplete("a task's id"))?;
    Ok(TaskId {
        job: JobId(id.job),
        stage: StageId(id.stage),
        partition: Partition(id.partition),
        attempt: Attempt(id.attempt),
    })
}

pub(super) fn inputs(inputs: &[TaskInput]) -> Vec<v1::TaskInput> {
    let source = |at: &Located| v1::Source {
        partition: at.partition.0,
        attempt: at.attempt.0,
        executor: at.executor.0,
    };
    let input = |input: &TaskInput| v1::TaskInput {
        exchange: input.exchange.0,
        sources: input.sources.iter().map(source).collect(),
    };
    inputs.iter().map(input).collect()
}

pub(super) fn read_inputs(inputs: Vec<v1::TaskInput>) -> Vec<TaskInput> {
    let located = |at: v1::Source| Located {
        partition: Partition(at.partition),
        attempt: Attempt(at.attempt),
        executor: ExecutorId(at.executor),
    };
    let input = |input: v1::TaskInput| TaskInput {
        exchange: ExchangeId(input.exchange),
        sources: input.sources.into_iter().map(located).collect(),
    };
    inputs.into_iter().map(input).collect()
}

/// The outcome of a task; its sequence number is set when the status is sent.
pub(super) fn status(id: TaskId, outcome: &Result<TaskReport>) -> v1::TaskStatus {
    let outcome = match outcome.as_ref().map(postcard::to_stdvec) {
        Ok(Ok(report)) => Outcome::Report(report.into()),
        Ok(Err(e)) => Outcome::Error(unwritable(e).to_wire().into()),
        Err(error) => Outcome::Error(error.to_wire().into()),
    };
    v1::TaskStatus { sequence: 0, task: Some(task(id)), outcome: Some(outcome) }
}

pub(super) fn read_status(status: v1::TaskStatus) -> Result<(TaskId, Result<TaskReport>)> {
    let outcome = match status.outcome.ok_or_else(|| incomplete("a task's outcome"))? {
        Outcome::Report(bytes) => postcard::from_bytes(&bytes)
            .map_err(|e| Error::bug("a task's report cannot be decoded").because(e)),
        Outcome::Error(bytes) => Err(Error::from_wire(&bytes)),
    };
    Ok((read_task(status.task)?, outcome))
}

fn unwritable(cause: postcard::Error) -> Error {
    Error::bug("a task's report cannot be encoded").because(cause)
}

fn incomplete(what: &str) -> Error {
    Error::bug(format!("a message lacks {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::LostOutput;

    const TASK: TaskId =
        TaskId { job: JobId(7), stage: StageId(2), partition: Partition(14), attempt: Attempt(1) };

    #[test]
    fn a_success_arrives_as_it_was_sent() {
        let (counters, accumulated) = (vec![(0, 5)], vec![(1, vec![9])]);
        let report = TaskReport { rows: 3, bytes: 24, counters, accumulated, payload: vec![1, 2] };
        let (task, outcome) = read_status(status(TASK, &Ok(report.clone()))).unwrap();
        assert_eq!((task, outcome.unwrap()), (TASK, report));
    }

    #[test]
    fn a_lost_input_stays_a_lost_input_across_the_wire() {
        let lost = LostOutput { exchange: 3, executor: 1 };
        let sent = status(TASK, &Err(Error::lost_output("gone", lost)));
        assert_eq!(read_status(sent).unwrap().1.unwrap_err().lost(), Some(lost));
    }

    #[test]
    fn inputs_arrive_in_their_order() {
        let at = |p| Located { partition: Partition(p), attempt: Attempt(0), executor: ExecutorId(p % 2) };
        let sent = vec![TaskInput { exchange: ExchangeId(5), sources: [at(0), at(1), at(2)].into() }];
        assert_eq!(read_inputs(inputs(&sent)), sent);
    }

    #[test]
    fn a_status_without_a_task_is_an_error_and_no_task_0() {
        let status = v1::TaskStatus { task: None, ..status(TASK, &Ok(TaskReport::default())) };
        assert_eq!(read_status(status).unwrap_err().to_string(), "a message lacks a task's id");
    }
}
