//! The texts of all statements, and whether a parser of the dialect takes them.

use sqlparser::dialect::{BigQueryDialect, Dialect, RedshiftSqlDialect, SnowflakeDialect};
use sqlparser::parser::Parser;

use super::*;

const CSV: Format = Format::Csv { gzip: true };

fn files(scheme: &str, format: Format) -> Files {
    let names = ["part-00000", "it's/part-00001"].map(|name| format!("{scheme}lake/daily/{name}"));
    Files::new(&format!("{scheme}lake/daily/"), format, names.iter().map(|name| (name.as_str(), 7)))
}

/// The statements that the parser takes, and those that it does not, by their first word.
fn parsed(dialect: &dyn Dialect, sql: &str) -> (usize, Vec<String>) {
    let statements: Vec<&str> = sql.split(";\n").map(str::trim).filter(|sql| !sql.is_empty()).collect();
    let refused = statements.iter().filter(|sql| Parser::parse_sql(dialect, sql).is_err());
    let words = |sql: &&&str| sql.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let refused: Vec<String> = refused.map(|sql| words(&sql)).collect();
    (statements.len() - refused.len(), refused)
}

#[test]
fn redshift_copies_the_files_of_a_manifest() {
    let redshift = Redshift::new("shop.daily").iam_role("arn:aws:iam::0123456789012:role/load");
    let script = redshift.clone().script(&files("s3://", Format::Parquet)).unwrap();
    assert_eq!(
        script.sql,
        "BEGIN;
COPY shop.daily FROM 's3://lake/daily/_redshift_manifest.json'
IAM_ROLE 'arn:aws:iam::0123456789012:role/load'
FORMAT AS PARQUET
MANIFEST;
COMMIT;
"
    );
    let (address, manifest) = script.manifest.unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(address, "s3://lake/daily/_redshift_manifest.json");
    let entry = serde_json::json!({
        "url": "s3://lake/daily/part-00000", "mandatory": true, "meta": { "content_length": 7 }
    });
    assert_eq!(manifest["entries"][0], entry);
    assert_eq!(parsed(&RedshiftSqlDialect {}, &script.sql), (3, vec![]));

    let csv =
        redshift.columns(["day", "a\"b"]).region("eu-west-1").replace_where("day = DATE '2026-11-20' -- x");
    let script = csv.script(&files("s3://", CSV)).unwrap();
    assert_eq!(
        script.sql,
        "BEGIN;
DELETE FROM shop.daily WHERE day = DATE '2026-11-20' -- x
;
COPY shop.daily (\"day\", \"a\"\"b\") FROM 's3://lake/daily/_redshift_manifest.json'
IAM_ROLE 'arn:aws:iam::0123456789012:role/load'
FORMAT AS CSV
IGNOREHEADER 1
DATEFORMAT 'auto'
TIMEFORMAT 'auto'
GZIP
REGION 'eu-west-1'
MANIFEST;
COMMIT;
"
    );
    assert_eq!(parsed(&RedshiftSqlDialect {}, &script.sql), (4, vec![]));
}

#[test]
fn snowflake_copies_a_list_of_files_and_loads_replaced_ones_again() {
    let snowflake = Snowflake::new("shop.daily").storage_integration("lake");
    let script = snowflake.clone().script(&files("gs://", Format::Parquet)).unwrap();
    assert_eq!(
        script.sql,
        "BEGIN;
COPY INTO shop.daily FROM 'gcs://lake/daily/'
STORAGE_INTEGRATION = lake
FILES = ('part-00000', 'it''s/part-00001')
FILE_FORMAT = (TYPE = PARQUET)
MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
ON_ERROR = ABORT_STATEMENT;
COMMIT;
"
    );
    let by_stage = Snowflake::new("shop.daily").stage("@shop.lake").overwrite();
    let script = by_stage.script(&files("s3://", CSV)).unwrap();
    assert_eq!(
        script.sql,
        "BEGIN;
DELETE FROM shop.daily WHERE TRUE;
COPY INTO shop.daily FROM @shop.lake
FILES = ('part-00000', 'it''s/part-00001')
FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1 FIELD_OPTIONALLY_ENCLOSED_BY = '\"' EMPTY_FIELD_AS_NULL = TRUE NULL_IF = ())
ON_ERROR = ABORT_STATEMENT
FORCE = TRUE;
COMMIT;
"
    );
    let many: Vec<String> = (0..1001).map(|n| format!("s3://lake/daily/{n}")).collect();
    let many = Files::new("s3://lake/daily", CSV, many.iter().map(|name| (name.as_str(), 1)));
    let script = Snowflake::new("t").stage("s").script(&many).unwrap();
    assert_eq!(script.sql.matches("COPY INTO").count(), 2, "a statement names 1,000 files at most");
}

