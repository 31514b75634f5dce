"""The benchmarks' work on Spark: DataFrames, and an RDD of arrays for k-means."""

import os
import sys
import tempfile

# Else it looks for a name and an address of this machine in the network.
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
os.environ["PYSPARK_PYTHON"] = sys.executable

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import peer


def start(slots):
    scratch = tempfile.gettempdir()
    settings = {
        "spark.master": f"local[{slots}]",
        "spark.driver.memory": "12g",
        "spark.local.dir": scratch,
        "spark.sql.shuffle.partitions": 2 * slots,
        "spark.sql.warehouse.dir": scratch,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def word_count(spark, source, _):
    words = spark.read.text(source).select(F.explode(F.split("value", " ")).alias("word"))
    counts = words.groupBy("word").count().cache()
    distinct, total = counts.agg(F.count("*"), F.sum("count")).first()
    top = counts.orderBy(F.desc("count"), "word").limit(peer.TOP_WORDS).collect()
    return peer.counts(distinct, total, top)


def sort(spark, source, output):
    spark.read.parquet(source).sort("key").write.option("compression", "snappy").parquet(output)


def join(spark, source, _):
    left, right = (spark.read.parquet(f"{source}/{side}") for side in ("left", "right"))
    sums = left.join(right, "key").groupBy("segment").agg(F.count("*"), F.sum("amount"))
    return peer.segments(sums.collect())


def group(spark, source, _):
    totals = spark.read.parquet(source).groupBy("key").agg(F.sum("value").alias("total"))
    return peer.sums(*totals.agg(F.count("*"), F.sum("total"), F.sum(F.col("total") * F.col("total"))).first())


def csv_to_parquet(spark, source, output):
    types = {"VARCHAR": "STRING"}
    schema = ", ".join(f"{name} {types.get(kind, kind)}" for name, kind in peer.ORDERS.items())
    orders = spark.read.csv(source, schema=schema, header=True, escape='"')
    orders.write.option("compression", "snappy").parquet(output)


def k_means(spark, source, _):
    # Spark's workers have no module `peer`, so what they need of it is captured.
    all_centres, dimensions = range(peer.CENTRES), range(peer.DIMENSIONS)

    def to_array(rows):
        yield np.array([tuple(row) for row in rows])

    def near(centres):
        def group(arrays):
            for points in arrays:
                distances = np.zeros((len(points), len(all_centres)))
                for dimension in dimensions:
                    distances += (centres[:, dimension] - points[:, dimension, None]) ** 2
                nearest = distances.argmin(axis=1)
                for centre in all_centres:
                    own = points[nearest == centre]
                    yield centre, (own.sum(axis=0), len(own))
        return group

    points = spark.read.parquet(source).rdd.mapPartitions(to_array).cache()
    centres = np.array([[middle(centre, dimension) + 32.0 for dimension in dimensions] for centre in all_centres])
    for _ in range(peer.KMEANS_ROUNDS):
        moved = points.mapPartitions(near(centres)).reduceByKey(lambda a, b: (a[0] + b[0], a[1] + b[1])).collect()
        for centre, (total, count) in moved:
            if count > 0:
                centres[centre] = total / count
    return "".join("".join(f" {x:.6f}" for x in centre) + "\n" for centre in centres)


def middle(cluster, dimension):
    """The middle of a cluster of the data: the finalizer of splitmix64, as the generator has it."""
    mask = 2**64 - 1
    z = (cluster * peer.DIMENSIONS + dimension + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return float((z ^ (z >> 31)) % 1024)


def page_rank(spark, source, _):
    links = spark.read.parquet(source)
    degrees = links.groupBy("from").agg(F.count("*").alias("degree")).cache()
    links = links.join(degrees, "from").cache()
    pages = degrees.count()
    ranks = degrees.select(F.col("from").alias("page"), F.lit(1.0 / pages).alias("rank")).cache()
    for _ in range(peer.PAGE_RANK_ROUNDS):
        flow = links.join(ranks, links["from"] == ranks["page"]).select(
            F.col("to").alias("page"), (F.col("rank") / F.col("degree")).alias("flow"))
        nothing = ranks.select("page", F.lit(0.0).alias("flow"))
        total = flow.union(nothing).groupBy("page").agg(F.sum("flow").alias("flow"))
        rank = F.lit((1.0 - peer.DAMPING) / pages) + F.lit(peer.DAMPING) * F.col("flow")
        # Cuts the lineage, without which the plan doubles in every round.
        ranks = total.select("page", rank.alias("rank")).localCheckpoint()
    top = ranks.orderBy(F.desc("rank")).limit(peer.TOP_PAGES).collect()
    total = ranks.agg(F.sum("rank")).first()[0]
    return f"sum {total:.6f}\n" + "".join(f"{page} {scientific(rank)}\n" for page, rank in top)


def scientific(number):
    """As Rust writes it: no zeros in front of the exponent."""
    digits, exponent = f"{number:.6e}".split("e")
    return f"{digits}e{int(exponent)}"


peer.main(start, {"word-count": word_count, "sort": sort, "join": join, "group": group,
                  "csv-to-parquet": csv_to_parquet, "k-means": k_means, "page-rank": page_rank})
