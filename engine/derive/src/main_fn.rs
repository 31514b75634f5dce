//! `#[kiln::main]`: wraps the user's `fn main` in one that the operating system can call.
//!
//! Expands a function of one or two arguments to `fn main() -> ExitCode` that contains it. The user's
//! function is nested inside with its own name, so no additional name could shadow a function of the
//! job. Starting a job is implemented in `::kiln::job`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Error, FnArg, ItemFn, Result, ReturnType, Signature, Type};

/// The wrapped function, or a compile error with an empty `main`. Without that stub rustc would also
/// report that `main` is missing.
pub fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    wrap(&arguments, item).unwrap_or_else(|e| {
        let error = e.into_compile_error();
        quote! { #error fn main() {} }
    })
}

fn wrap(arguments: &TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "`#[kiln::main]` takes no arguments"));
    }
    let ItemFn { attrs, vis, sig, block } = syn::parse2(item)?;
    check(&sig)?;
    let start = match args_type(&sig)? {
        Some(args) => quote! { ::kiln::job::start::<#args> },
        None => quote! { ::kiln::job::start_without_args },
    };
    let (outer, inner): (Vec<_>, Vec<_>) = attrs.into_iter().partition(is_outer);
    Ok(quote! {
        #(#outer)*
        #vis fn main() -> ::std::process::ExitCode {
            #(#inner)*
            #sig #block
            #start(main)
        }
    })
}

/// Whether an attribute belongs on the outer function: `cfg` would otherwise remove only the inner
/// function, and docs belong to the item that rustdoc shows.
fn is_outer(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg") || attr.path().is_ident("doc")
}

fn check(sig: &Signature) -> Result<()> {
    if sig.ident != "main" {
        return Err(Error::new_spanned(&sig.ident, "`#[kiln::main]` goes on `fn main`"));
    }
    if let Some(token) = &sig.asyncness {
        let message = "`#[kiln::main]` takes a plain function: remove `async`, datasets run without `.await`";
        return Err(Error::new_spanned(token, message));
    }
    if let Some(token) = extra(sig) {
        let message = "`#[kiln::main]` takes a plain function: no `const`, `unsafe`, `extern` or generics";
        return Err(Error::new_spanned(token, message));
    }
    match sig.output {
        ReturnType::Type(..) => Ok(()),
        ReturnType::Default => Err(Error::new_spanned(sig, "`fn main` must return `kiln::Result<()>`")),
    }
}

/// The first part of a signature that the main function of a job must not have.
fn extra(sig: &Signature) -> Option<TokenStream> {
    let generics = (!sig.generics.params.is_empty()).then(|| sig.generics.to_token_stream());
    let parts = [
        sig.constness.as_ref().map(ToTokens::to_token_stream),
        sig.unsafety.as_ref().map(ToTokens::to_token_stream),
        sig.abi.as_ref().map(ToTokens::to_token_stream),
        generics,
        sig.generics.where_clause.as_ref().map(ToTokens::to_token_stream),
    ];
    parts.into_iter().flatten().next()
}

/// The type of the second argument, if there is one.
fn args_type(sig: &Signature) -> Result<Option<&Type>> {
    let inputs: Vec<&FnArg> = sig.inputs.iter().collect();
    match inputs[..] {
        [FnArg::Typed(_)] => Ok(None),
        [FnArg::Typed(_), FnArg::Typed(args)] => Ok(Some(&args.ty)),
        _ => {
            let message = "`fn main` takes `(cx: Context)` or `(cx: Context, args: Args)`";
            Err(Error::new_spanned(sig, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_with_args_is_started_with_their_type() {
        let wrapped = expanded(quote! {
            /// Counts.
            #[allow(dead_code)]
            fn main(cx: Context, args: cli::Args) -> kiln::Result<()> { Ok(()) }
        });
        let expected = quote! {
            /// Counts.
            fn main() -> ::std::process::ExitCode {
                #[allow(dead_code)]
                fn main(cx: Context, args: cli::Args) -> kiln::Result<()> { Ok(()) }
                ::kiln::job::start::<cli::Args>(main)
            }
        };
        assert_eq!(wrapped, expected.to_string());
    }

    #[test]
    fn a_main_without_args_is_started_without() {
        let wrapped = expanded(quote! { fn main(cx: Context) -> kiln::Result<()> { Ok(()) } });
        assert!(wrapped.contains(":: kiln :: job :: start_without_args (main)"), "{wrapped}");
    }

    #[test]
    fn what_is_no_main_of_a_job_is_refused_with_a_reason() {
        let cases = [
            (quote! { async fn main(cx: Context) -> kiln::Result<()> {} }, "remove `async`"),
            (quote! { fn main() -> kiln::Result<()> {} }, "`(cx: Context, args: Args)`"),
            (quote! { fn main(a: A, b: B, c: C) -> kiln::Result<()> {} }, "`(cx: Context, args: Args)`"),
            (quote! { fn main(cx: Context) {} }, "must return `kiln::Result<()>`"),
            (quote! { fn main<T>(cx: T) -> kiln::Result<()> {} }, "generics"),
            (quote! { unsafe fn main(cx: Context) -> kiln::Result<()> {} }, "`unsafe`"),
            (quote! { fn run(cx: Context) -> kiln::Result<()> {} }, "goes on `fn main`"),
        ];
        for (item, reason) in cases {
            let refused = expanded(item);
            assert!(refused.contains("compile_error") && refused.contains(reason), "{refused}");
            assert!(refused.ends_with("fn main () { }"), "{refused}");
        }
    }

    #[test]
    fn the_attribute_itself_takes_no_arguments() {
        let item = quote! { fn main(cx: Context) -> kiln::Result<()> {} };
        assert!(expand(quote! { threads = 4 }, item).to_string().contains("takes no arguments"));
    }

    fn expanded(item: TokenStream) -> String {
        expand(TokenStream::new(), item).to_string()
    }
}
