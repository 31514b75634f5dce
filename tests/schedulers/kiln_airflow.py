"""A Kiln job as a task of Airflow: nothing is set, as Airflow exports the run and the number of the try."""

import os
from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG("kiln", schedule=None, is_paused_upon_creation=False):
    BashOperator(
        task_id="publish",
        bash_command='exec sh "$KILN_TEST_SCRIPT" "$KILN_TEST_DESK"',
        env={"KILN_TEST_DESK": "{{ dag_run.conf['desk'] }}"},
        append_env=True,
        retries=2,
        retry_delay=timedelta(seconds=int(os.environ["KILN_TEST_RETRY_SECONDS"])),
    )
