//! A derive's input → a checked error type.

use proc_macro2::Span;
use quote::ToTokens as _;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Expr, Fields, Ident, Lit, LitStr, Meta, Path};

use super::code::{checked_code, code_of_name};
use super::model::{ErrorType, Fault, Variant};
use crate::attr::{Arguments, literal};
use crate::mistakes::Mistakes;

const DEFAULT_STATUS: u16 = 400;

/// `None` when there is no type that the impls could be written for.
pub(super) fn validate(input: &DeriveInput, mistakes: &mut Mistakes) -> Option<ErrorType> {
    let ident = input.ident.clone();
    let has_generics = !input.generics.params.is_empty();
    if has_generics {
        mistakes.on(
            &input.generics,
            "`Fault` can't be derived for a type with parameters: a caller reads the error back from JSON, and has to \
             know it by one name; write the types out, or implement `IntoFault` and `FromFault` by hand",
        );
    }
    let mut root = None;
    let variants = match &input.data {
        Data::Struct(data) => {
            no_attributes_on(&data.fields, mistakes);
            let fault = fault(&input.attrs, &input.ident, &data.fields, Some(&mut root), mistakes)
                .map(|(fault, _)| fault);
            vec![Variant { ident: None, fault: fault.unwrap_or(Fault::Internal) }]
        }
        Data::Enum(data) => {
            for attribute in fault_attributes(&input.attrs) {
                root = of_enum(attribute, mistakes).or(root);
            }
            let mut codes: Vec<(String, &Ident)> = Vec::new();
            let variants = data.variants.iter().map(|variant| {
                no_attributes_on(&variant.fields, mistakes);
                let fault = fault(&variant.attrs, &variant.ident, &variant.fields, None, mistakes);
                if let Some((Fault::Own { code, .. }, span)) = &fault {
                    if let Some((_, first)) = codes.iter().find(|(other, _)| other == code) {
                        mistakes.at(*span, format!("the code `{code}` is that of `{first}` already; a caller couldn't tell the two apart"));
                    }
                    codes.push((code.clone(), &variant.ident));
                }
                let fault = fault.map_or(Fault::Internal, |(fault, _)| fault);
                Variant { ident: Some(variant.ident.clone()), fault }
            });
            variants.collect()
        }
        Data::Union(data) => {
            mistakes.on(
                data.union_token,
                "`Fault` can't be derived for a union; an error is an enum or a struct",
            );
            return None;
        }
    };
    (!has_generics).then_some(ErrorType { ident, root, variants })
}

/// An attribute of an enum as a whole: only `crate = path` holds for all variants.
fn of_enum(attribute: &Attribute, mistakes: &mut Mistakes) -> Option<Path> {
    let before = mistakes.len();
    if let Meta::List(list) = &attribute.meta {
        let mut arguments = Arguments::read(list.tokens.clone(), "fault", attribute.span(), mistakes);
        let root = arguments.root(mistakes);
        if root.is_some() && arguments.is_empty() || mistakes.len() > before {
            return root;
        }
    }
    mistakes.on(attribute, "on an enum, `#[fault(…)]` goes on the variant that it is about");
    None
}

fn fault_attributes(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attribute| attribute.path().is_ident("fault"))
}

fn no_attributes_on(fields: &Fields, mistakes: &mut Mistakes) {
    for attribute in fields.iter().flat_map(|field| fault_attributes(&field.attrs)) {
        mistakes.on(attribute, "`#[fault(…)]` goes on the variant or the struct, not on a field");
    }
}

/// What a variant's (or struct's) attributes say, and where its code stands.
/// A struct's may have `crate = path`, which goes into `root`.
fn fault(
    attrs: &[Attribute],
    ident: &Ident,
    fields: &Fields,
    root: Option<&mut Option<Path>>,
    mistakes: &mut Mistakes,
) -> Option<(Fault, Span)> {
    let mut attributes = fault_attributes(attrs);
    let Some(attribute) = attributes.next() else {
        let code = code_of_name(ident, mistakes)?;
        return Some((Fault::Own { code, status: DEFAULT_STATUS }, ident.span()));
    };
    for other in attributes {
        mistakes.on(other, "`#[fault(…)]` is there already; write everything into one");
    }
    let Meta::List(list) = &attribute.meta else {
        mistakes.on(
            attribute,
            "say something about it: `#[fault(code = \"not_found\", status = 404)]` or `#[fault(internal)]`",
        );
        return None;
    };
    if let Ok(literal) = list.parse_args::<Lit>() {
        let key = if matches!(literal, Lit::Str(_)) { "code" } else { "status" };
        let shown = literal.to_token_stream();
        mistakes.on(&literal, format!("`{shown}` needs its key: `#[fault({key} = {shown})]`"));
        return None;
    }
    let before = mistakes.len();
    let mut arguments = Arguments::read(list.tokens.clone(), "fault", attribute.span(), mistakes);
    if let Some(root) = root {
        *root = arguments.root(mistakes);
    }
    let expected = "a code is a word in quotes: `code = \"not_found\"`";
    let given_code = arguments.text("code", expected, mistakes);
    let given_status = arguments.expr("status", STATUS, mistakes);
    let internal = arguments.flag("internal", mistakes);
    let transparent = arguments.flag("transparent", mistakes);
    arguments.finish(mistakes);
    if transparent {
        let too_much = given_code.as_ref().map(LitStr::span).or(given_status.as_ref().map(Spanned::span));
        if internal || too_much.is_some() {
            let message =
                "a transparent error has the code and the status of the fault in its field: leave this out";
            mistakes.at(too_much.unwrap_or_else(|| attribute.span()), message);
            return Some((Fault::Internal, ident.span()));
        }
        let mut members = fields.members().zip(fields);
        let (Some((member, field)), None) = (members.next(), members.next()) else {
            mistakes
                .on(ident, "a transparent error has one field, which is a fault: `Users(#[from] UserError)`");
            return None;
        };
        return Some((Fault::Transparent { member, ty: Box::new(field.ty.clone()) }, ident.span()));
    }
    if internal {
        let too_much = given_code.as_ref().map(LitStr::span).or(given_status.as_ref().map(Spanned::span));
        if let Some(span) = too_much {
            mistakes.at(
                span,
                "an internal error has the framework's code and status: leave this out, or `internal`",
            );
        }
        return Some((Fault::Internal, ident.span()));
    }
    let status = given_status.map_or(Some(DEFAULT_STATUS), |status| checked_status(&status, mistakes));
    let (code, span) = match given_code {
        Some(code) => (checked_code(&code, mistakes), code.span()),
        // Whatever else is wrong here, the name may not be the code that was meant.
        None if mistakes.len() > before => (None, ident.span()),
        None => (code_of_name(ident, mistakes), ident.span()),
    };
    Some((Fault::Own { code: code?, status: status? }, span))
}

const STATUS: &str = "a status is that of an error, from 400 to 599: `status = 404`";

fn checked_status(status: &Expr, mistakes: &mut Mistakes) -> Option<u16> {
    if let Some(Lit::Int(number)) = literal(status)
        && let Ok(status @ 400..=599) = number.base10_parse()
    {
        return Some(status);
    }
    mistakes.on(status, STATUS);
    None
}
