//! Binds a filter to the columns of one file, or on the driver to those of the row type.
//!
//! A column of the row type has the same type in every file, so the same literals fit it everywhere. Any
//! other column of a file has the type in which a row would hold it. A column from the folders, or one that
//! the file lacks, becomes a constant. On the driver only the row type is known: errors of the filter that
//! follow from it are found there, before any file is opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::check::{Check, Operand};
use super::kind::{Kind, row_type};
use super::literal::Literal;
use super::{Bound, Comparison, Node, Predicate};
use crate::error::{Error, Result};
use crate::source::adapt::{Wanted, folder_column, match_columns};

/// A filter for one file.
pub(in crate::source) struct OnFile {
    pub(in crate::source) check: Check,
    /// The file's columns that the filter uses, in the file's order; [`Operand::Column`] is an index into
    /// them.
    pub(in crate::source) columns: Vec<usize>,
}

/// A condition on rows of known columns, which is looked at row by row.
pub struct RowCondition {
    check: Check,
}

impl RowCondition {
    /// For each row of a batch of these columns whether it holds; null where that is unknown.
    ///
    /// # Errors
    /// Of class bug for other columns than those that it was made for.
    pub fn of(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        self.check.of(batch)
    }
}

impl Predicate {
    /// The condition on rows of the columns of `schema`.
    ///
    /// # Errors
    /// Of class config for a column that is not there, and for a literal that does not fit its column.
    pub fn on_rows(&self, schema: &Schema) -> Result<RowCondition> {
        let find = |name: &str| match schema.column_with_name(name) {
            Some((at, field)) => Ok(Found::Values(Operand::Column(at), row_type(field.data_type()))),
            None => Err(no_column(name, schema)),
        };
        let check = Binder { find: &find }.condition(&self.root).map_err(|e| e.at("check", self))?;
        Ok(RowCondition { check })
    }

    /// Looks at what is wrong with the filter for a row type with the columns of `schema`, whatever the files hold.
    ///
    /// # Errors
    /// Of class config for a literal that does not fit its column, or for columns that cannot be compared.
    pub fn check(&self, schema: &Schema) -> Result<()> {
        let find = |name: &str| {
            Ok(match schema.column_with_name(name) {
                Some((at, field)) => Found::Values(Operand::Column(at), field.data_type().clone()),
                None => Found::Later,
            })
        };
        Binder { find: &find }.condition(&self.root).map(|_| ()).map_err(|e| e.at("filter", self))
    }

    /// Binds the filter to the file at `address`, whose columns are `found`.
    ///
    /// # Errors
    /// Of class config when a column is neither in the file nor in its folders, or does not fit the filter;
    /// of class data for the value of a folder that cannot be converted to its type.
    pub(in crate::source) fn on_file(
        &self,
        wanted: &Wanted,
        address: &str,
        found: &Schema,
    ) -> Result<OnFile> {
        let bound = self.bind(wanted, address, found);
        bound.map_err(|e| e.at("filter", self).at("file", address))
    }

    fn bind(&self, wanted: &Wanted, address: &str, found: &Schema) -> Result<OnFile> {
        let file = File::new(self, wanted, address, found)?;
        let find = |name: &str| file.find(name);
        let mut check = Binder { find: &find }.condition(&self.root)?;
        if file.columns.is_empty() {
            let options = RecordBatchOptions::new().with_row_count(Some(1));
            let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)?;
            check = Check::Always(check.of(&row)?.iter().next().flatten());
        }
        Ok(OnFile { check, columns: file.columns })
    }
}

/// The error about a column that rows do not have.
pub fn no_column(name: &str, schema: &Schema) -> Error {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let error = Error::config(format!("the rows have no column `{name}`")).at("column", name);
    error.help(format!("the columns are {}", names.join(", ")))
}

/// What a name in the filter is.
enum Found {
    Values(Operand, DataType),
    /// The text of a folder `key=value`, for a name that is not a column of the row type.
    Folder(Option<String>),
    /// A column that is known only once the file is open.
    Later,
}

/// The columns of one file.
struct File<'a> {
    wanted: &'a SchemaRef,
    found: &'a Schema,
    /// The position in the file of each of the filter's columns that it has.
    places: BTreeMap<&'a str, usize>,
    columns: Vec<usize>,
    folders: BTreeMap<String, Option<String>>,
}

