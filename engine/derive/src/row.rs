//! `#[derive(Row)]`: generates the view and the impls of a struct, or of an enum without payloads.
//!
//! Only the view gets a name that users see; everything else is in an unnamed constant. The generated
//! code does for one struct what generic impls in `kiln::row` do for tuples. `input` parses the struct,
//! `columns` generates the builder and the reader, `key` the key, and `unit_enum` everything for an
//! enum. This file generates the view and the impls that convert a row to it. It does not depend on
//! Arrow types.

mod columns;
mod input;
mod key;
mod unit_enum;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Result};

use input::{Column, Input};

/// The generated items, or a compile error instead.
pub fn expand(item: TokenStream) -> TokenStream {
    try_expand(item).unwrap_or_else(syn::Error::into_compile_error)
}

fn try_expand(item: TokenStream) -> Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    if let Data::Enum(data) = &item.data {
        return unit_enum::expand(&item, data);
    }
    let input = Input::read(&item)?;
    let view = view_struct(&input);
    let (row, into_row) = (row_impl(&input), into_row_impls(&input));
    let (builder, reader) = (columns::builder(&input), columns::reader(&input));
    let key = input.is_key.then(|| key::key_impl(&input));
    Ok(quote! {
        #view
        const _: () = {
            #row
            #into_row
            #builder
            #reader
            #key
        };
    })
}

/// The view struct.
///
/// The type of every field is written as `<T as Row>::View<'a>`, even for a number. In this way every
/// struct uses `'a` and needs no marker field, and a view is constructed as `HitView { url, status }`.
fn view_struct(input: &Input) -> TokenStream {
    let Input { name, view, vis, attrs, columns, .. } = input;
    let doc = format!("A borrowed [`{name}`]: what closures see of a row.");
    let fields = columns.iter().map(|Column { member, attrs, vis, row, .. }| {
        let name = match member {
            syn::Member::Named(name) => Some(quote! { #name: }),
            syn::Member::Unnamed(_) => None,
        };
        quote! { #(#attrs)* #vis #name #row::View<'a> }
    });
    let body = if input.is_tuple {
        quote! { (#(#fields),*); }
    } else {
        quote! { { #(#fields),* } }
    };
    quote! {
        #[doc = #doc]
        #(#attrs)*
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #view<'a> #body
    }
}

fn row_impl(input: &Input) -> TokenStream {
    let Input { name, view, builder, reader, .. } = input;
    let owned = input.each(|Column { member, row, .. }| quote! { #member: #row::own(view.#member) });
    let viewed = input.each(|Column { member, row, .. }| quote! { #member: #row::view(&self.#member) });
    let narrowed = input.each(|Column { member, row, .. }| quote! { #member: #row::narrow(view.#member) });
    let fields = input.each(|Column { ty, name, .. }| quote! { ::kiln::row::derived::field::<#ty>(#name) });
    // `cargo check`, too, evaluates a constant of a known type.
    let nullable = input.each(|Column { row, .. }| quote! { #row::NULLABLE });
    quote! {
        const _: &[bool] = &[#(#nullable),*];

        #[automatically_derived]
        impl ::kiln::row::Row for #name {
            type View<'a> = #view<'a>;
            type Builder = #builder;
            type Reader = #reader;
            type Nullability = ::kiln::row::Required;
            #[inline]
            fn own(view: #view<'_>) -> Self {
                #name { #(#owned),* }
            }
            #[inline]
            fn view(&self) -> #view<'_> {
                #view { #(#viewed),* }
            }
            #[inline]
            fn narrow<'short, 'long: 'short>(view: #view<'long>) -> #view<'short> {
                #view { #(#narrowed),* }
            }
            fn data_type() -> ::kiln::row::derived::DataType {
                ::kiln::row::derived::data_type::<#name>()
            }
            fn columns() -> ::std::vec::Vec<::kiln::row::derived::Field> {
                ::std::vec![#(#fields),*]
            }
        }
    }
}

/// The view is invariant in its lifetime, so the lifetime of `*self` would be too long.
fn into_row_impls(input: &Input) -> TokenStream {
    let Input { name, view, .. } = input;
    quote! {
        #[automatically_derived]
        impl ::kiln::row::IntoRow for #name {
            type Row = #name;
            #[inline]
            fn as_view(&self) -> #view<'_> {
                ::kiln::row::Row::view(self)
            }
        }
        #[automatically_derived]
        impl ::kiln::row::IntoRow for #view<'_> {
            type Row = #name;
            #[inline]
            fn as_view(&self) -> #view<'_> {
                <#name as ::kiln::row::Row>::narrow(*self)
            }
        }
    }
}
