//! What a handler that takes or returns a stream, or a workflow, can't have.

use syn::spanned::Spanned as _;
use syn::{ReturnType, Signature, Type};

use super::spelling::{ReturnedStream, incoming_of, is_dialog, progress_of, stream_of};
use crate::attr::Checked;
use crate::mistakes::Mistakes;

pub(super) fn check(sig: &Signature, arguments: &[Type], endpoints: &[Checked], mistakes: &mut Mistakes) {
    let workflows = || {
        endpoints.iter().filter_map(|endpoint| match endpoint {
            Checked::Action(action) => action.workflow.as_ref().map(|_| &action.name),
            _ => None,
        })
    };
    let returned = stream_of(&sig.output);
    if let (Some(name), false) = (workflows().next(), arguments.iter().any(is_dialog)) {
        mistakes.at(
            sig.ident.span(),
            format!(
                "a workflow takes a `Dialog`, to ask its caller questions: `async fn {}(mut dialog: Dialog)`; \
                 without one it is an action: `#[action(\"{}\")]`",
                sig.ident,
                name.value()
            ),
        );
    }
    if let ReturnType::Type(_, ty) = &sig.output {
        match returned {
            Some(ReturnedStream::OfOthers) => mistakes.on(
                ty,
                "the items of a stream are results, since a stream can fail at any time: `impl Stream<Item = Result<T, E>>`",
            ),
            Some(ReturnedStream::OfResults) if workflows().next().is_some() => {
                mistakes.on(ty, "a workflow returns one answer; `dialog.tell(…)` sends what comes before");
            }
            _ => {}
        }
    }
    let streams = returned.is_some();
    let incoming = arguments.iter().find(|ty| incoming_of(ty).is_some());
    for endpoint in endpoints {
        let Some(what) = not_an_action(endpoint) else { continue };
        if streams && !matches!(endpoint, Checked::Route(_)) {
            mistakes.on(&sig.output, format!("{what} can't answer with a stream; actions and routes can"));
        }
        if let Some(incoming) = incoming.filter(|_| is_message(endpoint)) {
            mistakes.on(incoming, format!("{what} receives one message, and no stream; only an action can"));
        }
    }
    let progress = arguments.iter().find(|ty| progress_of(ty).is_some());
    if let Some(progress) = progress.filter(|_| streams || incoming.is_some()) {
        mistakes.at(
            progress.span(),
            "a call with a stream has no progress: let the items of the returned stream report it",
        );
    }
}

/// The endpoint in a message; `None` for an action.
fn not_an_action(endpoint: &Checked) -> Option<&'static str> {
    match endpoint {
        Checked::Action(_) => None,
        Checked::Listen(_) => Some("a listener"),
        Checked::Socket(_) | Checked::SocketBinary(_) => Some("a WebSocket handler"),
        Checked::Route(_) => Some("a route"),
        Checked::Hook(..) => Some("a hook"),
        Checked::Background(_) => Some("a schedule"),
        Checked::Thread(_) => Some("a thread"),
    }
}

/// Whether the trait of the extractor would report its absence a second time elsewhere is decided by the compiler; these have
/// messages that look like a stream.
fn is_message(endpoint: &Checked) -> bool {
    matches!(endpoint, Checked::Listen(_) | Checked::Socket(_) | Checked::SocketBinary(_) | Checked::Route(_))
}
