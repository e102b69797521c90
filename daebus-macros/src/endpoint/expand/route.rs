//! A route's own part: which argument stands for which parameter of the path, and the closure that fills them in.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ReturnType;
use syn::spanned::Spanned as _;

use super::arguments::{Extracted, variable};
use super::call::{call, closure};
use super::settings::within;
use super::source::source;
use crate::attr::Route;
use crate::endpoint::model::Handler;
use crate::endpoint::path_parameters::argument_name;
use crate::private::Private;

/// The expression that makes the route.
pub(super) fn expand(private: &Private, handler: &Handler, route: &Route) -> TokenStream {
    let p = private.here();
    let source = source(private, handler);
    let Route { pattern, methods, .. } = route;
    let arguments = arguments(handler, route);
    let extracted = arguments.iter().filter(|argument| argument.parameter.is_none());
    let extracted = Extracted::new(extracted.map(|argument| (argument.ident.clone(), argument.ty)).collect());
    let declarations = extracted.declare(private, |ty| {
        let p = private.at(ty.span());
        quote_spanned!(ty.span()=> #p::route::argument::<_, #ty>)
    });
    let needs = extracted.needs(private);
    let one_body = one_body(private, &extracted);
    let run = run(private, handler, &arguments, &extracted);
    let status = route.status.map(|status| quote!(.status(#status)));
    let timeout = within(private, route.timeout);
    let concurrency = route.concurrency.map(|most| quote!(.concurrency(#most)));
    let layer = route.layer.as_ref().map(|layer| quote_spanned!(layer.span()=> .layer(#layer)));
    let cancel = route.cancel_on_disconnect.map(|cancel| quote!(.cancel_on_disconnect(#cancel)));
    let doc = Some(handler.doc()).filter(|doc| !doc.is_empty()).map(|doc| quote!(.doc(#doc)));
    quote! {{
        #one_body
        #declarations
        #p::route::Route::new(
            &[#(#methods),*],
            #pattern,
            #p::Definition::new(#source, #needs) #timeout #concurrency #doc,
            #run,
        ) #status #cancel #layer
    }}
}

/// Asserts for each argument that none before it has read the body.
fn one_body(private: &Private, extracted: &Extracted<'_>) -> TokenStream {
    const MESSAGE: &str = "a request has one body, and an argument before this one reads it; \
                           `Payload`, `Json`, `Form`, `Bytes`, `String` and `Multipart` each read the body";
    let reads = |ty: &syn::Type| {
        let p = private.at(ty.span());
        quote_spanned!(ty.span()=> (#p::ArgumentProbe::<#ty>::IS_PAYLOAD || #p::ArgumentProbe::<#ty>::READS_BODY))
    };
    let assertions = extracted.arguments.iter().enumerate().skip(1).map(|(at, (_, ty))| {
        let this = reads(ty);
        let before = extracted.arguments[..at].iter().map(|(_, ty)| reads(ty));
        let p = private.at(ty.span());
        quote_spanned!(ty.span()=> const _: () = #p::core::assert!(!(#this && (#(#before)||*)), #MESSAGE);)
    });
    let assertions: TokenStream = assertions.collect();
    if assertions.is_empty() {
        return assertions;
    }
    let p = private.here();
    quote! {
        #[allow(unused_imports)]
        use #p::ArgumentProbeFallback as _;
        #assertions
    }
}

/// An argument and the parameter of the path that it stands for.
struct RouteArgument<'a> {
    ident: Ident,
    ty: &'a syn::Type,
    parameter: Option<(usize, &'a str)>,
}

fn arguments<'a>(handler: &'a Handler, route: &'a Route) -> Vec<RouteArgument<'a>> {
    let names = handler.function.sig.inputs.iter().map(argument_name);
    let arguments = handler.arguments.iter().zip(names).enumerate().map(|(at, (ty, name))| {
        let parameter =
            route.parameters.iter().enumerate().find(|(_, parameter)| name.as_ref() == Some(parameter));
        RouteArgument { ident: variable(at), ty, parameter: parameter.map(|(at, name)| (at, name.as_str())) }
    });
    arguments.collect()
}

/// The closure that a request runs: parses the path first, since a path that doesn't parse is a 404, extracts the other
/// arguments, calls the function and converts its value.
fn run(
    private: &Private,
    handler: &Handler,
    arguments: &[RouteArgument<'_>],
    extracted: &Extracted<'_>,
) -> TokenStream {
    let p = private.here();
    let sig = &handler.function.sig;
    let function = &sig.ident;
    // Mixed site: a function that is called `request` too is not shadowed.
    let request = Ident::new("request", Span::mixed_site());
    let value = Ident::new("value", Span::mixed_site());
    let parameters = arguments.iter().filter_map(|argument| {
        let RouteArgument { ident, ty, parameter } = argument;
        let (at, name) = (*parameter)?;
        let p = private.at(ty.span());
        Some(quote_spanned!(ty.span()=> let #ident = #p::route::parameter::<#ty>(&#request, #at, #name)?;))
    });
    let extracts = extracted.extract(private, &request);
    let names: Vec<&Ident> = arguments.iter().map(|argument| &argument.ident).collect();
    let call = call(handler, &names);
    let call =
        if sig.asyncness.is_some() { quote!(#call.await) } else { quote!(#p::blocking(move || #call).await) };
    let span = match &sig.output {
        ReturnType::Default => function.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let returned = private.at(span);
    let response = quote_spanned!(span=>
        (&mut &mut &mut &mut &mut &mut &mut #returned::route::RouteRet(#returned::core::option::Option::Some(#value))).respond()
    );
    let body = quote! {
        use #p::route::{
            RouteViaNothing as _, RouteViaResponse as _, RouteViaResult as _, RouteViaResultResponse as _, RouteViaResultStream as _, RouteViaStream as _, RouteViaUnit as _, RouteViaValue as _,
        };
        #(#parameters)*
        #extracts
        #p::core::mem::drop(#request);
        let #value = #call;
        #response
    };
    closure(private, handler, &request, &quote!(#p::route::RouteRequest), &body)
}
