//! The two macros of Kiln: `#[derive(Row)]` and `#[kiln::main]`.
//!
//! In come the tokens of a struct, an enum or `fn main`, out go the impls and the entry point that a user
//! would otherwise write by hand. A macro cannot see types, so nothing is decided here that depends
//! on one: the generated code names traits of `::kiln`, and rustc does the rest. Use both through
//! the `kiln` crate, which re-exports them; what lies beneath the traits is not known here.

mod main_fn;
mod row;

use proc_macro::TokenStream;

/// Makes a struct a row: implements `Row` and `IntoRow` and writes its view, `HitView` for `Hit`. An enum
/// without payloads becomes a row, too.
///
/// Every field must be a row itself. The fields are the columns, under their own names; those of a
/// tuple struct are `_1`, `_2`, …. A struct inside a struct is a column of the type `Struct`.
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
/// An enum must be `Copy`, for it is its own view, and `Debug` where a struct holds it. Its column is a
/// dictionary of its variants' names, and it can be a key, ordered as its variants are declared.
///
/// Attributes:
///
/// * `#[row(key)]` on the struct: rows can be keys. All fields must be keys.
/// * `#[row(rename = "name")]` on a field: the name of its column; on a variant: its name in the column.
///
/// The view has the struct's visibility and its fields theirs; it is `Clone`, `Copy` and `Debug`.
/// Its lifetime does not shrink by itself (rustc cannot see through the field types): to keep two
/// views of different origin in one variable, take `Hit::narrow(view)`.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(item: TokenStream) -> TokenStream {
    row::expand(item.into()).into()
}

/// Makes `fn main` the entry point of a job: it gets a context, and the parsed command line if wanted.
///
/// ```text
/// #[kiln::main]
/// fn main(cx: Context, args: Args) -> kiln::Result<()> { Ok(()) }
/// ```
///
/// `Args` is any `clap::Parser`; without arguments the function is `fn main(cx: Context)`. What the
/// process prints, writes and exits with follows from the result. Beside the job's own options the command line takes
/// Kiln's (`--run-id`, `--timeout`, …), except for those that `Args` defines itself.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::expand(arguments.into(), item.into()).into()
}
