//! A table as a target, whatever the dialect: what the job asks of it, and one publish from its claim to its end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kiln::connect::{SinkRun, reached};
use kiln::job::Output;
use kiln::{Error, Mode, Result};
use serde::{Deserialize, Serialize};

use super::{
    Change, Check, Claim, Connection, Counts, Database, Entry, Publisher, commit, connected, withdraw,
};

/// How long a job that publishes nothing tries to take its staging table back.
const WITHDRAW_LIMIT: Duration = Duration::from_secs(5);

/// What happens to the rows that are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    Unset,
    Append,
    AppendOnce,
    Overwrite,
    /// The table must be empty; else the job fails, or is skipped.
    IfEmpty {
        skips: bool,
    },
    ReplacePartitions,
    ReplaceWhere(String),
    UpsertBy(Vec<String>),
}

impl What {
    pub(crate) fn of(mode: Mode) -> What {
        match mode {
            Mode::Error => What::IfEmpty { skips: false },
            Mode::Ignore => What::IfEmpty { skips: true },
            Mode::Append => What::Append,
            Mode::AppendOnce => What::AppendOnce,
            Mode::Overwrite => What::Overwrite,
            Mode::ReplacePartitions => What::ReplacePartitions,
        }
    }

    /// The job's choice, or else the caller's.
    pub(crate) fn or(&self, caller: Option<Mode>) -> What {
        match self {
            What::Unset => What::of(caller.unwrap_or_default()),
            what => what.clone(),
        }
    }

    /// The columns of the key of an upsert.
    pub(crate) fn keys(&self) -> &[String] {
        match self {
            What::UpsertBy(keys) => keys,
            _ => &[],
        }
    }

    /// The change of the table; `condition` is an example of one, as the dialect writes it.
    ///
    /// # Errors
    /// Config for a choice that says too little.
    pub(crate) fn change(&self, condition: &str) -> Result<Change> {
        Ok(match self {
            What::Append | What::AppendOnce | What::IfEmpty { .. } | What::Unset => Change::Append,
            What::Overwrite => Change::Overwrite,
            What::ReplaceWhere(condition) => Change::Replace(condition.clone()),
            What::UpsertBy(keys) if keys.is_empty() => {
                return Err(Error::config("an upsert needs the columns of its key"));
            }
            What::UpsertBy(_) => Change::Upsert,
            What::ReplacePartitions => {
                let error = Error::config("a table has no folders, so its partitions have to be described");
                return Err(
                    error.help(format!("`replace_where(\"{condition}\")` says which rows are replaced"))
                );
            }
        })
    }

    /// Refuses a choice that needs a run id to a run without one.
    ///
    /// # Errors
    /// Config.
    pub(crate) fn check_run(&self, run: &SinkRun) -> Result<()> {
        if *self != What::AppendOnce || run.is_named() {
            return Ok(());
        }
        let error = Error::config("the mode append-once needs a run id").reason("no_run_id");
        Err(error.help("set KILN_RUN_ID, or --run-id, to a name that a retry of this run has, too"))
    }

    /// Whether nothing is to be written because `table`, as SQL names it, has rows.
    ///
    /// # Errors
    /// Config when the job must not write to such a table; else by the failing operation.
    pub(crate) fn is_skipped(&self, database: &dyn Database, table: &str, check: Check<'_>) -> Result<bool> {
        let What::IfEmpty { skips } = self else { return Ok(false) };
        let sql = format!("SELECT 1 FROM {table} LIMIT 1");
        let rows = connected(database, "looking into the table", check, |connection| {
            connection.query("the table cannot be read", &sql)
        })?;
        if rows.is_empty() || *skips {
            return Ok(!rows.is_empty());
        }
        let error = Error::config("the table has rows").reason("output_exists");
        Err(error.help("say what becomes of them: append, overwrite, replace_where or upsert_by"))
    }
}

/// Who publishes to `target`, as the ledger names it.
pub(crate) fn publisher(target: &str, write_number: u32, run: &SinkRun) -> Publisher {
    Publisher {
        target: target.to_owned(),
        run_id: run.is_named().then(|| run.run_id().to_owned()),
        write_number,
        attempt: run.attempt(),
        publish: uuid::Uuid::new_v4().to_string(),
    }
}

/// Reports what is published at `uri`.
pub(crate) fn report(uri: String, counts: Counts, run: &SinkRun) {
    let Counts { parts, rows, bytes } = counts;
    let partition_rows = BTreeMap::new();
    run.published(Output { uri, partitions: parts, files: 0, rows, bytes, partition_rows });
}

/// A publish that has begun; dropped without a commit, it is taken back.
pub(crate) struct Held<D: Database, T> {
    pub(crate) database: D,
    /// The table, as the dialect describes it.
    pub(crate) target: T,
    pub(crate) change: Change,
    claim: Option<Claim>,
}

impl<D: Database, T> Held<D, T> {
    pub(crate) fn new(database: D, target: T, change: Change, claim: Claim) -> Held<D, T> {
        Held { database, target, change, claim: Some(claim) }
    }

    /// Commits the parts that `counts` counts, and reports them at `uri`. `move_rows` is given the name of the staging table.
    ///
    /// # Errors
    /// As [`commit`]; cancelled before the commit has begun.
    pub(crate) fn commit(
        mut self,
        uri: String,
        counts: Counts,
        run: &SinkRun,
        move_rows: impl Fn(&Held<D, T>, &str, &dyn Connection, &[Entry]) -> Result<Option<String>>,
    ) -> Result<()> {
        reached("table.staged");
        let guard = run.committing()?;
        let Some(claim) = self.claim.clone() else { return Err(Error::bug("a publish is committed twice")) };
        let moves = |connection: &dyn Connection, newer: &[Entry]| {
            move_rows(&self, &claim.staging, connection, newer)
        };
        if let Err(error) = commit(&self.database, &claim, &self.change, counts, &moves) {
            if error.reason_word() == "outcome_unknown" {
                // Neither the claim nor the rows may go: the transaction may still be under way.
                self.claim = None;
                guard.unresolved();
            }
            return Err(error.at("target", uri));
        }
        self.claim = None;
        report(uri, counts, run);
        drop(guard);
        self.drop_staging(&claim);
        reached("table.cleaned");
        Ok(())
    }

    /// Drops the staging table after the commit. The next attempt does it if this fails.
    fn drop_staging(&self, claim: &Claim) {
        let check = limit(WITHDRAW_LIMIT);
        let connection = self.database.connect(&check);
        let dropped =
            connection.and_then(|connection| self.database.drop_staging(&*connection, &claim.staging));
        if let Err(error) = dropped {
            log::warn!("the staging table {} stays for now: {error}", claim.staging);
        }
    }
}

impl<D: Database, T> Drop for Held<D, T> {
    fn drop(&mut self) {
        let Some(claim) = self.claim.take() else { return };
        if let Err(error) = withdraw(&self.database, &claim, &limit(WITHDRAW_LIMIT)) {
            log::warn!("the staging table {} stays for now: {error}", claim.staging);
        }
    }
}

/// A check that ends waits after `limit`.
fn limit(limit: Duration) -> impl Fn() -> Result<()> {
    let end = Instant::now() + limit;
    move || match Instant::now() < end {
        true => Ok(()),
        false => Err(Error::transient(format!("the server did not answer within {limit:?}"))),
    }
}
