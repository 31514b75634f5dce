"""A Kiln job as a task of Luigi: the task's id, which its parameters make, is the run id."""

import os

import luigi
from luigi.contrib.external_program import ExternalProgramTask


class Publish(ExternalProgramTask):
    desk = luigi.Parameter()
    # Runs the job again although the output is there; it is the same task, and so the same run.
    again = luigi.BoolParameter(significant=False)
    retry_count = 3

    def program_args(self):
        return ["sh", os.environ["KILN_TEST_SCRIPT"], self.desk]

    def program_environment(self):
        return {**os.environ, "KILN_RUN_ID": self.task_id}

    def output(self):
        return luigi.LocalTarget(f"{self.desk}/out/rows/_SUCCESS")

    def complete(self):
        return not self.again and super().complete()
