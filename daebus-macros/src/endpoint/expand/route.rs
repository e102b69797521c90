//! A route's own part: which argument stands for which parameter of the path, and the closure that fills them in.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ReturnType;
use syn::spanned::Spanned as _;

use super::settings::within;
use super::source::source;
use crate::attr::Route;
use crate::endpoint::model::Handler;
use crate::endpoint::path_parameters::argument_name;
use crate::paths::Private;

/// The expression that makes the route.
pub(super) fn expand(private: &Private, handler: &Handler, route: &Route) -> TokenStream {
    let p = private.here();
    let source = source(private, handler);
    let Route { pattern, methods, .. } = route;
    let arguments = arguments(handler, route);
    let extracted: Vec<_> = arguments.iter().filter(|argument| argument.parameter.is_none()).collect();
    let needs = extracted.iter().map(|argument| {
        let ty = argument.ty;
        quote_spanned!(ty.span()=> .needs::<_, #ty>())
    });
    let bodies = extracted.iter().map(|argument| {
        let (ty, p) = (argument.ty, private.at(argument.ty.span()));
        quote_spanned!(ty.span()=> + <#ty as #p::route::RouteArg<_>>::TAKES_BODY)
    });
    let message = format!(
        "two arguments of `{}` read the body, and a request has one: `Payload`, `Json`, `Form`, `Bytes`, `String` and `Multipart` do",
        handler.name()
    );
    let run = run(private, handler, &arguments);
    let status = route.status.map(|status| quote!(.status(#status)));
    let timeout = within(private, route.timeout);
    let doc = Some(handler.doc()).filter(|doc| !doc.is_empty()).map(|doc| quote!(.doc(#doc)));
    quote! {{
        const _: () = #p::core::assert!(0 #(#bodies)* <= 1, #message);
        #p::route::Route::new(&[#(#methods),*], #pattern, #source, #run) #(#needs)* #status #timeout #doc
    }}
}

/// An argument and the parameter of the path that it stands for.
struct Argument<'a> {
    ident: Ident,
    ty: &'a syn::Type,
    parameter: Option<(usize, &'a str)>,
}

fn arguments<'a>(handler: &'a Handler, route: &'a Route) -> Vec<Argument<'a>> {
    let names = handler.function.sig.inputs.iter().map(argument_name);
    let arguments = handler.arguments.iter().zip(names).enumerate().map(|(at, (ty, name))| {
        let parameter =
            route.parameters.iter().enumerate().find(|(_, parameter)| name.as_ref() == Some(parameter));
        Argument {
            ident: format_ident!("argument{at}", span = Span::mixed_site()),
            ty,
            parameter: parameter.map(|(at, name)| (at, name.as_str())),
        }
    });
    arguments.collect()
}

/// The closure: the path first, since a path that doesn't fit doesn't exist; then the extractors in order, the function,
/// its value made into a response. All else is in the runtime.
fn run(private: &Private, handler: &Handler, arguments: &[Argument<'_>]) -> TokenStream {
    let p = private.here();
    let sig = &handler.function.sig;
    let function = &sig.ident;
    // Mixed site: a function that is called `request` too is not shadowed.
    let request = Ident::new("request", Span::mixed_site());
    let value = Ident::new("value", Span::mixed_site());
    let parameters = arguments.iter().filter_map(|argument| {
        let Argument { ident, ty, parameter } = argument;
        let (at, name) = (*parameter)?;
        let p = private.at(ty.span());
        Some(quote_spanned!(ty.span()=> let #ident = #p::route::parameter::<#ty>(&#request, #at, #name)?;))
    });
    let extracts = arguments.iter().filter(|argument| argument.parameter.is_none()).map(|argument| {
        let Argument { ident, ty, .. } = argument;
        let p = private.at(ty.span());
        quote_spanned!(ty.span()=> let #ident = #p::route::argument::<_, #ty>(&mut #request).await?;)
    });
    let names: Vec<_> = arguments.iter().map(|argument| &argument.ident).collect();
    let call = if sig.asyncness.is_some() {
        quote!(#function(#(#names),*).await)
    } else {
        quote!(#p::blocking(move || #function(#(#names),*)).await)
    };
    let span = match &sig.output {
        ReturnType::Default => function.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let returned = private.at(span);
    let response = quote_spanned!(span=>
        (&mut &mut &mut &mut &mut #returned::route::Ret(#returned::core::option::Option::Some(#value))).respond()
    );
    let binding = arguments
        .iter()
        .any(|argument| argument.parameter.is_none())
        .then(|| quote!(let mut #request = #request;));
    quote! {
        |#request: #p::route::RouteRequest| async move {
            use #p::route::{
                ViaNothing as _, ViaResponse as _, ViaResult as _, ViaResultResponse as _, ViaUnit as _, ViaValue as _,
            };
            #binding
            #(#parameters)*
            #(#extracts)*
            #p::core::mem::drop(#request);
            let #value = #call;
            #response
        }
    }
}
