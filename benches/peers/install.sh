#!/bin/sh
# Installs the engines that `kiln-benches peers` compares with, from PyPI, into a folder of their own.
# PySpark also needs a Java runtime, 17 or later, on the PATH.
set -eu
folder="${TMPDIR:-/tmp}/kiln-bench-peers"
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet duckdb polars datafusion numpy pyarrow pyspark
"$folder/bin/pip" list 2>/dev/null | grep -i -E '^(duckdb|polars|datafusion|numpy|pyarrow|pyspark) '
