//! One check, as a job states it.

use std::fmt;

use datafusion_expr::Expr;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::source::{IntoLiteral, Predicate, balanced};

/// Hundredths of a percent.
const WHOLE: i128 = 10_000;

/// What becomes of a load whose rows break a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFail {
    /// Nothing is published: an error of class data.
    #[default]
    Fail,
    /// The rows are published; the result of the run and the log name the check.
    Warn,
    /// The rows that break it are rejected, the others are published. Only for checks of single rows.
    Reject,
}

/// Something that must hold before rows are published; see [`Write::check`](crate::Write::check).
///
/// Checks of single rows ([`not_null`](Check::not_null), [`between`](Check::between), [`one_of`](Check::one_of),
/// [`holds`](Check::holds)) are those of SQL's `CHECK`: a row breaks one for which it is false, so that a null breaks
/// `not_null` alone. Literals are exact or refused, as in a filter. All checks are counted, and all that fail are reported
/// together.
#[derive(Clone, Debug)]
pub struct Check {
    pub(super) rule: Result<Rule>,
    pub(super) on_fail: OnFail,
}

/// What must hold.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// Of every row.
    Row(Predicate),
    /// No two rows have the same values here.
    Unique(Vec<String>),
    AtLeast(u64),
    AtMost(u64),
    Change(Change),
    Source,
}

/// By how much the count of rows may change, in hundredths of a percent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    least: Option<i128>,
    most: Option<i128>,
    text: String,
}

impl Check {
    /// No value of the column is null.
    pub fn not_null(column: &str) -> Check {
        Check::holds(name(column).is_not_null())
    }

    /// No value of the column is less than `least`; NaN is.
    pub fn at_least(column: &str, least: impl IntoLiteral) -> Check {
        Check::holds(name(column).gt_eq(literal(least)))
    }

    /// No value of the column is greater than `most`; NaN is.
    pub fn at_most(column: &str, most: impl IntoLiteral) -> Check {
        Check::holds(name(column).lt_eq(literal(most)))
    }

    /// Every value of the column is one from `least` to `most`, both included.
    pub fn between(column: &str, least: impl IntoLiteral, most: impl IntoLiteral) -> Check {
        Check::holds(name(column).gt_eq(literal(least)).and(name(column).lt_eq(literal(most))))
    }

    /// Every value of the column is one of these.
    pub fn one_of<V: IntoLiteral>(column: &str, values: impl IntoIterator<Item = V>) -> Check {
        Check::holds(name(column).in_list(values.into_iter().map(literal).collect(), false))
    }

    /// `condition` is false for no row; it is written as for [`Read::filter`](crate::Read::filter).
    pub fn holds(condition: Expr) -> Check {
        let predicate = balanced(condition).and_then(|condition| Predicate::new(&condition));
        Check { rule: predicate.map(Rule::Row), on_fail: OnFail::Fail }
    }

    /// No two rows that are written have the same values in all of these columns. As in SQL, a row with a null in one of
    /// them is like no other; rows that are in the output already are not looked at.
    ///
    /// The keys go through an exchange of their own, within the memory limit of the job.
    pub fn unique<'n>(columns: impl IntoIterator<Item = &'n str>) -> Check {
        let columns: Vec<String> = columns.into_iter().map(String::from).collect();
        let rule = match columns.is_empty() {
            true => Err(Error::config("a check of unique rows names no column")),
            false => Ok(Rule::Unique(columns)),
        };
        Check { rule, on_fail: OnFail::Fail }
    }

    /// At least so many rows are written.
    pub fn rows_at_least(rows: u64) -> Check {
        Check { rule: Ok(Rule::AtLeast(rows)), on_fail: OnFail::Fail }
    }

    /// At most so many rows are written.
    pub fn rows_at_most(rows: u64) -> Check {
        Check { rule: Ok(Rule::AtMost(rows)), on_fail: OnFail::Fail }
    }

    /// The count of rows changes by no more than this: `-20%..+50%`, `-20%..` or `..+50%`.
    ///
    /// An overwrite is compared with the whole version before, a replacement of partitions with the rows that these
    /// partitions had, an append with the rows that it adds to. Where there were no rows, nothing is compared.
    pub fn rows_change(range: &str) -> Check {
        Check { rule: Change::parse(range).map(Rule::Change), on_fail: OnFail::Fail }
    }

    /// As many rows are read as the source counts at the snapshot that is read; rejected rows count. The source must be
    /// able to tell ([`Scan::count_rows`](crate::connect::Scan::count_rows)), and nothing may stand between it and the write.
    pub fn rows_of_source() -> Check {
        Check { rule: Ok(Rule::Source), on_fail: OnFail::Fail }
    }

    /// What becomes of the load when it does not hold; [`OnFail::Fail`] unless set.
    pub fn on_fail(mut self, on_fail: OnFail) -> Check {
        self.on_fail = on_fail;
        self
    }
}

