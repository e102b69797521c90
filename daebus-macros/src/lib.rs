//! The attributes of Daebus. Use them through `daebus` or `daebus-caller`, where each one's documentation is.
//!
//! Every macro is a pipeline of four steps, one file each: *parse* (tokens → raw), *model* (what a checked one looks
//! like), *validate* (raw → checked, all mistakes collected) and *expand* (checked → tokens, which can't fail).

mod attr;
mod blueprint;
mod contract;
mod diagnostics;
mod endpoint;
mod fault;
mod guess;
mod names;
mod paths;
mod stub;

use proc_macro::TokenStream;

/// Answers an action. See `daebus::action`.
#[proc_macro_attribute]
pub fn action(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Action, arguments.into(), item.into()).into()
}

/// Hears a channel. See `daebus::listen`.
#[proc_macro_attribute]
pub fn listen(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Listen, arguments.into(), item.into()).into()
}

/// Answers messages that WebSocket clients send. See `daebus::socket`.
#[proc_macro_attribute]
pub fn socket(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Socket, arguments.into(), item.into()).into()
}

/// Lets WebSocket clients in. See `daebus::socket_connect`.
#[proc_macro_attribute]
pub fn socket_connect(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::SocketConnect, arguments.into(), item.into()).into()
}

/// Runs when a WebSocket client has gone. See `daebus::socket_disconnect`.
#[proc_macro_attribute]
pub fn socket_disconnect(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::SocketDisconnect, arguments.into(), item.into()).into()
}

/// Hears who a WebSocket client is. See `daebus::socket_register`.
#[proc_macro_attribute]
pub fn socket_register(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::SocketRegister, arguments.into(), item.into()).into()
}

/// Answers HTTP requests to a path. See `daebus::route`.
#[proc_macro_attribute]
pub fn route(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Route, arguments.into(), item.into()).into()
}

/// Runs before the service answers anything. See `daebus::on_start`.
#[proc_macro_attribute]
pub fn on_start(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::OnStart, arguments.into(), item.into()).into()
}

/// Runs once nothing is in flight any more. See `daebus::on_stop`.
#[proc_macro_attribute]
pub fn on_stop(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::OnStop, arguments.into(), item.into()).into()
}

/// Collects the handlers of a module. See `daebus::blueprint`.
#[proc_macro_attribute]
pub fn blueprint(arguments: TokenStream, item: TokenStream) -> TokenStream {
    blueprint::expand(arguments.into(), item.into()).into()
}

/// Collects handlers by name. See `daebus::blueprint_of`.
#[proc_macro]
pub fn blueprint_of(tokens: TokenStream) -> TokenStream {
    blueprint::expand_of(tokens.into()).into()
}

/// Makes an error travel. See `daebus::Fault`.
#[proc_macro_derive(Fault, attributes(fault))]
pub fn fault(item: TokenStream) -> TokenStream {
    fault::expand(item.into()).into()
}

/// Says what a service and its callers agree on. See `daebus::contract`.
#[proc_macro_attribute]
pub fn contract(arguments: TokenStream, item: TokenStream) -> TokenStream {
    contract::expand(arguments.into(), item.into()).into()
}

/// What a contract calls back to check a blueprint.
#[doc(hidden)]
#[proc_macro]
pub fn check_contract(tokens: TokenStream) -> TokenStream {
    contract::expand_check(tokens.into()).into()
}
