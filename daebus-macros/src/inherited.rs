//! Attributes of a function that hold for what is generated from it as well: `cfg`, and the lints it allows.

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token, parse_quote};

/// Both. An `#[expect]` becomes an `#[allow]`, since the lint need not apply to the generated code.
pub(crate) fn inherited(attrs: &[Attribute]) -> Vec<Attribute> {
    let mut inherited = cfgs(attrs);
    inherited.extend(lints(attrs));
    inherited
}

/// The conditions under which the function exists, one in a `cfg_attr` included.
pub(crate) fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    let mut cfgs = Vec::new();
    for attribute in attrs {
        if attribute.path().is_ident("cfg") {
            cfgs.push(attribute.clone());
        } else if let Some((condition, metas)) = cfg_attr(&attribute.meta) {
            cfgs.extend(conditions(&condition, &metas).map(|condition| parse_quote!(#[cfg(#condition)])));
        }
    }
    cfgs
}

/// `cfg_attr(a, cfg(b))` leaves an item out if `a` holds and `b` doesn't.
fn conditions(condition: &Meta, metas: &[Meta]) -> impl Iterator<Item = TokenStream> {
    let inner = metas.iter().flat_map(|meta| match meta {
        Meta::List(list) if list.path.is_ident("cfg") => vec![list.tokens.clone()],
        meta => cfg_attr(meta).map(|(inner, metas)| conditions(&inner, &metas).collect()).unwrap_or_default(),
    });
    let inner: Vec<TokenStream> = inner.collect();
    inner.into_iter().map(move |inner| quote!(any(not(#condition), #inner)))
}

/// The lints that are allowed or expected.
pub(crate) fn lints(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter_map(|attribute| allowed(&attribute.meta)).map(|meta| parse_quote!(#[#meta])).collect()
}

fn allowed(meta: &Meta) -> Option<TokenStream> {
    if let Meta::List(list) = meta
        && (list.path.is_ident("allow") || list.path.is_ident("expect"))
    {
        let lints = &list.tokens;
        return Some(quote!(allow(#lints)));
    }
    let (condition, metas) = cfg_attr(meta)?;
    let allowed: Vec<TokenStream> = metas.iter().filter_map(allowed).collect();
    (!allowed.is_empty()).then(|| quote!(cfg_attr(#condition, #(#allowed),*)))
}

/// The condition of a `cfg_attr`, and the attributes that it adds.
pub(crate) fn cfg_attr(meta: &Meta) -> Option<(Meta, Vec<Meta>)> {
    let Meta::List(list) = meta else { return None };
    if !list.path.is_ident("cfg_attr") {
        return None;
    }
    let metas = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    let mut metas = metas.into_iter();
    Some((metas.next()?, metas.collect()))
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens as _, quote};
    use syn::parse_quote;

    use super::{cfgs, inherited, lints};

    fn text(attrs: &[syn::Attribute]) -> String {
        attrs.iter().map(|attribute| attribute.to_token_stream().to_string()).collect()
    }

    #[test]
    fn expectations_become_permissions() {
        let attrs = [
            parse_quote!(#[allow(dead_code)]),
            parse_quote!(#[expect(unused, reason = "x")]),
            parse_quote!(#[deny(missing_docs)]),
            parse_quote!(#[cfg_attr(unix, inline, expect(non_snake_case))]),
        ];
        let expected = quote!(#[allow(dead_code)] #[allow(unused, reason = "x")] #[cfg_attr(unix, allow(non_snake_case))]);
        assert_eq!(text(&lints(&attrs)), expected.to_string().replace("] #", "]#"));
        assert_eq!(inherited(&attrs).len(), 3);
    }

    #[test]
    fn a_cfg_in_a_cfg_attr_is_a_condition() {
        let attrs = [
            parse_quote!(#[cfg(unix)]),
            parse_quote!(#[cfg_attr(a, inline, cfg(b), cfg_attr(c, cfg(d)))]),
            parse_quote!(#[cfg_attr(a, inline)]),
        ];
        let expected = quote!(#[cfg(unix)] #[cfg(any(not(a), b))] #[cfg(any(not(a), any(not(c), d)))]);
        assert_eq!(text(&cfgs(&attrs)), expected.to_string().replace("] #", "]#"));
    }
}
