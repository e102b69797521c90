//! A checked handler → the function, its braced struct and what mounts it. Can't fail.

mod arguments;
mod call;
mod route;
mod schemas;
mod settings;
mod source;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{LitStr, ReturnType, parse_quote};

use self::arguments::{Extracted, variable};
pub(crate) use self::call::object;
use self::call::{call, closure};
use self::schemas::schemas;
use self::settings::{schedule, thread_options, within};
use self::source::source;
use super::marker::mark_unrecognised;
use super::model::Handler;
use super::spelling::output_of;
use crate::attr::{Checked, Hook, Topic};
use crate::inherited::inherited;
use crate::mistakes::Mistakes;
use crate::private::Private;

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
    let uncollected = (sound && !handler.is_collected).then(|| uncollected(private, handler));
    let inherited = inherited(&handler.function.attrs);
    let vis = &handler.function.vis;
    let ident = &handler.function.sig.ident;
    let p = private.here();
    quote! {
        #function

        #(#inherited)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code)]
        #vis struct #ident {}

        #(#inherited)*
        #[automatically_derived]
        impl #p::Mount for #ident {
            #[allow(deprecated)]
            fn mount(#blueprint: #p::Blueprint) -> #p::Blueprint {
                #(let #blueprint = #endpoints;)*
                #blueprint
            }
        }

        #uncollected
        #mistakes
    }
}

/// The blueprint with one more endpoint, once for each endpoint of a method.
pub(crate) fn mounted_endpoints<'a>(
    private: &'a Private,
    handler: &'a Handler,
    blueprint: &'a Ident,
) -> impl Iterator<Item = TokenStream> + 'a {
    handler.endpoints.iter().map(|endpoint| mounted(private, handler, endpoint, blueprint))
}

