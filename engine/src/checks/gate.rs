//! All checks of a write: held against its columns before it runs, decided before its commit.

use arrow::datatypes::Schema;

use super::check::{Check, OnFail, Rule};
use super::reject::RejectLimits;
use super::watch::{Observed, RowRule, Watch, key_fields};
use crate::error::{Error, Result};
use crate::job::{CheckResult, CheckStatus};

/// The checks of one write.
#[derive(Debug)]
pub struct Gate {
    checks: Vec<(Rule, OnFail)>,
    watch: Watch,
}

/// What the driver knows beside what tasks have seen.
#[derive(Debug, Default)]
pub struct Known {
    /// The rows that the publish replaces, and those to which it adds; nothing where nobody knows.
    pub before: Option<(u64, u64)>,
    /// The rows of the source.
    pub source: Option<u64>,
    /// For each check of unique rows.
    pub repeated: Vec<Repeated>,
}

/// The keys that more than one row has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repeated {
    pub keys: u64,
    /// The rows that have them.
    pub rows: u64,
    /// Some of the keys as text, with how many rows have each.
    pub examples: Vec<(String, u64)>,
}

/// What came of one check: the rows that break it, in words and by example.
struct Finding {
    broken: u64,
    found: String,
    examples: Vec<String>,
    is_skipped: bool,
}

impl Gate {
    /// The checks for rows with the columns `given`.
    ///
    /// # Errors
    /// Config for a check that fits no row of these columns.
    pub fn new(checks: &[Check], rejects: Option<RejectLimits>, given: &Schema) -> Result<Gate> {
        let mut gate = Gate { checks: Vec::new(), watch: Watch { rejects, ..Watch::default() } };
        for Check { rule, on_fail } in checks {
            let rule = rule.clone()?;
            match &rule {
                Rule::Row(predicate) => {
                    predicate.on_rows(given)?;
                    let rejects = *on_fail == OnFail::Reject;
                    gate.watch.rules.push(RowRule { predicate: predicate.clone(), rejects });
                    if rejects {
                        // Who names no limits has the usual ones.
                        gate.watch.rejects.get_or_insert_default();
                    }
                }
                Rule::Unique(columns) => {
                    key_fields(columns, given)?;
                    gate.watch.unique.push(columns.clone());
                }
                _ => {}
            }
            if *on_fail == OnFail::Reject && !matches!(rule, Rule::Row(_)) {
                let error = Error::config(format!(
                    "the check `{rule}` is about no single row, which could be rejected"
                ));
                return Err(error.help("fail or warn"));
            }
            gate.checks.push((rule, *on_fail));
        }
        if let Some(limits) = gate.watch.rejects {
            gate.watch.rejects = Some(limits.check()?);
        }
        Ok(gate)
    }

    /// No checks.
    pub fn none() -> Gate {
        Gate { checks: Vec::new(), watch: Watch::default() }
    }

    /// What tasks look at.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The columns of each check of unique rows.
    pub fn unique(&self) -> &[Vec<String>] {
        &self.watch.unique
    }

    /// How many rows may be rejected, where rows may be.
    pub fn rejects(&self) -> Option<RejectLimits> {
        self.watch.rejects
    }

    /// Whether the rows of the source are to be counted.
    pub fn asks_source(&self) -> bool {
        self.checks.iter().any(|(rule, _)| matches!(rule, Rule::Source))
    }

    /// Whether the rows of the version before are to be known.
    pub fn asks_before(&self) -> bool {
        self.checks.iter().any(|(rule, _)| matches!(rule, Rule::Change(_)))
    }

    /// What came of every check of the write to `output`, in the order in which they were stated.
    ///
    /// # Errors
    /// Config for a check that nobody can decide here.
    pub fn verdict(&self, output: &str, seen: &Observed, known: &Known) -> Result<Vec<CheckResult>> {
        let (mut rows, mut unique) = (0..seen.broken.len(), 0..known.repeated.len());
        let decided = self.checks.iter().map(|(rule, on_fail)| {
            let finding = match rule {
                Rule::Row(_) => of_rows(seen, rows.next()),
                Rule::Unique(_) => of_keys(unique.next().and_then(|at| known.repeated.get(at)))?,
                Rule::AtLeast(least) => Finding::of(seen.written >= *least, format!("{} rows", seen.written)),
                Rule::AtMost(most) => Finding::of(seen.written <= *most, format!("{} rows", seen.written)),
                Rule::Source => of_source(seen, known)?,
                Rule::Change(change) => {
                    let (replaced, kept) = known.before.ok_or_else(unknown_before)?;
                    let (before, after) = (replaced + kept, kept + seen.written);
                    let found = format!("{before} rows before, {after} now");
                    Finding { is_skipped: before == 0, ..Finding::of(change.holds(before, after), found) }
                }
            };
            Ok(finding.result(output, rule, *on_fail))
        });
        decided.collect()
    }

    /// The error about all checks that fail, if any does.
    pub fn error(results: &[CheckResult]) -> Option<Error> {
        let failed: Vec<&CheckResult> =
            results.iter().filter(|result| result.status == CheckStatus::Failed).collect();
        let lines: Vec<String> = failed.iter().map(|result| result.to_string()).collect();
        let of = match results.len() {
            0 | 1 => "a check has failed".to_owned(),
            all => format!("{} of {all} checks have failed", failed.len()),
        };
        let error = Error::data(format!("{of}, nothing is published: {}", lines.join("; ")));
        (!failed.is_empty()).then(|| error.reason("check_failed"))
    }
}

