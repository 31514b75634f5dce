"""Writes a table with partition values that are null or odd, deletes rows, and leaves its last checkpoint alone."""

import glob
import os
import sys

import pyarrow
from deltalake import DeltaTable, write_deltalake

path = sys.argv[1]
cities = ["a/b c%d", None, "Zürich=é"]
for first in range(12):
    numbers = pyarrow.array([first, first + 1, first + 2], pyarrow.int64())
    rows = pyarrow.table({"city": cities, "n": numbers})
    write_deltalake(path, rows, partition_by=["city"], mode="append")
table = DeltaTable(path)
table.delete("n = 3")
table.create_checkpoint()
versions = sorted(glob.glob(f"{path}/_delta_log/*.json"))
for version in versions[:-1]:
    os.remove(version)
