"""Prints the rows and their sum, as deltalake and polars read a table: of its latest version and of version 0."""

import sys

import polars
from deltalake import DeltaTable

path = sys.argv[1]
latest, first = DeltaTable(path), DeltaTable(path, version=0)
for table in (latest, first):
    numbers = table.to_pyarrow_table()["n"].to_pylist()
    print(len(numbers), sum(numbers))
frame = polars.read_delta(path)
print(frame.height, frame["n"].sum())
