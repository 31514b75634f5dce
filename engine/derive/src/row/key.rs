//! Generates `impl Key` for a struct with `#[row(key)]`: compared and hashed like a tuple of its
//! fields.
//!
//! Slot and arena are generated structs: bare tuples would make the types of private fields public, and
//! end at twelve fields. The hash equals that of a tuple, so that a struct and a tuple of the same
//! fields go to the same partition. rustc checks whether a field can be a key.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::input::{Column, Input};

/// Generates the slot, the arena and the impl.
pub fn key_impl(input: &Input) -> TokenStream {
    let Input { name, view, vis, slot, arena, .. } = input;
    let each = |write: fn(&Column, TokenStream) -> TokenStream| {
        input.each(|column| {
            let ty = &column.ty;
            write(column, quote_spanned! { ty.span()=> <#ty as ::kiln::row::Key> })
        })
    };
    let slots = each(|_, key| quote! { #key::Slot });
    let arenas = each(|_, key| quote! { #key::Arena });
    let hash = each(|Column { member, .. }, key| quote! { #key::hash(view.#member) });
    let same = each(|Column { member, .. }, key| quote! { #key::same(a.#member, b.#member) });
    let compare = each(|Column { member, .. }, key| quote! { #key::compare(a.#member, b.#member) });
    let store =
        each(|Column { member, index, .. }, key| quote! { #key::store(view.#member, &mut arena.#index) });
    let load = each(|Column { member, index, .. }, key| {
        quote! { #member: #key::load(&slot.#index, &arena.#index) }
    });
    let matches = each(|Column { member, index, .. }, key| {
        quote! { #key::matches(&slot.#index, &arena.#index, view.#member) }
    });
    let bytes = each(|Column { index, .. }, key| quote! { #key::arena_bytes(&arena.#index) });
    let prefix = each(|Column { member, .. }, key| quote! { #key::prefix(view.#member) });
    let prefix = prefix.first();
    quote! {
        #[derive(::core::clone::Clone, ::core::marker::Copy)]
        #vis struct #slot(#(#slots),*);
        #[derive(::core::default::Default)]
        #vis struct #arena(#(#arenas),*);

        #[automatically_derived]
        impl ::kiln::row::Key for #name {
            type Slot = #slot;
            type Arena = #arena;
            #[inline]
            fn hash(view: #view<'_>) -> u64 {
                let hash = 0;
                #(let hash = ::kiln::row::derived::mix_field(hash, #hash);)*
                hash
            }
            #[inline]
            fn same(a: #view<'_>, b: #view<'_>) -> bool {
                #(#same)&&*
            }
            fn compare(a: #view<'_>, b: #view<'_>) -> ::core::cmp::Ordering {
                ::core::cmp::Ordering::Equal #(.then_with(|| #compare))*
            }
            #[inline]
            fn store(view: #view<'_>, arena: &mut #arena) -> #slot {
                #slot(#(#store),*)
            }
            #[inline]
            fn load<'a>(slot: &'a #slot, arena: &'a #arena) -> #view<'a> {
                #view { #(#load),* }
            }
            fn arena_bytes(arena: &#arena) -> usize {
                #(#bytes)+*
            }
            #[inline]
            fn prefix(view: #view<'_>) -> u64 {
                #prefix
            }
            #[inline]
            fn matches(slot: &#slot, arena: &#arena, view: #view<'_>) -> bool {
                #(#matches)&&*
            }
        }
    }
}
