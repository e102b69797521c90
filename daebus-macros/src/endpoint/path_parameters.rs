//! The parameters of a route's path, and the arguments of the same name.

use syn::ext::IdentExt as _;
use syn::{FnArg, Pat, Signature};

use crate::attr::Route;
use crate::mistakes::Mistakes;
use crate::suggestion::suggestion;

/// Every `<name>` has its argument. The other way round the compiler knows: an argument that is neither in the path nor
/// an extractor doesn't fit.
pub(super) fn check(route: &Route, sig: &Signature, mistakes: &mut Mistakes) {
    let arguments: Vec<String> = sig.inputs.iter().filter_map(argument_name).collect();
    for parameter in &route.parameters {
        if arguments.contains(parameter) {
            continue;
        }
        let names: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let near = Some(suggestion(parameter, &names)).filter(|near| near.contains("did you mean"));
        let near =
            near.unwrap_or_else(|| format!("; add one, `{parameter}: String` or of any type with `FromStr`"));
        mistakes.on(&route.pattern, format!("`<{parameter}>` has no argument of its name{near}"));
    }
}

/// The name of an argument that is one name.
pub(super) fn argument_name(argument: &FnArg) -> Option<String> {
    match argument {
        FnArg::Typed(argument) => match &*argument.pat {
            Pat::Ident(name) => Some(name.ident.unraw().to_string()),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    }
}
