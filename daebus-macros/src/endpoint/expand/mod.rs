//! A checked handler → the function, its braced struct and what mounts it. Can't fail.

mod route;
mod settings;
mod source;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Attribute, LitStr, ReturnType, parse_quote};

use self::settings::{schedule, thread_options, within};
use self::source::source;
use super::marker::mark_unrecognised;
use super::model::Handler;
use super::type_contents::mentions_static;
use crate::attr::Checked;
use crate::diagnostics::Mistakes;
use crate::paths::Private;

/// With mistakes, the struct is still there and mounts nothing, so that whoever names it sees no second error.
pub(super) fn expand(private: &Private, handler: &Handler, mistakes: Mistakes) -> TokenStream {
    let mut function = handler.function.clone();
    mark_unrecognised(&mut function.attrs);
    if !handler.has_struct {
        let mistakes = mistakes.into_tokens();
        return quote!(#function #mistakes);
    }
    // `async` says where it runs, and extractors come by value: advice against either would be wrong.
    function.attrs.push(parse_quote!(#[allow(clippy::unused_async, clippy::needless_pass_by_value)]));
    let sound = mistakes.is_empty();
    if !sound {
        function.attrs.push(parse_quote!(#[allow(dead_code)]));
    }
    let mistakes = mistakes.into_tokens();
    let blueprint = Ident::new("blueprint", Span::mixed_site());
    let endpoints = handler
        .endpoints
        .iter()
        .filter(|_| sound)
        .map(|endpoint| mounted(private, handler, endpoint, &blueprint));
    let cfgs = cfgs(&handler.function.attrs);
    let vis = &handler.function.vis;
    let ident = &handler.function.sig.ident;
    let p = private.here();
    quote! {
        #function

        #(#cfgs)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code)]
        #vis struct #ident {}

        #(#cfgs)*
        #[automatically_derived]
        impl #p::Mount for #ident {
            #[allow(deprecated)]
            fn mount(#blueprint: #p::Blueprint) -> #p::Blueprint {
                #(let #blueprint = #endpoints;)*
                #blueprint
            }
        }

        #mistakes
    }
}

/// The `cfg` attributes among a function's, for what is generated beside it.
pub(crate) fn cfgs(attrs: &[Attribute]) -> Vec<&Attribute> {
    attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect()
}

/// The blueprint with one more endpoint.
fn mounted(private: &Private, handler: &Handler, endpoint: &Checked, blueprint: &Ident) -> TokenStream {
    let p = private.here();
    let source = source(private, handler);
    let (kind, trigger, rest) = match endpoint {
        Checked::Action(action) => {
            let name = &action.name;
            let timeout = within(private, action.timeout);
            let concurrency = action.concurrency.map(|most| quote!(.concurrency(#most)));
            let idempotent = action.idempotent.then(|| quote!(.idempotent()));
            (quote!(Action), quote!(Action(#name)), quote!(#timeout #concurrency #idempotent))
        }
        Checked::Listen(listen) => {
            let topic = &listen.topic;
            let concurrency = listen.concurrency.map(|most| quote!(.concurrency(#most)));
            (quote!(Listen), quote!(Listen(#topic)), quote!(#concurrency))
        }
        Checked::Socket(socket) => {
            let kind = &socket.kind;
            let timeout = within(private, socket.timeout);
            let concurrency = socket.concurrency.map(|most| quote!(.concurrency(#most)));
            (quote!(Socket), quote!(Socket(#kind)), quote!(#timeout #concurrency))
        }
        Checked::Route(route) => {
            let route = route::expand(private, handler, route);
            return quote!(#p::Blueprint::route(#blueprint, #route));
        }
        Checked::OnStart(_) => (quote!(Hook), quote!(OnStart), quote!()),
        Checked::OnStop(_) => (quote!(Hook), quote!(OnStop), quote!()),
        Checked::Background(background) => {
            let name = &background.name;
            let schedule = schedule(private, background);
            let timeout = within(private, background.timeout);
            (quote!(Background), quote!(Background(#name, #schedule)), quote!(#timeout))
        }
        Checked::Thread(thread) => {
            let name = &thread.name;
            let options = thread_options(private, thread);
            (quote!(Thread), quote!(Thread(#name, #options)), quote!())
        }
    };
    let thread = match endpoint {
        Checked::Thread(thread) => Some(&thread.name),
        _ => None,
    };
    let run = run(private, handler, &kind, thread);
    let needs = handler.arguments.iter().map(|ty| {
        let p = private.at(ty.span());
        quote_spanned!(ty.span()=> .needs::<#p::kind::#kind, #ty>())
    });
    let doc = Some(handler.doc()).filter(|doc| !doc.is_empty()).map(|doc| quote!(.doc(#doc)));
    let endpoint = quote!(#p::Endpoint::new(#source, #run) #(#needs)* #rest #doc);
    quote!(#p::Blueprint::endpoint(#blueprint, #p::Trigger::#trigger, #endpoint))
}

/// The closure: extractors in order, the function, its value made into a reply. All else is in the runtime.
/// `thread` is the name of the thread that a plain `fn` gets to itself.
fn run(private: &Private, handler: &Handler, kind: &TokenStream, thread: Option<&LitStr>) -> TokenStream {
    let p = private.here();
    let sig = &handler.function.sig;
    let ident = &sig.ident;
    // Mixed site: a function that is called `context` too is not shadowed.
    let context = Ident::new("context", Span::mixed_site());
    let names: Vec<Ident> = (0..handler.arguments.len())
        .map(|at| format_ident!("argument{at}", span = Span::mixed_site()))
        .collect();
    let extracts = names.iter().zip(&handler.arguments).map(|(name, ty)| {
        let p = private.at(ty.span());
        let extract = if mentions_static(ty) { "extract_static" } else { "extract" };
        let extract = Ident::new(extract, ty.span());
        quote_spanned!(ty.span()=> let #name = #p::#extract::<#p::kind::#kind, _>(&mut #context).await?;)
    });
    let call = if sig.asyncness.is_some() {
        quote!(#ident(#(#names),*).await)
    } else if let Some(thread) = thread {
        quote!(#p::on_thread(#thread, move || #ident(#(#names),*)).await?)
    } else {
        quote!(#p::blocking(move || #ident(#(#names),*)).await)
    };
    let span = match &sig.output {
        ReturnType::Default => ident.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let returned = private.at(span);
    let value = Ident::new("value", Span::mixed_site());
    let reply = quote_spanned!(span=> (&mut &mut &mut #returned::Ret(#returned::core::option::Option::Some(#value))).reply());
    let binding = (!names.is_empty()).then(|| quote!(let mut #context = #context;));
    quote! {
        |#context: #p::Context| async move {
            use #p::{ViaNothing as _, ViaResult as _, ViaValue as _};
            #binding
            #(#extracts)*
            #p::core::mem::drop(#context);
            let #value = #call;
            #reply
        }
    }
}
