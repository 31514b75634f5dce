"""Looks at a table again and again, and fails when a look is not one whole version, or an older one than before.

`read_in_loop.py READER URI MODE ROWS STEP STOP`: every publish has ROWS numbers from a multiple of STEP on. Ends once the
file STOP is there, and prints the number of looks.
"""

import glob
import os
import site
import sys
from collections import Counter

S3 = {
    "AWS_ENDPOINT_URL": os.environ.get("AWS_ENDPOINT", ""),
    "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": os.environ.get("AWS_REGION", ""),
    "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", ""),
    "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", ""),
}


def deltalake(uri, options):
    from deltalake import DeltaTable

    return lambda: DeltaTable(uri, storage_options=options).to_pyarrow_table(columns=["n"])["n"].to_pylist()


def polars(uri, options):
    import polars

    return lambda: polars.scan_delta(uri, storage_options=options).select("n").collect()["n"].to_list()


def duckdb(uri, options):
    """DuckDB with its extension for Delta, which has a reader of the log of its own."""
    import duckdb

    connection = duckdb.connect()
    for name in ("delta", "httpfs"):
        pattern = f"{site.getsitepackages()[0]}/duckdb_ext/extensions/*/*/{name}.duckdb_extension"
        connection.execute(f"LOAD '{glob.glob(pattern)[0]}'")
    if options:
        endpoint = options["AWS_ENDPOINT_URL"].removeprefix("http://")
        key, secret = options["AWS_ACCESS_KEY_ID"], options["AWS_SECRET_ACCESS_KEY"]
        connection.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID '{key}', SECRET '{secret}', ENDPOINT '{endpoint}', "
            "REGION 'us-east-1', USE_SSL false, URL_STYLE 'path')"
        )
    query = f"SELECT n FROM delta_scan('{uri}')"
    return lambda: [n for (n,) in connection.execute(query).fetchall()]


def check(numbers, mode, rows, step, before):
    """The publishes that are seen."""
    counts = Counter(n // step for n in numbers)
    assert all(count == rows for count in counts.values()), f"a part of a publish: {counts}"
    assert len(set(numbers)) == len(numbers), f"rows twice: {counts}"
    assert mode == "append" or len(counts) == 1, f"not one publish: {counts}"
    seen = set(counts)
    older = before - seen if mode == "append" else {p for p in before if p > max(seen)}
    assert not older, f"an older version than before: {seen} after {before}"
    return seen


def main(reader, uri, mode, rows, step, stop):
    options = S3 if uri.startswith("s3://") else None
    look = {"deltalake": deltalake, "polars": polars, "duckdb": duckdb}[reader](uri, options)
    looks, seen = 0, set()
    while not os.path.exists(stop):
        seen = check(look(), mode, int(rows), int(step), seen)
        looks += 1
    print(looks, len(seen), flush=True)
    # Without the end of the libraries' threads: deltalake's may abort the process there.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
