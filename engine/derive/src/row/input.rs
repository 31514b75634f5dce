//! Parses the struct under `#[derive(Row)]` and rejects what cannot be a row.
//!
//! Returns its columns and the names of all generated items. Every error points at the wrong part of
//! the struct. Types are not checked here: rustc reports at the field if its type is not a row or a
//! key.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{format_ident, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DataStruct, DeriveInput, Error, Fields, Ident, Index, LitStr, Member, Result};
use syn::{Type, Visibility};

/// A struct that can be a row type.
pub struct Input {
    pub name: Ident,
    pub view: Ident,
    // The hidden structs.
    pub builder: Ident,
    pub reader: Ident,
    pub slot: Ident,
    pub arena: Ident,
    pub vis: Visibility,
    pub is_tuple: bool,
    pub is_key: bool,
    /// Lint levels, which are copied to the view.
    pub attrs: Vec<Attribute>,
    pub columns: Vec<Column>,
}

/// A field of the struct.
pub struct Column {
    /// Its name in Rust, or its index in a tuple struct.
    pub member: Member,
    /// Its position, also in the builder, the reader and the slot.
    pub index: Index,
    /// The name of the column in Arrow.
    pub name: String,
    pub vis: Visibility,
    pub ty: Type,
    /// `<ty as Row>`, with the span of the type for errors.
    pub row: TokenStream,
    /// Docs and lint levels, which are copied to the view's field.
    pub attrs: Vec<Attribute>,
}

impl Input {
    /// Parses the struct that `item` declares.
    pub fn read(item: &DeriveInput) -> Result<Input> {
        let fields = fields(item)?;
        let columns =
            fields.iter().enumerate().map(|(i, f)| Column::read(i, f)).collect::<Result<Vec<_>>>()?;
        let input = Input {
            view: format_ident!("{}View", item.ident),
            builder: format_ident!("{}Builder", item.ident),
            reader: format_ident!("{}Reader", item.ident),
            slot: format_ident!("{}Slot", item.ident),
            arena: format_ident!("{}Arena", item.ident),
            name: item.ident.clone(),
            vis: item.vis.clone(),
            is_tuple: matches!(fields, Fields::Unnamed(_)),
            is_key: read_key(&item.attrs)?,
            attrs: kept(&item.attrs, &["allow"]),
            columns,
        };
        input.check_names(fields)?;
        Ok(input)
    }

    /// The tokens that `write` returns for each column.
    pub fn each(&self, write: impl Fn(&Column) -> TokenStream) -> Vec<TokenStream> {
        self.columns.iter().map(write).collect()
    }

    fn check_names(&self, fields: &Fields) -> Result<()> {
        let mut seen = HashSet::new();
        match self.columns.iter().zip(fields).find(|(column, _)| !seen.insert(&column.name)) {
            Some((Column { name, .. }, field)) => {
                Err(Error::new_spanned(field, format!("two columns have the name `{name}`")))
            }
            None => Ok(()),
        }
    }
}

/// The fields of a struct that is not generic and has at least one field.
fn fields(item: &DeriveInput) -> Result<&Fields> {
    let refused = |why: &str| {
        Error::new_spanned(&item.ident, format!("`#[derive(Row)]` takes structs and enums; {why}"))
    };
    let fields = match &item.data {
        Data::Struct(DataStruct { fields, .. }) => fields,
        // Enums do not get here, because `unit_enum` handles them.
        Data::Enum(_) | Data::Union(_) => return Err(refused("a union has no columns")),
    };
    if !item.generics.params.is_empty() {
        let message =
            "a struct with `#[derive(Row)]` must not be generic: a row owns its data and has one type";
        return Err(Error::new_spanned(&item.generics, message));
    }
    if let Some(clause) = &item.generics.where_clause {
        return Err(Error::new_spanned(clause, "a struct with `#[derive(Row)]` must not be generic"));
    }
    if fields.is_empty() {
        return Err(Error::new_spanned(&item.ident, "a struct with `#[derive(Row)]` needs a field"));
    }
    Ok(fields)
}

