"""A Kiln job as an op of Dagster: by Pipes, which passes run and retry, or by what survives that a run is executed again.

`python kiln_dagster.py DESK pipes|root [again]`; `again` executes the last run again.
"""

import os
import subprocess
import sys

import dagster
from dagster import Config, OpExecutionContext, PipesSubprocessClient, RetryPolicy

RETRIES = RetryPolicy(max_retries=2, delay=int(os.environ["KILN_TEST_RETRY_SECONDS"]))


class Task(Config):
    desk: str

    def command(self):
        return ["sh", os.environ["KILN_TEST_SCRIPT"], self.desk]


@dagster.op(retry_policy=RETRIES)
def by_pipes(context: OpExecutionContext, config: Task, pipes: PipesSubprocessClient):
    pipes.run(command=config.command(), context=context)


@dagster.op(retry_policy=RETRIES)
def by_root(context: OpExecutionContext, config: Task):
    root = context.run.root_run_id or context.run_id
    env = {**os.environ, "KILN_RUN_ID": f"{root}/{context.op.name}"}
    subprocess.run(config.command(), env=env, check=True)


@dagster.job(resource_defs={"pipes": PipesSubprocessClient()})
def pipes():
    by_pipes()


@dagster.job
def root():
    by_root()


def main(desk, name, again=None):
    job = {"pipes": pipes, "root": root}[name]
    with dagster.DagsterInstance.get() as instance:
        options = None
        if again:
            last = instance.get_run_records(limit=1)[0].dagster_run.run_id
            options = dagster.ReexecutionOptions(parent_run_id=last)
        result = dagster.execute_job(
            dagster.reconstructable(job),
            instance,
            run_config={"ops": {f"by_{name}": {"config": {"desk": desk}}}},
            reexecution_options=options,
        )
        return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
