#!/bin/sh
# Installs the schedulers of the suite `schedulers` into the folder of the first argument, each into an environment of its
# own: 450 MB. The constraints are what pip chose for Airflow on 2026-11-28; Airflow's own file is not on PyPI.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
install() {
    name=$1
    shift
    python3 -m venv "$folder/$name"
    "$folder/$name/bin/pip" install --quiet "$@"
}
install airflow apache-airflow==3.3.2 --constraint "$here/airflow-constraints.txt"
install luigi luigi==3.8.1
install dagster dagster==1.13.29
install metaflow metaflow==2.19.39