impl Finding {
    fn of(holds: bool, found: String) -> Finding {
        Finding { broken: u64::from(!holds), found, examples: Vec::new(), is_skipped: false }
    }

    fn result(self, output: &str, rule: &Rule, on_fail: OnFail) -> CheckResult {
        let status = match (self.is_skipped, self.broken, on_fail) {
            (true, ..) => CheckStatus::Skipped,
            (_, 0, _) => CheckStatus::Passed,
            (.., OnFail::Fail) => CheckStatus::Failed,
            (.., OnFail::Warn) => CheckStatus::Warned,
            (.., OnFail::Reject) => CheckStatus::Rejected,
        };
        let Finding { found, examples, .. } = self;
        CheckResult { output: output.to_owned(), check: rule.to_string(), status, found, examples }
    }
}

fn of_rows(seen: &Observed, at: Option<usize>) -> Finding {
    let broken = at.and_then(|at| seen.broken.get(at)).cloned().unwrap_or_default();
    Finding {
        broken: broken.rows,
        found: format!("{} of {} rows break it", broken.rows, seen.read),
        examples: broken.examples,
        is_skipped: false,
    }
}

fn of_keys(repeated: Option<&Repeated>) -> Result<Finding> {
    let repeated = repeated.ok_or_else(|| Error::bug("the keys of a check were not counted"))?;
    let Repeated { keys, rows, examples } = repeated.clone();
    Ok(Finding {
        broken: keys,
        found: format!("{keys} keys are in more than one row, in {rows} rows together"),
        examples: examples.into_iter().map(|(key, rows)| format!("{key} in {rows} rows")).collect(),
        is_skipped: false,
    })
}

fn of_source(seen: &Observed, known: &Known) -> Result<Finding> {
    let source = known.source.ok_or_else(|| Error::bug("the rows of the source were not counted"))?;
    Ok(Finding::of(source == seen.read, format!("{} rows were read, the source counts {source}", seen.read)))
}

fn unknown_before() -> Error {
    Error::config("how many rows the version before has is not known")
        .reason("no_rows_before")
        .help("another program has written it, or this kind of target does not count: state the rows at least and at most")
}

#[cfg(test)]
mod tests {
    use super::super::watch::Broken;
    use super::*;

    fn seen(written: u64) -> Observed {
        Observed { read: written, written, ..Observed::default() }
    }

    fn statuses(checks: &[Check], seen: &Observed, known: &Known) -> Vec<CheckStatus> {
        let gate = Gate::new(checks, None, &Schema::empty()).unwrap();
        gate.verdict("o", seen, known).unwrap().into_iter().map(|result| result.status).collect()
    }

    #[test]
    fn counts_of_rows_are_held_against_the_source_and_the_version_before() {
        let change = || Check::rows_change("-20%..+50%");
        let known = |before| Known { before: Some(before), source: Some(80), ..Known::default() };
        let checks = [change(), Check::rows_of_source(), Check::rows_at_least(81).on_fail(OnFail::Warn)];
        use CheckStatus::*;
        assert_eq!(statuses(&checks, &seen(80), &known((100, 0))), [Passed, Passed, Warned]);
        assert_eq!(statuses(&checks, &seen(79), &known((100, 0))), [Failed, Failed, Warned]);
        assert_eq!(statuses(&checks, &seen(81), &known((0, 0))), [Skipped, Failed, Passed]);
        // An append of 80 rows to 100 is a growth by 80 %.
        assert_eq!(statuses(&checks, &seen(80), &known((0, 100))), [Failed, Passed, Warned]);
    }

    #[test]
    fn what_nobody_knows_is_an_error_and_no_pass() {
        let gate = Gate::new(&[Check::rows_change("-20%..")], None, &Schema::empty()).unwrap();
        let error = gate.verdict("o", &seen(1), &Known::default()).unwrap_err();
        assert_eq!((error.class(), error.reason_word()), (crate::Class::Config, "no_rows_before"));
    }

    #[test]
    fn all_failed_checks_are_in_one_error() {
        let results: Vec<CheckResult> = [CheckStatus::Failed, CheckStatus::Passed, CheckStatus::Failed]
            .into_iter()
            .enumerate()
            .map(|(n, status)| CheckResult {
                output: "o".to_owned(),
                check: format!("check {n}"),
                status,
                found: "1 of 2 rows break it".to_owned(),
                examples: vec![format!("x at row {n}")],
            })
            .collect();
        let error = Gate::error(&results).unwrap();
        assert_eq!((error.class(), error.reason_word()), (crate::Class::Data, "check_failed"));
        assert_eq!(
            error.message(),
            "2 of 3 checks have failed, nothing is published: `check 0`: 1 of 2 rows break it (x at row 0); \
             `check 2`: 1 of 2 rows break it (x at row 2)"
        );
        assert!(Gate::error(&results[1..2]).is_none());
    }

    #[test]
    fn a_check_that_is_about_no_row_rejects_none() {
        let check = Check::rows_at_least(1).on_fail(OnFail::Reject);
        assert!(Gate::new(&[check], None, &Schema::empty()).is_err());
        assert!(
            Gate::new(&[Check::not_null("id")], None, &Schema::empty()).is_err(),
            "there is no such column"
        );
        assert_eq!(Broken::default().rows, 0);
    }
}
