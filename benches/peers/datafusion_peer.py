"""The benchmarks' work on DataFusion, in SQL."""

import os

import pyarrow as pa
from datafusion import SessionConfig, SessionContext

import peer

TYPES = {"BIGINT": pa.int64(), "INTEGER": pa.int32(), "DOUBLE": pa.float64(), "VARCHAR": pa.string(),
         "BOOLEAN": pa.bool_()}


def start(slots):
    return SessionContext(SessionConfig().with_target_partitions(slots))


def rows(frame):
    """All rows as tuples."""
    return [tuple(row.values()) for batch in frame.collect() for row in batch.to_pylist()]


def word_count(cx, source, _):
    cx.register_csv("text", source, schema=pa.schema([("line", pa.string())]), has_header=False,
                    delimiter="\x01", file_extension=os.path.splitext(source)[1])
    counts = cx.sql("""
        SELECT word, count(*) AS n FROM (SELECT unnest(string_to_array(line, ' ')) AS word FROM text)
        GROUP BY word""").cache()
    cx.register_view("counts", counts)
    [(distinct, total)] = rows(cx.sql("SELECT count(*), sum(n) FROM counts"))
    return peer.counts(distinct, total, rows(
        cx.sql(f"SELECT word, n FROM counts ORDER BY n DESC, word LIMIT {peer.TOP_WORDS}")))


def sort(cx, source, output):
    cx.register_parquet("rows", source)
    cx.sql(f"""
        COPY (SELECT * FROM rows ORDER BY key) TO '{peer.part(output)}' STORED AS PARQUET
        OPTIONS ('format.compression' 'snappy')""").collect()


def join(cx, source, _):
    for side in ("left", "right"):
        cx.register_parquet(f"{side}_rows", f"{source}/{side}")
    return peer.segments(rows(cx.sql("""
        SELECT segment, count(*) AS n, sum(amount) AS amount
        FROM left_rows JOIN right_rows ON left_rows.key = right_rows.key GROUP BY segment""")))


def group(cx, source, _):
    cx.register_parquet("rows", source)
    return peer.sums(*rows(cx.sql("""
        SELECT count(*) AS n, sum(total) AS total, sum(total * total) AS squares
        FROM (SELECT sum(value) AS total FROM rows GROUP BY key)"""))[0])


def csv_to_parquet(cx, source, output):
    schema = pa.schema([(name, TYPES[kind]) for name, kind in peer.ORDERS.items()])
    cx.register_csv("orders", source, schema=schema, has_header=True)
    cx.sql(f"""
        COPY (SELECT * FROM orders) TO '{peer.part(output)}' STORED AS PARQUET
        OPTIONS ('format.compression' 'snappy')""").collect()


peer.main(start, {"word-count": word_count, "sort": sort, "join": join, "group": group,
                  "csv-to-parquet": csv_to_parquet})