impl<'a> File<'a> {
    fn new(filter: &'a Predicate, wanted: &'a Wanted, address: &str, found: &'a Schema) -> Result<File<'a>> {
        let matched = match_columns(wanted, found)?;
        let mut places = BTreeMap::new();
        for name in filter.columns() {
            let place = match wanted.schema.column_with_name(name) {
                Some((at, _)) => matched[at],
                None => only_column(found, name)?,
            };
            places.extend(place.map(|place| (name, place)));
        }
        let mut columns: Vec<usize> = places.values().copied().collect();
        columns.sort_unstable();
        columns.dedup();
        let folders = wanted.partition_values(address);
        Ok(File { wanted: &wanted.schema, found, places, columns, folders })
    }

    fn find(&self, name: &str) -> Result<Found> {
        let field = self.wanted.column_with_name(name).map(|(_, field)| field);
        if let Some(place) = self.places.get(name) {
            let found = self.found.field(*place).data_type();
            let data_type = field.map_or_else(|| row_type(found), |field| field.data_type().clone());
            if *found == DataType::Null {
                return Ok(Found::Values(Operand::Constant(new_null_array(&data_type, 1)), data_type));
            }
            let at = self.columns.binary_search(place).unwrap_or_default();
            return Ok(Found::Values(Operand::Column(at), data_type));
        }
        let constant = |value: ArrayRef| {
            let data_type = value.data_type().clone();
            Ok(Found::Values(Operand::Constant(value), data_type))
        };
        match (self.folders.get(name), field) {
            (Some(text), Some(field)) => constant(folder_column(field, text.as_deref())?),
            (Some(text), None) => Ok(Found::Folder(text.clone())),
            (None, Some(field)) if field.is_nullable() => constant(new_null_array(field.data_type(), 1)),
            (None, _) => {
                Err(Error::config(format!("the filter names `{name}`, which is no column of the file")))
            }
        }
    }
}

/// The position of the column `name`; an error if there are two.
fn only_column(found: &Schema, name: &str) -> Result<Option<usize>> {
    let mut same = (0..found.fields().len()).filter(|&at| found.field(at).name() == name);
    let first = same.next();
    match same.next() {
        None => Ok(first),
        Some(_) => Err(Error::data(format!("the file has two columns named `{name}`")).at("column", name)),
    }
}

/// Converts nodes to checks.
struct Binder<'a> {
    find: &'a dyn Fn(&str) -> Result<Found>,
}

/// One side of a comparison.
enum Side<'a> {
    Literal(&'a Literal),
    Column(&'a str, Found),
}

impl Binder<'_> {
    fn condition(&self, node: &Node) -> Result<Check> {
        Ok(match node {
            Node::Column(name) => self.flag(name)?,
            Node::Literal(literal) => Check::Always(literal.as_condition()?),
            Node::Compare(left, op, right) => compare(self.side(left)?, *op, self.side(right)?)?,
            Node::All(nodes) => Check::All(self.conditions(nodes)?),
            Node::Any(nodes) => Check::Any(self.conditions(nodes)?),
            Node::Not(inner) => Check::Not(Box::new(self.condition(inner)?)),
            Node::IsNull(inner) => match &**inner {
                Node::Column(name) => is_null((self.find)(name)?),
                Node::Literal(literal) => Check::Always(Some(literal.is_null())),
                inner => Check::IsUnknown(Box::new(self.condition(inner)?)),
            },
            Node::In(item, list) => {
                let equal = |node| compare(self.side(item)?, Comparison::Eq, self.side(node)?);
                let equalities = list.iter().map(equal).collect::<Result<_>>()?;
                if let Node::Column(_) = **item { one_of(equalities) } else { Check::Any(equalities) }
            }
            Node::Like { item, pattern, any_case } => like(self.side(item)?, self.side(pattern)?, *any_case)?,
        })
    }

    fn conditions(&self, nodes: &[Node]) -> Result<Vec<Check>> {
        nodes.iter().map(|node| self.condition(node)).collect()
    }

    fn flag(&self, name: &str) -> Result<Check> {
        match (self.find)(name)? {
            Found::Later => Ok(Check::Always(None)),
            Found::Values(operand, data_type) if Kind::of(&data_type) == Some(Kind::Boolean) => {
                Ok(Check::Flag(operand))
            }
            Found::Values(_, data_type) => {
                Err(Error::config(format!("the filter is {data_type}, expected Boolean")).at("column", name))
            }
            Found::Folder(text) => Ok(Check::Flag(folder(name, &DataType::Boolean, text.as_deref())?)),
        }
    }

    fn side<'n>(&self, node: &'n Node) -> Result<Side<'n>> {
        match node {
            Node::Column(name) => Ok(Side::Column(name, (self.find)(name)?)),
            Node::Literal(literal) => Ok(Side::Literal(literal)),
            other => Err(Error::config(format!("a source cannot compare with `{other}`"))
                .help("it compares columns and values; use `Dataset::filter` for the rest")),
        }
    }
}