impl Column {
    fn read(index: usize, field: &syn::Field) -> Result<Column> {
        let own = match &field.ident {
            Some(name) => name.unraw().to_string(),
            None => format!("_{}", index + 1),
        };
        let ty = field.ty.clone();
        Ok(Column {
            member: field.ident.clone().map_or(Member::Unnamed(index.into()), Member::Named),
            index: index.into(),
            name: read_rename(&field.attrs)?.unwrap_or(own),
            vis: field.vis.clone(),
            row: quote_spanned! { ty.span()=> <#ty as ::kiln::row::Row> },
            ty,
            attrs: kept(&field.attrs, &["allow", "doc"]),
        })
    }
}

/// The attributes that are copied to the view. `expect` is not copied, because the expected lint may
/// occur only once.
fn kept(attrs: &[Attribute], names: &[&str]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| names.iter().any(|name| attr.path().is_ident(name))).cloned().collect()
}

/// Whether the struct has `#[row(key)]`.
pub fn read_key(attrs: &[Attribute]) -> Result<bool> {
    let mut is_key = false;
    for attr in attrs.iter().filter(|a| a.path().is_ident("row")) {
        attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("key") {
                return Err(meta.error("a struct knows `#[row(key)]` only"));
            }
            is_key = true;
            Ok(())
        })?;
    }
    Ok(is_key)
}

/// The name in the field's `#[row(rename = "name")]`, if it has one.
pub fn read_rename(attrs: &[Attribute]) -> Result<Option<String>> {
    let mut rename = None;
    for attr in attrs.iter().filter(|a| a.path().is_ident("row")) {
        attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("rename") {
                return Err(meta.error("a field knows `#[row(rename = \"name\")]` only"));
            }
            let name: LitStr = meta.value()?.parse()?;
            if name.value().is_empty() {
                return Err(Error::new_spanned(name, "a column needs a name"));
            }
            match rename.replace(name.value()) {
                Some(_) => Err(meta.error("a field has one name: `rename` stands here twice")),
                None => Ok(()),
            }
        })?;
    }
    Ok(rename)
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn what_is_no_row_is_refused_with_a_reason() {
        let cases: [(DeriveInput, &str); 10] = [
            (parse_quote! { union Hit { a: u8 } }, "takes structs and enums; a union"),
            (parse_quote! { struct Hit<T> { a: T } }, "must not be generic"),
            (parse_quote! { struct Hit<'a> { a: &'a str } }, "must not be generic"),
            (parse_quote! { struct Hit; }, "needs a field"),
            (parse_quote! { struct Hit { a: u8, #[row(rename = "a")] b: u8 } }, "the name `a`"),
            (parse_quote! { struct Hit { #[row(rename = "")] a: u8 } }, "needs a name"),
            (parse_quote! { struct Hit { #[row(skip)] a: u8 } }, "a field knows"),
            (parse_quote! { struct Hit { #[row(rename = "x", rename = "y")] a: u8 } }, "twice"),
            (parse_quote! { #[row(sorted)] struct Hit { a: u8 } }, "a struct knows"),
            (parse_quote! { #[row] struct Hit { a: u8 } }, "expected attribute arguments"),
        ];
        for (item, reason) in cases {
            let error = Input::read(&item).err().expect(reason).to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn columns_are_named_as_written_without_the_raw_prefix() {
        let item = parse_quote! { struct Hit { r#type: u8, url: String, #[row(rename = "N")] n: u8 } };
        let input = Input::read(&item).ok().unwrap();
        assert_eq!(input.columns.iter().map(|c| &c.name[..]).collect::<Vec<_>>(), ["type", "url", "N"]);
        let pair = Input::read(&parse_quote! { struct Pair(u8, u8); }).ok().unwrap();
        assert_eq!(pair.columns.iter().map(|c| &c.name[..]).collect::<Vec<_>>(), ["_1", "_2"]);
    }
}
