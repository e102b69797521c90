//! Attributes that can't be seen for what they are, because they were imported under another name.
//!
//! Whoever expands first, the module's `blueprint` or the function's first attribute, sees only names. Where it
//! meets an attribute it doesn't know, it leaves a note behind the function's attributes: a tool's attribute, since
//! those mean nothing to the compiler. If the unknown one turns out to be one of ours, it finds the note and refuses.

use syn::{Attribute, parse_quote};

use crate::attr::Kind;
use crate::inherited::cfg_attr;
use crate::mistakes::Mistakes;

/// Attributes of the compiler and its tools, which expand to nothing.
const INERT: [&str; 22] = [
    "allow",
    "automatically_derived",
    "cfg",
    "cfg_attr",
    "clippy",
    "cold",
    "deny",
    "deprecated",
    "diagnostic",
    "doc",
    "expect",
    "forbid",
    "ignore",
    "inline",
    "must_use",
    "no_mangle",
    "rustfmt",
    "should_panic",
    "target_feature",
    "test",
    "track_caller",
    "warn",
];

/// Leaves the note when one of the attributes is unknown.
pub(crate) fn mark_unrecognised(attrs: &mut Vec<Attribute>) {
    let known = |attribute: &Attribute| {
        attribute.path().segments.first().is_some_and(|first| INERT.iter().any(|inert| first.ident == inert))
    };
    if !attrs.iter().all(known) {
        attrs.push(parse_quote!(#[rustfmt::daebus_did_not_see_this]));
    }
}

/// Whether the note is there.
pub(super) fn is_marked(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attribute| is_note(attribute, "daebus_did_not_see_this"))
}

fn is_note(attribute: &Attribute, name: &str) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == name)
}

/// Leaves a note that the blueprint around the function has collected it.
pub(crate) fn mark_collected(attrs: &mut Vec<Attribute>) {
    attrs.push(parse_quote!(#[rustfmt::daebus_collected]));
}

/// Removes the note that the blueprint around the function has collected it. Returns whether it was there.
pub(super) fn take_collected(attrs: &mut Vec<Attribute>) -> bool {
    let before = attrs.len();
    attrs.retain(|attribute| !is_note(attribute, "daebus_collected"));
    attrs.len() < before
}

/// `#[cfg_attr(test, action("x"))]` in a module would come to light only after the blueprint was put together.
pub(crate) fn refuse_cfg_attr(attrs: &[Attribute], mistakes: &mut Mistakes) {
    for attribute in attrs {
        for meta in cfg_attr(&attribute.meta).into_iter().flat_map(|(_, metas)| metas) {
            if let Some(kind) = meta.path().segments.last().and_then(|last| Kind::by_name(&last.ident)) {
                let name = kind.name();
                mistakes.on(
                    meta.path(),
                    format!("`{name}` can't come from a `cfg_attr`: put `#[cfg(…)]` on the function, beside `#[{name}]`"),
                );
            }
        }
    }
}
