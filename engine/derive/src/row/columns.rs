//! Generates the builder and the reader of a derived row: one column per field.
//!
//! Both are tuple structs of the fields' builders and readers in declaration order, so that no field
//! name can clash with a generated one. `kiln::row::derived` composes and splits arrays; only the parts
//! that differ from struct to struct are generated here.

use proc_macro2::TokenStream;
use quote::quote;

use super::input::{Column, Input};

/// The builder struct and its impl.
pub fn builder(input: &Input) -> TokenStream {
    let Input { name, view, vis, builder, .. } = input;
    let types = input.each(|Column { row, .. }| quote! { #row::Builder });
    let push = input.each(|Column { index, member, .. }| {
        quote! { ::kiln::row::ColumnBuilder::push(&mut self.#index, view.#member) }
    });
    let push_null =
        input.each(|Column { index, .. }| quote! { ::kiln::row::ColumnBuilder::push_null(&mut self.#index) });
    let size =
        input.each(|Column { index, .. }| quote! { ::kiln::row::ColumnBuilder::size_bytes(&self.#index) });
    let finish =
        input.each(|Column { index, .. }| quote! { ::kiln::row::ColumnBuilder::finish(&mut self.#index) });
    quote! {
        #[derive(::core::default::Default)]
        #vis struct #builder(#(#types),*);

        #[automatically_derived]
        impl ::kiln::row::ColumnBuilder for #builder {
            type Row = #name;
            #[inline]
            fn push(&mut self, view: #view<'_>) {
                #(#push;)*
            }
            fn push_null(&mut self) {
                #(#push_null;)*
            }
            fn len(&self) -> usize {
                ::kiln::row::ColumnBuilder::len(&self.0)
            }
            fn size_bytes(&self) -> usize {
                0 #(+ #size)*
            }
            fn finish(&mut self) -> ::kiln::row::derived::ArrayRef {
                ::kiln::row::derived::struct_column::<#name>(self.finish_columns())
            }
            fn finish_columns(&mut self) -> ::std::vec::Vec<::kiln::row::derived::ArrayRef> {
                ::std::vec![#(#finish),*]
            }
        }
    }
}

/// The reader struct and its impl.
pub fn reader(input: &Input) -> TokenStream {
    let Input { name, view, vis, reader, columns, .. } = input;
    let count = columns.len();
    let types = input.each(|Column { row, .. }| quote! { #row::Reader });
    let open = input.each(|Column { ty, index, name, .. }| {
        quote! { ::kiln::row::derived::open_field::<#ty>(&columns[#index], #name)? }
    });
    let get = input.each(|Column { index, member, .. }| {
        quote! { #member: ::kiln::row::ColumnReader::get(&self.#index, index) }
    });

    quote! {
        #vis struct #reader(#(#types),*);

        #[automatically_derived]
        impl ::kiln::row::ColumnReader for #reader {
            type Row = #name;
            fn open(column: &::kiln::row::derived::ArrayRef) -> ::kiln::error::Result<Self> {
                Self::open_columns(&::kiln::row::derived::open_struct::<#name>(column)?)
            }
            fn open_columns(columns: &[::kiln::row::derived::ArrayRef]) -> ::kiln::error::Result<Self> {
                ::kiln::row::derived::check_count::<#name>(columns, #count)?;
                ::core::result::Result::Ok(#reader(#(#open),*))
            }
            #[inline]
            fn get(&self, index: usize) -> #view<'_> {
                #view { #(#get),* }
            }
        }
    }
}
