//! The attributes of Daebus. Use them through `daebus` or `daebus-caller`, where each one's documentation is.
//!
//! Every macro is a pipeline of four steps, one file each: *parse* (tokens → raw), *model* (what a checked one looks
//! like), *validate* (raw → checked, all mistakes collected) and *expand* (checked → tokens, which can't fail).

// Documentation here would show up a second time, below that of the re-exports.
#![allow(missing_docs)]

mod assertion;
mod attr;
mod blueprint;
mod contract;
mod endpoint;
mod fault;
mod inherited;
mod mistakes;
mod names;
mod private;
mod stub;
mod suggestion;

use proc_macro::TokenStream;

#[proc_macro_attribute]
pub fn action(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Action, arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Workflow, arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn listen(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Listen, arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn socket(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Socket, arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn socket_binary(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::SocketBinary, arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn socket_connect(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::SocketConnect, arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn socket_disconnect(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::SocketDisconnect, arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn socket_register(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::SocketRegister, arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn route(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Route, arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn on_start(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Hook(attr::Hook::OnStart), arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn on_stop(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Hook(attr::Hook::OnStop), arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn member_joined(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Hook(attr::Hook::MemberJoined), arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn member_left(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Hook(attr::Hook::MemberLeft), arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn bus_connected(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Hook(attr::Hook::BusConnected), arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn bus_disconnected(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Hook(attr::Hook::BusDisconnected), arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn background(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Background, arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn thread(arguments: TokenStream, item: TokenStream) -> TokenStream {
    endpoint::expand(attr::Kind::Thread, arguments.into(), &item.into()).into()
}

#[proc_macro_attribute]
pub fn blueprint(arguments: TokenStream, item: TokenStream) -> TokenStream {
    blueprint::expand(arguments.into(), &item.into()).into()
}

#[proc_macro]
pub fn blueprint_of(tokens: TokenStream) -> TokenStream {
    blueprint::expand_of(tokens.into()).into()
}

#[proc_macro_derive(Fault, attributes(fault))]
pub fn fault(item: TokenStream) -> TokenStream {
    fault::expand(item.into()).into()
}

#[proc_macro_attribute]
pub fn contract(arguments: TokenStream, item: TokenStream) -> TokenStream {
    contract::expand(arguments.into(), &item.into()).into()
}

#[doc(hidden)]
#[proc_macro]
pub fn check_contract(tokens: TokenStream) -> TokenStream {
    contract::expand_check(tokens.into()).into()
}
