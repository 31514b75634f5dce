//! Verifies `docs/spark.md`: every name in its second column is a public method.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_name_beside_one_of_sparks_is_a_public_method() {
    let (page, methods) = (fs::read_to_string(root().join("docs/spark.md")).unwrap(), methods());
    let rows = page.lines().filter(|line| line.starts_with('|') && line.contains('`'));
    let names: BTreeSet<&str> = rows.flat_map(second_column).collect();
    assert!(names.len() > 80, "only {} names were found", names.len());
    let missing: Vec<&&str> = names.iter().filter(|name| !methods.contains(**name)).collect();
    assert!(missing.is_empty(), "docs/spark.md names what is no public method: {missing:?}");
}

/// The methods of Spark 4's RDDs by class, and those methods of `SparkContext` that create datasets,
/// share values or run jobs.
const SPARK: [(&str, &str); 6] = [
    (
        "RDD",
        "aggregate barrier cache cartesian checkpoint cleanShuffleDependencies coalesce collect count countApprox \
         countApproxDistinct countByValue countByValueApprox dependencies distinct filter first flatMap fold foreach \
         foreachPartition getCheckpointFile getNumPartitions getResourceProfile getStorageLevel glom groupBy id \
         intersection isCheckpointed isEmpty iterator keyBy localCheckpoint map mapPartitions \
         mapPartitionsWithEvaluator mapPartitionsWithIndex max min name partitioner partitions persist pipe \
         preferredLocations randomSplit reduce repartition sample saveAsObjectFile saveAsTextFile setName sortBy \
         sparkContext subtract take takeOrdered takeSample toDebugString toJavaRDD toLocalIterator top treeAggregate \
         treeReduce union unpersist withResources zip zipPartitions zipPartitionsWithEvaluator zipWithIndex \
         zipWithUniqueId",
    ),
    (
        "PairRDDFunctions",
        "aggregateByKey cogroup collectAsMap combineByKey countApproxDistinctByKey countByKey countByKeyApprox \
         flatMapValues foldByKey fullOuterJoin groupByKey groupWith join keys leftOuterJoin lookup mapValues \
         partitionBy reduceByKey reduceByKeyLocally rightOuterJoin sampleByKey sampleByKeyExact saveAsHadoopDataset \
         saveAsHadoopFile saveAsNewAPIHadoopDataset saveAsNewAPIHadoopFile subtractByKey values",
    ),
    ("OrderedRDDFunctions", "filterByRange repartitionAndSortWithinPartitions sortByKey"),
    (
        "DoubleRDDFunctions",
        "histogram mean meanApprox popStdev popVariance sampleStdev sampleVariance stats stdev sum sumApprox variance",
    ),
    ("AsyncRDDActions", "collectAsync countAsync foreachAsync foreachPartitionAsync takeAsync"),
    (
        "SparkContext",
        "addArchive addFile addJar binaryFiles binaryRecords broadcast collectionAccumulator doubleAccumulator emptyRDD \
         hadoopFile hadoopRDD longAccumulator makeRDD newAPIHadoopFile objectFile parallelize range register \
         runApproximateJob runJob sequenceFile setCheckpointDir submitJob textFile union wholeTextFiles",
    ),
];

#[test]
fn the_page_is_silent_about_no_method_of_sparks_datasets() {
    let page = fs::read_to_string(root().join("docs/spark.md")).unwrap();
    let first = |row: &str| row.split('|').nth(1).unwrap_or("").to_owned();
    let column: String =
        page.lines().filter(|line| line.starts_with('|')).map(|row| first(row) + " ").collect();
    let named: BTreeSet<&str> = column.split(|c: char| !c.is_alphanumeric()).collect();
    for (class, methods) in SPARK {
        let missing: Vec<&str> = methods.split(' ').filter(|name| !named.contains(name)).collect();
        assert!(missing.is_empty(), "docs/spark.md does not name {missing:?} of Spark's {class}");
    }
}

/// The names between backticks in the second column of a table row.
fn second_column(row: &str) -> impl Iterator<Item = &str> {
    row.split('|').nth(2).unwrap_or("").split('`').skip(1).step_by(2)
}

fn methods() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["operators", "actions", "sources", "context", "dataset"] {
        let mut waiting = vec![root().join("engine/src").join(folder)];
        while let Some(path) = waiting.pop() {
            match path.is_dir() {
                true => waiting.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path())),
                false => found.extend(methods_of(&path)),
            }
        }
    }
    found.extend(methods_of(&root().join("engine/src/context.rs")));
    found
}

fn methods_of(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let name =
        |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned();
    text.split("pub fn ").skip(1).map(name).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
