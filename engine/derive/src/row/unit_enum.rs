//! `#[derive(Row)]` on an enum without payloads: a dictionary column of the variants' names.
//!
//! Generates the impls. Columns and keys use generic code in `kiln::row::derived`, which needs the
//! variants and their names. An enum with payloads is rejected here, with two alternatives.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{DataEnum, DeriveInput, Error, Fields, Ident, Result};

use super::input::{read_key, read_rename};

/// The impls for the enum `data` that `item` declares.
pub fn expand(item: &DeriveInput, data: &DataEnum) -> Result<TokenStream> {
    // An enum is a key without the attribute, but the attribute is allowed.
    read_key(&item.attrs)?;
    let (variants, names) = variants(item, data)?;
    let name = &item.ident;
    let numbers = 0..variants.len();
    let row = row_impls(name);
    let key = key_impl(name);
    Ok(quote! {
        const _: () = {
            #row
            #key
            #[automatically_derived]
            impl ::kiln::row::derived::UnitEnum for #name {
                const VARIANTS: &'static [Self] = &[#(#name::#variants),*];
                const NAMES: &'static [&'static str] = &[#(#names),*];
                #[inline]
                fn number(self) -> usize {
                    match self { #(#name::#variants => #numbers,)* }
                }
            }
        };
    })
}

/// The variants and their names in a column.
fn variants<'a>(item: &DeriveInput, data: &'a DataEnum) -> Result<(Vec<&'a Ident>, Vec<String>)> {
    let refused = |place: &dyn quote::ToTokens, why: &str| Err(Error::new_spanned(place, why));
    if !item.generics.params.is_empty() {
        return refused(&item.generics, "an enum with `#[derive(Row)]` must not be generic");
    }
    if data.variants.is_empty() {
        return refused(&item.ident, "an enum with `#[derive(Row)]` needs a variant");
    }
    let mut names: Vec<String> = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return refused(
                variant,
                "an enum with `#[derive(Row)]` has variants without fields only: keep this one as \
                 `kiln::Opaque<..>`, which needs serde's derives, or as a struct with a column for its kind",
            );
        }
        let name = read_rename(&variant.attrs)?.unwrap_or_else(|| variant.ident.unraw().to_string());
        if names.contains(&name) {
            return refused(variant, &format!("two variants have the name `{name}`"));
        }
        names.push(name);
    }
    Ok((data.variants.iter().map(|variant| &variant.ident).collect(), names))
}

fn row_impls(name: &Ident) -> TokenStream {
    quote! {
        #[automatically_derived]
        impl ::kiln::row::Row for #name {
            type View<'a> = #name;
            type Builder = ::kiln::row::derived::Variants<#name>;
            type Reader = ::kiln::row::derived::VariantReader<#name>;
            type Nullability = ::kiln::row::Required;
            #[inline]
            fn own(view: #name) -> #name {
                view
            }
            #[inline]
            fn view(&self) -> #name {
                *self
            }
            #[inline]
            fn narrow<'short, 'long: 'short>(view: #name) -> #name {
                view
            }
            fn data_type() -> ::kiln::row::derived::DataType {
                ::kiln::row::derived::enum_type()
            }
        }
        #[automatically_derived]
        impl ::kiln::row::IntoRow for #name {
            type Row = #name;
            #[inline]
            fn as_view(&self) -> #name {
                *self
            }
        }
    }
}

fn key_impl(name: &Ident) -> TokenStream {
    let number = quote! { ::kiln::row::derived::UnitEnum::number };
    quote! {
        #[automatically_derived]
        impl ::kiln::row::Key for #name {
            type Slot = #name;
            type Arena = ();
            #[inline]
            fn hash(view: #name) -> u64 {
                <u32 as ::kiln::row::Key>::hash(#number(view) as u32)
            }
            #[inline]
            fn same(a: #name, b: #name) -> bool {
                #number(a) == #number(b)
            }
            #[inline]
            fn compare(a: #name, b: #name) -> ::core::cmp::Ordering {
                ::core::cmp::Ord::cmp(&#number(a), &#number(b))
            }
            #[inline]
            fn store(view: #name, _: &mut ()) -> #name {
                view
            }
            #[inline]
            fn load<'a>(slot: &'a #name, _: &'a ()) -> #name {
                *slot
            }
            fn arena_bytes(_: &()) -> usize {
                0
            }
            const PREFIX_IS_KEY: bool = true;
            #[inline]
            fn prefix(view: #name) -> u64 {
                #number(view) as u64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::{Data, parse_quote};

    fn refusal(item: DeriveInput) -> String {
        let Data::Enum(data) = &item.data else { panic!("an enum is tested") };
        expand(&item, data).expect_err("the enum is no row").to_string()
    }

    #[test]
    fn an_enum_with_a_payload_two_equal_names_or_a_type_parameter_is_refused() {
        assert!(refusal(parse_quote! { enum Shape { Round(f64) } }).contains("kiln::Opaque"));
        assert!(refusal(parse_quote! { enum Shape { Round { r: f64 } } }).contains("kiln::Opaque"));
        assert!(refusal(parse_quote! { enum Shape<T> { Round } }).contains("generic"));
        assert!(refusal(parse_quote! { enum Shape {} }).contains("needs a variant"));
        assert!(refusal(parse_quote! { enum Shape { #[row(rename = "B")] A, B } }).contains("`B`"));
    }
}