#[test]
fn bigquery_loads_a_list_of_files_and_replaces_in_a_transaction() {
    let script = BigQuery::new("shop.daily").overwrite().script(&files("gs://", Format::Parquet)).unwrap();
    assert_eq!(
        script.sql,
        "LOAD DATA OVERWRITE `shop.daily`
FROM FILES (format = 'PARQUET', uris = ['gs://lake/daily/part-00000', 'gs://lake/daily/it\\'s/part-00001']);
"
    );
    let replaced = BigQuery::new("shop.daily").replace_where("day = '2026-11-20'");
    let script = replaced.script(&files("gs://", CSV)).unwrap();
    assert_eq!(
        script.sql,
        "CREATE OR REPLACE TABLE `shop.daily__kiln_staging` LIKE `shop.daily`;
LOAD DATA OVERWRITE `shop.daily__kiln_staging`
FROM FILES (format = 'CSV', skip_leading_rows = 1, allow_quoted_newlines = TRUE, uris = ['gs://lake/daily/part-00000', 'gs://lake/daily/it\\'s/part-00001']);
BEGIN TRANSACTION;
DELETE FROM `shop.daily` WHERE day = '2026-11-20'
;
INSERT INTO `shop.daily` SELECT * FROM `shop.daily__kiln_staging`;
COMMIT TRANSACTION;
DROP TABLE `shop.daily__kiln_staging`;
"
    );
    // The parser knows the LOAD DATA of Hive alone; its text follows the vendor's documentation.
    let (taken, refused) = parsed(&BigQueryDialect {}, &script.sql);
    assert_eq!((taken, refused), (6, vec!["LOAD DATA".to_owned()]));
}

#[test]
fn what_a_parser_of_snowflake_takes_is_known() {
    // The parser does not know MATCH_BY_COLUMN_NAME, ON_ERROR and FORCE outside of COPY_OPTIONS, which Snowflake does not have.
    let script = Snowflake::new("shop.daily").stage("lake").script(&files("s3://", CSV)).unwrap();
    let (taken, refused) = parsed(&SnowflakeDialect {}, &script.sql);
    assert_eq!(taken + refused.len(), 3);
    assert!(refused.iter().all(|words| words == "COPY INTO"), "{refused:?}");
    let plain = script.sql.replace("\nON_ERROR = ABORT_STATEMENT", "");
    assert_eq!(parsed(&SnowflakeDialect {}, &plain), (3, vec![]));
}

#[test]
fn what_cannot_be_loaded_is_a_config_error() {
    let (s3, local) = (files("s3://", CSV), files("/", CSV));
    let errors = [
        Redshift::new("t").script(&local).unwrap_err(),
        Redshift::new("t; DROP TABLE u").script(&s3).unwrap_err(),
        Redshift::new("t").region("r").script(&files("s3://", Format::Parquet)).unwrap_err(),
        Snowflake::new("t").script(&s3).unwrap_err(),
        Snowflake::new("t").stage("s'").script(&s3).unwrap_err(),
        BigQuery::new("t").script(&s3).unwrap_err(),
        BigQuery::new("t` x").script(&files("gs://", CSV)).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.class(), kiln::Class::Config, "{error}");
    }
}

#[test]
fn without_files_rows_are_removed_all_the_same() {
    let none = Files::new("gs://lake/daily", CSV, []);
    let script = BigQuery::new("t").replace_where("day = 1").script(&none).unwrap();
    assert_eq!(script.sql, "DELETE FROM `t` WHERE day = 1\n;\n");
    let none = Files::new("s3://lake/daily", CSV, []);
    let script = Redshift::new("t").overwrite().script(&none).unwrap();
    assert_eq!(script.sql, "BEGIN;\nDELETE FROM t WHERE TRUE;\nCOMMIT;\n");
}