/// Asserts that the handler doesn't stand in the module of a blueprint, which hasn't seen it.
fn uncollected(private: &Private, handler: &Handler) -> TokenStream {
    let inherited = inherited(&handler.function.attrs);
    let ident = &handler.function.sig.ident;
    let message = format!(
        "`fn {ident}` would not be mounted: `#[blueprint]` collects the handlers that are written in its module, and this \
         one comes from a macro call or an `include!`; let the macro write the whole `#[blueprint] mod`, or call it outside \
         and collect what it writes: `blueprint_of![\"…\"; {ident}]`"
    );
    let span = Span::call_site().located_at(ident.span());
    let p = private.at(span);
    quote_spanned! {span=>
        #(#inherited)*
        const _: () = {
            #[allow(unused_imports)]
            use #p::OutsideOfBlueprints as _;
            #p::core::assert!(!#p::stands_in(|| #p::HandlerPlace.daebus_place(), #p::core::module_path!()), #message);
        };
    }
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
            let streams = output_of(&handler.function.sig.output, private).stream.is_some();
            let session = streams.then(|| quote!(.session()));
            let kind = if action.workflow.is_some() { quote!(Workflow) } else { quote!(Action) };
            (kind, quote!(Action(#name)), quote!(#timeout #concurrency #idempotent #session))
        }
        Checked::Listen(listen) => {
            let topic = topic(handler, &listen.topic, private);
            let concurrency = listen.concurrency.map(|most| quote!(.concurrency(#most)));
            let singleton = listen.singleton.then(|| quote!(.singleton()));
            (quote!(Listen), quote!(Listen(#topic)), quote!(#concurrency #singleton))
        }
        Checked::Socket(socket) => {
            let kind = &socket.kind;
            let timeout = within(private, socket.timeout);
            let concurrency = socket.concurrency.map(|most| quote!(.concurrency(#most)));
            (quote!(Socket), quote!(Socket(#kind)), quote!(#timeout #concurrency))
        }
        Checked::SocketBinary(socket) => {
            let timeout = within(private, socket.timeout);
            let concurrency = socket.concurrency.map(|most| quote!(.concurrency(#most)));
            (quote!(SocketBinary), quote!(SocketBinary), quote!(#timeout #concurrency))
        }
        Checked::Route(route) => {
            let route = route::expand(private, handler, route);
            return quote!(#p::Blueprint::route(#blueprint, #route));
        }
        Checked::Hook(hook, _) => {
            let (kind, trigger) = match hook {
                Hook::OnStart => (quote!(Hook), quote!(OnStart)),
                Hook::OnStop => (quote!(Hook), quote!(OnStop)),
                Hook::MemberJoined => (quote!(MemberHook), quote!(MemberJoined)),
                Hook::MemberLeft => (quote!(MemberHook), quote!(MemberLeft)),
                Hook::BusConnected => (quote!(Hook), quote!(BusConnected)),
                Hook::BusDisconnected => (quote!(Hook), quote!(BusDisconnected)),
            };
            (kind, trigger, quote!())
        }
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
    let arguments = handler.arguments.iter().enumerate().map(|(at, ty)| (variable(at), ty));
    let arguments = Extracted::new(arguments.collect());
    let declarations = arguments.declare(private, |ty| {
        let p = private.at(ty.span());
        quote_spanned!(ty.span()=> #p::argument::<#p::kind::#kind, #ty>)
    });
    let needs = arguments.needs(private);
    let schemas = schemas(private, handler, endpoint);
    let run = run(private, handler, &arguments, thread);
    let doc = Some(handler.doc()).filter(|doc| !doc.is_empty()).map(|doc| quote!(.doc(#doc)));
    quote! {{
        #declarations
        #p::Blueprint::endpoint(
            #blueprint,
            #p::Trigger::#trigger,
            #p::Endpoint::new(#p::Definition::new(#source, #needs) #rest #doc #schemas, #run),
        )
    }}
}

/// The channel of a listener. For an event of a contract, the payload's type is checked as well.
fn topic(handler: &Handler, topic: &Topic, private: &Private) -> TokenStream {
    let event = match topic {
        Topic::Name(name) => return quote!(#name),
        Topic::Event(event) => event,
    };
    let constant = Ident::new("event", Span::mixed_site());
    let checks = handler.arguments.iter().map(|ty| {
        let p = private.at(ty.span());
        quote_spanned!(ty.span()=> #p::takes_event(#constant, &#p::ArgumentProbe::<#ty>::taken());)
    });
    let p = private.here();
    quote! {{
        #[allow(unused_imports)]
        use #p::ArgumentProbeFallback as _;
        let #constant: #p::Event<_> = #event;
        #(#checks)*
        #constant.channel()
    }}
}

/// The closure that a message runs: extracts the arguments, calls the function, converts its value. `thread` is the name
/// of the thread that a plain `fn` has to itself.
fn run(
    private: &Private,
    handler: &Handler,
    arguments: &Extracted<'_>,
    thread: Option<&LitStr>,
) -> TokenStream {
    let p = private.here();
    let sig = &handler.function.sig;
    let ident = &sig.ident;
    // Mixed site: a function that is called `context` too is not shadowed.
    let context = Ident::new("context", Span::mixed_site());
    let extracts = arguments.extract(private, &context);
    let names: Vec<&Ident> = arguments.arguments.iter().map(|(variable, _)| variable).collect();
    let call = call(handler, &names);
    let call = if sig.asyncness.is_some() {
        quote!(#call.await)
    } else if let Some(thread) = thread {
        quote!(#p::on_thread(#thread, move || #call).await?)
    } else {
        quote!(#p::blocking(move || #call).await)
    };
    let span = match &sig.output {
        ReturnType::Default => ident.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let returned = private.at(span);
    let value = Ident::new("value", Span::mixed_site());
    let reply = quote_spanned!(span=> (&mut &mut &mut &mut &mut #returned::Ret(#returned::core::option::Option::Some(#value))).reply());
    let body = quote! {
        use #p::{ViaNothing as _, ViaResult as _, ViaResultStream as _, ViaStream as _, ViaValue as _};
        #extracts
        #p::core::mem::drop(#context);
        let #value = #call;
        #reply
    };
    closure(private, handler, &context, &quote!(#p::Context), &body)
}