fn compare(left: Side<'_>, op: Comparison, right: Side<'_>) -> Result<Check> {
    use Found::{Folder, Later, Values};
    match (left, right) {
        (Side::Column(_, Later), _) | (_, Side::Column(_, Later)) => Ok(Check::Always(None)),
        (Side::Literal(null), _) | (_, Side::Literal(null)) if null.is_null() => Ok(Check::Always(None)),
        (Side::Column(name, Values(left, data_type)), Side::Literal(literal)) => {
            compare_literal(name, left, &data_type, op, literal)
        }
        (Side::Column(name, Folder(text)), Side::Literal(literal)) => {
            let data_type = literal.own_type();
            compare_literal(name, folder(name, &data_type, text.as_deref())?, &data_type, op, literal)
        }
        (Side::Literal(left), Side::Literal(right)) => {
            let data_type = left.own_type();
            let name = left.to_string();
            compare_literal(&name, Operand::Constant(left.column()?), &data_type, op, right)
        }
        (left @ Side::Literal(_), right) => compare(right, op.swapped(), left),
        (Side::Column(a, Values(left, from)), Side::Column(b, Values(right, to))) => {
            let kind = Kind::common(&from, &to).ok_or_else(|| {
                Error::config(format!(
                    "the filter compares `{a}`, which is {from}, with `{b}`, which is {to}"
                ))
                .help(
                    "only columns whose values have one type are compared; use `Dataset::filter` for others",
                )
            })?;
            Ok(Check::Columns { left, kind, op, right })
        }
        (Side::Column(a, Folder(text)), right @ Side::Column(_, Values(..))) => {
            let Side::Column(_, Values(_, data_type)) = &right else { return Ok(Check::Always(None)) };
            let left = Values(folder(a, data_type, text.as_deref())?, data_type.clone());
            compare(Side::Column(a, left), op, right)
        }
        (left @ Side::Column(_, Values(..)), right) => compare(right, op.swapped(), left),
        (Side::Column(a, Folder(left)), Side::Column(b, Folder(right))) => {
            let text = DataType::Utf8;
            let left = Values(folder(a, &text, left.as_deref())?, text.clone());
            let right = Values(folder(b, &text, right.as_deref())?, text);
            compare(Side::Column(a, left), op, Side::Column(b, right))
        }
    }
}

/// Combines equalities of one item by OR; those with numbers become a sorted list.
fn one_of(equalities: Vec<Check>) -> Check {
    let (mut units, mut item, mut parts) = (Vec::new(), None, Vec::new());
    for check in equalities {
        match check {
            Check::Compare { left, kind, op: Comparison::Eq, right: Bound::Point(point) } => {
                units.extend(point.exact());
                item = Some((left, kind));
            }
            other => parts.push(other),
        }
    }
    units.sort_unstable();
    parts.extend(item.map(|(left, kind)| Check::OneOf { left, kind, units }));
    Check::Any(parts)
}

fn compare_literal(
    name: &str,
    left: Operand,
    data_type: &DataType,
    op: Comparison,
    literal: &Literal,
) -> Result<Check> {
    let (kind, right) = literal.bound(name, data_type, op.is_order())?;
    Ok(Check::Compare { left, kind, op, right })
}

/// The value of a folder that is not a column of the row type, converted to the type that it is compared
/// with.
fn folder(name: &str, data_type: &DataType, text: Option<&str>) -> Result<Operand> {
    Ok(Operand::Constant(folder_column(&Field::new(name, data_type.clone(), true), text)?))
}

fn is_null(found: Found) -> Check {
    match found {
        Found::Later => Check::Always(None),
        Found::Values(operand, _) => Check::IsNull(operand),
        Found::Folder(text) => Check::Always(Some(text.is_none())),
    }
}

fn like(item: Side<'_>, pattern: Side<'_>, any_case: bool) -> Result<Check> {
    let pattern = match &pattern {
        Side::Literal(literal) if literal.is_null() => return Ok(Check::Always(None)),
        Side::Literal(literal) => literal.as_text(),
        Side::Column(..) => None,
    };
    let pattern = pattern.ok_or_else(|| Error::config("the pattern of `like` must be a text"))?.to_owned();
    match item {
        Side::Column(_, Found::Later) => Ok(Check::Always(None)),
        Side::Column(_, Found::Values(item, data_type)) if Kind::of(&data_type) == Some(Kind::Text) => {
            Ok(Check::Like { item, pattern, any_case })
        }
        Side::Column(name, Found::Folder(text)) => {
            Ok(Check::Like { item: folder(name, &DataType::Utf8, text.as_deref())?, pattern, any_case })
        }
        Side::Column(name, Found::Values(_, data_type)) => {
            let text = format!("the filter takes `{name}`, which is {data_type}, for a text");
            Err(Error::config(text).at("column", name).help("`like` is for columns of text"))
        }
        Side::Literal(literal) => Err(Error::config(format!("`like` is for columns, and {literal} is none"))),
    }
}
