"""A Kiln job as a step of Metaflow: its run id is the task's, or a name that `resume` keeps, as it keeps parameters."""

import os
import subprocess

from metaflow import FlowSpec, Parameter, current, retry, step


class KilnFlow(FlowSpec):
    desk = Parameter("desk", required=True)
    run_name = Parameter("run_name", default="")

    @step
    def start(self):
        self.next(self.publish)

    @retry(times=2, minutes_between_retries=0)
    @step
    def publish(self):
        if self.run_name:
            identity = {"KILN_RUN_ID": f"{self.run_name}/{current.step_name}"}
        else:
            identity = {"KILN_RUN_ID": current.pathspec, "KILN_ATTEMPT": str(current.retry_count)}
        command = ["sh", os.environ["KILN_TEST_SCRIPT"], self.desk]
        # Metaflow waits for all who hold the streams of a killed task, before it tries again.
        with open(f"{self.desk}/log", "ab") as log:
            subprocess.run(command, env={**os.environ, **identity}, stdout=log, stderr=log, check=True)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    KilnFlow()
