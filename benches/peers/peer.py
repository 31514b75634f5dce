"""What the scripts of all engines share: their command line, and the forms of the answers.

A script gives a function for each work it can do; `main` calls the one that was asked for, times it, and
prints its answer and the seconds. Answers have the form in which Kiln's contenders print them, so that
equal text means equal answers.
"""

import os
import sys
import time

TOP_WORDS = 20
SEGMENTS = 100
KMEANS_ROUNDS = 10
DIMENSIONS = 8
CENTRES = 16
PAGE_RANK_ROUNDS = 10
DAMPING = 0.85
TOP_PAGES = 10

# The columns of the CSV file with their types, as SQL says them.
ORDERS = {
    "id": "BIGINT",
    "customer": "BIGINT",
    "country": "VARCHAR",
    "product": "VARCHAR",
    "price": "DOUBLE",
    "quantity": "INTEGER",
    "discount": "DOUBLE",
    "paid": "BOOLEAN",
}


def main(start, works):
    """Runs `works[WORK](engine, input, output)`, where `start(slots)` makes the engine."""
    work, source, output, slots = sys.argv[1:5]
    engine = start(int(slots))
    started = time.perf_counter()
    answer = works[work](engine, source, output)
    seconds = time.perf_counter() - started
    settle(output)
    sys.stdout.write(answer or "")
    print(f"inner {seconds:.3f}")
    sys.stdout.flush()
    # An interpreter that frees 60 million rows at its end is not what is compared.
    os._exit(0)


def settle(output):
    """Waits until what was written is on disk, as Kiln and the limits do. `inner` does not count it."""
    for folder, _, files in os.walk(output):
        for path in [os.path.join(folder, name) for name in files] + [folder]:
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)


def counts(distinct, total, top):
    """The answer of a word count; `top` has (word, count), most frequent first."""
    lines = [f"distinct {distinct}", f"total {total}"]
    return "\n".join(lines + [f"{count} {word}" for word, count in top]) + "\n"


def segments(rows):
    """The answer of a join; rows are (segment, count, amount)."""
    found = {segment: (count, amount) for segment, count, amount in rows}
    lines = [f"{segment} {count} {amount}" for segment in range(SEGMENTS)
             for count, amount in [found.get(segment, (0, 0))]]
    return "\n".join(lines) + "\n"


def sums(groups, total, squares):
    """The answer of a group."""
    return f"groups {groups} sum {total} squares {squares}\n"


def part(output):
    """The one file of an engine that writes a file and no folder."""
    os.makedirs(output)
    return os.path.join(output, "part-00000.parquet")
