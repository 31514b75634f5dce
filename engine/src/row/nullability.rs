//! Nullability of a column as a type, which outer joins require of the values that they make optional.
//!
//! A column cannot distinguish `None` from `Some(None)`. Because nullability is a type and not only a
//! constant, rustc reports the problem, with advice, at the call of a generic join.

/// Whether the columns of a row type are nullable: [`Required`] or [`Optional`].
pub trait Nullability {
    /// Nullability as a constant.
    const NULLABLE: bool;
}

/// Not nullable: all row types but `Option`.
pub enum Required {}

/// Nullable: `Option`, and a `Box` of one.
pub enum Optional {}

impl Nullability for Required {
    const NULLABLE: bool = false;
}

impl Nullability for Optional {
    const NULLABLE: bool = true;
}

/// A column without nulls. `T: Row<Nullability: NotNull>` is a row type whose `Option` is a row type
/// too.
#[diagnostic::on_unimplemented(
    message = "an outer join cannot make an `Option` of an `Option`",
    label = "values that may have no partner, and are `Option`s themselves",
    note = "a column cannot tell a value that is `None` from a partner that is not there",
    note = "put the `Option` into a tuple or into a struct with `#[derive(kiln::Row)]` before: `map_values(|value| (value, true))`"
)]
pub trait NotNull: Nullability {}
impl NotNull for Required {}
