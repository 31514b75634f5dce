"""The benchmarks' work on DuckDB, in SQL."""

import duckdb

import peer


def start(slots):
    return duckdb.connect(config={"threads": slots})


def word_count(db, source, _):
    # The texts have single spaces between words, so a plain split gives what `split_whitespace` does.
    db.execute(f"""
        CREATE TEMP TABLE counts AS
        SELECT word, count(*) AS n FROM (
            SELECT unnest(string_split(line, ' ')) AS word FROM read_csv('{source}', delim='\x01', quote='',
                escape='', header=false, auto_detect=false, columns={{'line': 'VARCHAR'}}))
        GROUP BY word""")
    distinct, total = db.execute("SELECT count(*), sum(n)::BIGINT FROM counts").fetchone()
    top = db.execute(f"SELECT word, n FROM counts ORDER BY n DESC, word LIMIT {peer.TOP_WORDS}").fetchall()
    return peer.counts(distinct, total, top)


def sort(db, source, output):
    db.execute(f"""
        COPY (SELECT * FROM read_parquet('{source}/*.parquet') ORDER BY key)
        TO '{peer.part(output)}' (FORMAT parquet, COMPRESSION snappy)""")


def join(db, source, _):
    return peer.segments(db.execute(f"""
        SELECT segment, count(*), sum(amount)::BIGINT FROM read_parquet('{source}/left/*.parquet')
        JOIN read_parquet('{source}/right/*.parquet') USING (key) GROUP BY segment""").fetchall())


def group(db, source, _):
    return peer.sums(*db.execute(f"""
        SELECT count(*), sum(total)::BIGINT, sum(total * total)::BIGINT FROM (
            SELECT sum(value)::BIGINT AS total FROM read_parquet('{source}/*.parquet') GROUP BY key)
        """).fetchone())


def csv_to_parquet(db, source, output):
    db.execute(f"""
        COPY (SELECT * FROM read_csv('{source}/*.csv', header=true, auto_detect=false, delim=',', quote='"',
            escape='"', columns={peer.ORDERS}))
        TO '{peer.part(output)}' (FORMAT parquet, COMPRESSION snappy)""")


peer.main(start, {"word-count": word_count, "sort": sort, "join": join, "group": group,
                  "csv-to-parquet": csv_to_parquet})