fn name(column: &str) -> Expr {
    datafusion_expr::ident(column)
}

fn literal(value: impl IntoLiteral) -> Expr {
    crate::source::lit(value)
}

/// `amount >= 0`, `unique id, day`, `rows >= 10`
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Row(predicate) => predicate.fmt(f),
            Rule::Unique(columns) => write!(f, "unique {}", columns.join(", ")),
            Rule::AtLeast(rows) => write!(f, "rows >= {rows}"),
            Rule::AtMost(rows) => write!(f, "rows <= {rows}"),
            Rule::Change(change) => write!(f, "rows change by {}", change.text),
            Rule::Source => f.write_str("rows of the source"),
        }
    }
}

impl Change {
    fn parse(text: &str) -> Result<Change> {
        let malformed = || {
            Error::config(format!("`{text}` is no change of the count of rows")).help(
                "write the least and the most of it in percent, as in `-20%..+50%`, `-20%..` or `..+50%`",
            )
        };
        let (least, most) = text.split_once("..").ok_or_else(malformed)?;
        let side = |side: &str| match side.trim() {
            "" => Ok(None),
            percent => percent_of(percent).map(Some).ok_or_else(malformed),
        };
        let (least, most) = (side(least)?, side(most)?);
        let is_empty = least.zip(most).is_some_and(|(least, most)| least > most);
        if is_empty || least.or(most).is_none() {
            return Err(malformed());
        }
        Ok(Change { least, most, text: text.trim().to_owned() })
    }

    /// Whether `after` rows are not too few and not too many where there were `before`.
    pub(super) fn holds(&self, before: u64, after: u64) -> bool {
        let (before, after) = (i128::from(before), i128::from(after) * WHOLE);
        self.least.is_none_or(|least| after >= before * (WHOLE + least))
            && self.most.is_none_or(|most| after <= before * (WHOLE + most))
    }
}

/// `+12.5%` in hundredths of a percent.
fn percent_of(text: &str) -> Option<i128> {
    let number = text.strip_suffix('%')?.trim();
    let (sign, digits) = match number.split_at_checked(1)? {
        ("-", digits) => (-1, digits),
        ("+", digits) => (1, digits),
        _ => (1, number),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = !whole.is_empty() && part.len() <= 2 && (whole.len() + part.len()) <= 12;
    let all_digits = whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit());
    let units = format!("{whole}{part:0<2}").parse::<i128>().ok().filter(|_| is_number && all_digits)?;
    Some(sign * units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_rows_is_exact_at_its_borders() {
        let change = Change::parse("-20%..+12.5%").unwrap();
        for (before, after, holds) in
            [(1000, 800, true), (1000, 799, false), (1000, 1125, true), (1000, 1126, false), (8, 9, true)]
        {
            assert_eq!(change.holds(before, after), holds, "{before} to {after}");
        }
        assert!(Change::parse("..+50%").unwrap().holds(10, 0));
        assert!(!Change::parse("0%..").unwrap().holds(u64::MAX, u64::MAX - 1));
    }

    #[test]
    fn what_is_no_change_is_refused() {
        for text in ["", "..", "20%", "-20..50", "+50%..-20%", "-2.345%..", "a%..b%", "%..", "1e3%.."] {
            assert!(Change::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_check_is_shown_as_its_condition() {
        let shown = |check: Check| check.rule.unwrap().to_string();
        assert_eq!(shown(Check::not_null("id")), "id IS NOT NULL");
        assert_eq!(shown(Check::between("amount", 0, "9.99")), "amount >= 0 AND amount <= '9.99'");
        assert_eq!(shown(Check::one_of("state", ["new", "paid"])), "state IN ('new', 'paid')");
        assert_eq!(shown(Check::unique(["id", "day"])), "unique id, day");
        assert_eq!(shown(Check::rows_change("-20%..")), "rows change by -20%..");
    }
}
