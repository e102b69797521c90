//! The one place that goes by how a type is *spelled*: a stub's signature has to be written before the compiler
//! knows what the names in it mean. Assertions in the generated code check each guess.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{GenericArgument, PathArguments, PathSegment, ReturnType, Type, TypeParamBound};

use super::type_contents::contains_impl_trait;
use crate::private::Private;

/// `T` of an argument spelled `Payload<T>` or `Valid<T>`.
pub(crate) fn payload_of(ty: &Type) -> Option<&Type> {
    only_argument(ty, "Payload").or_else(|| only_argument(ty, "Valid"))
}

/// `T` of an argument spelled `Progress<T>`.
pub(crate) fn progress_of(ty: &Type) -> Option<&Type> {
    only_argument(ty, "Progress")
}

/// `T` of an argument spelled `Incoming<T>`.
pub(crate) fn incoming_of(ty: &Type) -> Option<&Type> {
    only_argument(ty, "Incoming")
}

/// Whether an argument is spelled `Dialog`.
pub(super) fn is_dialog(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == "Dialog")
}

/// `T` of `impl Stream<Item = T>` or `BoxStream<T>`.
pub(crate) fn stream_item_of(ty: &Type) -> Option<&Type> {
    match ty {
        Type::ImplTrait(ty) => ty.bounds.iter().find_map(|bound| match bound {
            TypeParamBound::Trait(bound) => {
                let segment = bound.path.segments.last().filter(|segment| segment.ident == "Stream")?;
                let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
                arguments.args.iter().find_map(|argument| match argument {
                    GenericArgument::AssocType(item) if item.ident == "Item" => Some(&item.ty),
                    _ => None,
                })
            }
            _ => None,
        }),
        Type::Group(group) => stream_item_of(&group.elem),
        Type::Paren(paren) => stream_item_of(&paren.elem),
        ty => only_argument(ty, "BoxStream"),
    }
}

/// The stream of a return type: itself, or the value of a `Result`.
fn returned_stream(ty: &Type) -> Option<&Type> {
    stream_item_of(ty).or_else(|| {
        let segment = last_segment(ty).filter(|segment| segment.ident == "Result")?;
        stream_item_of(type_arguments(segment).first()?)
    })
}

/// The stream that a handler returns.
pub(super) fn stream_of(output: &ReturnType) -> Option<ReturnedStream> {
    let ReturnType::Type(_, ty) = output else { return None };
    let item = last_segment(returned_stream(ty)?);
    let is_result =
        item.is_some_and(|item| item.ident == "Result" && matches!(type_arguments(item).as_slice(), [_, _]));
    Some(if is_result { ReturnedStream::OfResults } else { ReturnedStream::OfOthers })
}

/// A return value as a stub sees it.
pub(crate) struct Output {
    /// What the caller gets.
    pub(crate) answer: TokenStream,
    /// The handler's error; `None` when it can't fail.
    pub(crate) error: Option<TokenStream>,
    /// The whole type.
    pub(crate) ty: TokenStream,
    /// It is spelled in a way that may mean something else, so that the guess has to be asserted.
    pub(crate) is_guess: bool,
    /// It contains an `impl Trait`, which has no name that a stub could use.
    pub(crate) is_opaque: bool,
    /// It is a stream. `answer` and `error` are those of its items.
    pub(crate) stream: Option<ReturnedStream>,
}

/// The items of a stream that a handler returns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReturnedStream {
    OfResults,
    /// Refused: an item is no `Result`.
    OfOthers,
}

impl Output {
    /// For an answer that isn't spelled as a `Result`, a constant expression: whether it is one under another name.
    pub(crate) fn is_result(&self, private: &Private) -> Option<TokenStream> {
        (self.is_guess && self.error.is_none()).then(|| is_result(&self.ty, private))
    }
}

/// Takes a return type apart.
pub(crate) fn output_of(output: &ReturnType, private: &Private) -> Output {
    let ReturnType::Type(_, ty) = output else {
        return Output {
            answer: quote!(()),
            error: None,
            ty: quote!(()),
            is_guess: false,
            is_opaque: false,
            stream: None,
        };
    };
    let tokens = ty.to_token_stream();
    if let Some(item) = returned_stream(ty) {
        let stream = stream_of(output);
        let parts = last_segment(item).filter(|_| stream == Some(ReturnedStream::OfResults));
        let (answer, error) = match parts.map(type_arguments).as_deref() {
            Some([answer, error]) => (answer.to_token_stream(), Some(error.to_token_stream())),
            _ => (item.to_token_stream(), None),
        };
        return Output { answer, error, ty: tokens, is_guess: false, is_opaque: false, stream };
    }
    let is_opaque = contains_impl_trait(ty);
    let Some(segment) = last_segment(ty) else {
        return Output {
            answer: tokens.clone(),
            error: None,
            ty: tokens,
            is_guess: !is_opaque,
            is_opaque,
            stream: None,
        };
    };
    let arguments = type_arguments(segment);
    let name = segment.ident.to_string();
    match (name.as_str(), arguments.as_slice()) {
        ("Result", [answer, error]) => Output {
            answer: answer.to_token_stream(),
            error: Some(error.to_token_stream()),
            ty: tokens,
            is_guess: true,
            is_opaque,
            stream: None,
        },
        (name, [_, ..]) if name.ends_with("Result") => {
            let p = private.at(ty.span());
            let is_result = is_result(&tokens, private);
            let part = |part| {
                let part = Ident::new(part, ty.span());
                quote_spanned!(ty.span()=> <#p::Parts<#ty, #is_result> as #p::ResultTypes>::#part)
            };
            Output {
                answer: part("Answer"),
                error: Some(part("Error")),
                ty: tokens,
                is_guess: true,
                is_opaque,
                stream: None,
            }
        }
        _ => Output {
            answer: tokens.clone(),
            error: None,
            ty: tokens,
            is_guess: !is_opaque,
            is_opaque,
            stream: None,
        },
    }
}

/// A constant expression: whether a type is a `Result` under any name.
fn is_result(ty: &TokenStream, private: &Private) -> TokenStream {
    let span = ty.span();
    let p = private.at(span);
    quote_spanned! {span=> {
        #[allow(unused_imports)]
        use #p::ProbeFallback as _;
        #p::Probe::<#ty>::IS_RESULT
    }}
}

fn only_argument<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let segment = last_segment(ty).filter(|segment| segment.ident == name)?;
    match type_arguments(segment).as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        // A type that came through a `macro_rules!` fragment.
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

fn type_arguments(segment: &PathSegment) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return Vec::new() };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}
