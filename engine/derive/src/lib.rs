//! Kiln's macros: `#[derive(Row)]` and `#[kiln::main]`.
//!
//! They expand a struct, an enum or `fn main` to the impls or the entry point that a user would
//! otherwise write by hand. A macro has no type information, so nothing here depends on types: the
//! generated code names traits of `::kiln`, and rustc checks them. Use both macros through the `kiln`
//! crate, which re-exports them.

mod main_fn;
mod row;

use proc_macro::TokenStream;

/// Makes a struct a row type: implements `Row` and `IntoRow`, and generates the view, `HitView` for
/// `Hit`. An enum without payloads becomes a row type, too.
///
/// Every field must be a row type. The fields are the columns, with their own names; those of a tuple
/// struct are `_1`, `_2`, …. A nested struct is a column of type `Struct`.
///
/// ```text
/// /// One request.
/// #[derive(kiln::Row)]
/// struct Hit {
///     url: String,
///     #[row(rename = "http_status")]
///     status: u16,
///     referrer: Option<String>,
/// }
///
/// // Borrows from `line`; nothing is allocated.
/// fn parse(line: &str) -> Option<HitView<'_>> {
///     let (url, status) = line.split_once(' ')?;
///     Some(HitView { url, status: status.parse().ok()?, referrer: None })
/// }
/// ```
///
/// An enum must be `Copy`, because it is its own view, and `Debug` if a struct contains it. Its column
/// is a dictionary of the variants' names. It can be a key; variants sort in declaration order.
///
/// Attributes:
///
/// * `#[row(key)]` on the struct: rows can be keys. All fields must be key types.
/// * `#[row(rename = "name")]` on a field: the name of its column; on a variant: its name in the
///   column.
///
/// The view has the struct's visibility, and its fields have that of the struct's fields. It is
/// `Clone`, `Copy` and `Debug`. Its lifetime is invariant, because rustc cannot see through the field
/// types: to store two views with different lifetimes in one variable, call `Hit::narrow(view)`.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(item: TokenStream) -> TokenStream {
    row::expand(item.into()).into()
}

/// Makes `fn main` the entry point of a job, with a context and, if wanted, the parsed command line as
/// arguments.
///
/// ```text
/// #[kiln::main]
/// fn main(cx: Context, args: Args) -> kiln::Result<()> { Ok(()) }
/// ```
///
/// `Args` is any `clap::Parser`; without arguments the function is `fn main(cx: Context)`. The result
/// determines what the process prints and writes and its exit code. In addition to the job's own
/// options, the command line accepts Kiln's (`--run-id`, `--timeout`, …), except for those that `Args`
/// defines itself.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::expand(arguments.into(), item.into()).into()
}
