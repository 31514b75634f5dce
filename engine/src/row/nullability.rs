//! Whether a column may hold nulls, as a type: what an outer join asks of values that it makes optional.
//!
//! A column cannot tell `None` from `Some(None)`. As a type, and not as a constant alone, this is known
//! where a join of any rows is called, so that rustc says there what to do instead.

/// Whether a column of a row type may hold nulls: [`Required`] or [`Optional`].
pub trait Nullability {
    /// The same as a value.
    const NULLABLE: bool;
}

/// No nulls: the columns of all row types but `Option`.
pub enum Required {}

/// Nulls where an `Option` is `None`; so is the column of a box around one.
pub enum Optional {}

impl Nullability for Required {
    const NULLABLE: bool = false;
}

impl Nullability for Optional {
    const NULLABLE: bool = true;
}

/// A column without nulls: `T: Row<Nullability: NotNull>` is a row type of which there can be an `Option`.
#[diagnostic::on_unimplemented(
    message = "an outer join cannot make an `Option` of an `Option`",
    label = "values that may have no partner, and are `Option`s themselves",
    note = "a column cannot tell a value that is `None` from a partner that is not there",
    note = "put the `Option` into a tuple or into a struct with `#[derive(kiln::Row)]` before: `map_values(|value| (value, true))`"
)]
pub trait NotNull: Nullability {}
impl NotNull for Required {}
