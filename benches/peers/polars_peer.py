"""The benchmarks' work on Polars, lazily and on its streaming engine."""

import os
import sys

# Read when the library is loaded.
os.environ["POLARS_MAX_THREADS"] = sys.argv[4]

import polars as pl

import peer

TYPES = {"BIGINT": pl.Int64, "INTEGER": pl.Int32, "DOUBLE": pl.Float64, "VARCHAR": pl.String, "BOOLEAN": pl.Boolean}


def collect(frame):
    return frame.collect(engine="streaming")


def word_count(_, source, __):
    lines = pl.scan_csv(source, separator="\x01", has_header=False, quote_char=None, schema={"line": pl.String})
    words = lines.select(pl.col("line").str.split(" ").explode().alias("word"))
    counts = collect(words.group_by("word").agg(pl.len().alias("n")))
    top = counts.lazy().top_k(peer.TOP_WORDS * 2, by="n").sort(["n", "word"], descending=[True, False])
    top = top.head(peer.TOP_WORDS).collect().rows()
    return peer.counts(counts.height, counts["n"].sum(), top)


def sort(_, source, output):
    pl.scan_parquet(f"{source}/*.parquet").sort("key").sink_parquet(peer.part(output), compression="snappy")


def join(_, source, __):
    left, right = (pl.scan_parquet(f"{source}/{side}/*.parquet") for side in ("left", "right"))
    sums = left.join(right, on="key").group_by("segment").agg(pl.len(), pl.col("amount").sum())
    return peer.segments(collect(sums).rows())


def group(_, source, __):
    sums = pl.scan_parquet(f"{source}/*.parquet").group_by("key").agg(pl.col("value").sum())
    total = pl.col("value")
    return peer.sums(*collect(sums.select(pl.len(), total.sum().alias("s"), (total * total).sum().alias("q"))).row(0))


def csv_to_parquet(_, source, output):
    schema = {name: TYPES[kind] for name, kind in peer.ORDERS.items()}
    pl.scan_csv(f"{source}/*.csv", schema=schema).sink_parquet(peer.part(output), compression="snappy")


peer.main(lambda slots: None, {"word-count": word_count, "sort": sort, "join": join, "group": group,
                               "csv-to-parquet": csv_to_parquet})
