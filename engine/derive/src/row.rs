//! `#[derive(Row)]`: a struct in, its view and its impls out; or an enum without payloads.
//!
//! Only the view gets a name that users see; all else stands in an unnamed constant. What the
//! tuples of `kiln::row` do by generic impls is written out here for one struct. The input is
//! read in `input`, the builder and reader are written in `columns`, the key in `key`, all of an enum in
//! `unit_enum`; this file writes the view and the impls that turn a row into one. It knows no Arrow type.

mod columns;
mod input;
mod key;
mod unit_enum;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Result};

use input::{Column, Input};

/// The generated items, or a compile error in their place.
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

/// The struct that closures see.
///
/// A field's type is spelled `<T as Row>::View<'a>` even for a number: so `'a` is used in every
/// struct, no marker field is needed, and a view is written as `HitView { url, status }`.
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
    // A constant of a type that is known is worked out by `cargo check`, too.
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

/// In its lifetime the view is invariant, so `*self` alone would live too long.
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
