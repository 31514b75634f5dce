#!/bin/sh
# Installs the readers and writers of Delta tables that the suite `delta` uses into the folder of the first argument.
set -eu
python3 -m venv "$1"
"$1/bin/pip" install --quiet deltalake==1.6.6 polars==2.1.0 pyarrow==26.0.1 duckdb==1.4.4 \
    duckdb-ext-delta==1.4.4.20260205 duckdb-ext-httpfs==1.4.4.20260205
