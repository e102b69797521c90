//! A handler, checked.

use syn::{Attribute, Path, Type};

use super::parse::Function;
use crate::attr::{Action, Checked, literal};

/// An annotated function: what the attributes say, and what they need to know of the function.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Handler {
    /// The function as its author wrote it, without our attributes.
    pub(crate) function: Function,
    /// The path of the framework, if an attribute has `crate = path`.
    pub(crate) root: Option<Path>,
    /// What reaches it.
    pub(crate) endpoints: Vec<Checked>,
    /// The extractors, in order.
    pub(crate) arguments: Vec<Type>,
    /// A struct can stand beside it. Not in an `impl` or a `trait`, where a function with `self` is, and not when there
    /// is one already.
    pub(crate) has_struct: bool,
    /// It is a method of a blueprint's object. `function` is without `self` then.
    pub(crate) is_method: bool,
    /// The blueprint around it has collected it.
    pub(crate) is_collected: bool,
    /// Its types can be named elsewhere.
    pub(crate) signature_is_sound: bool,
}

impl Handler {
    /// The actions among its endpoints.
    pub(crate) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.endpoints.iter().filter_map(|endpoint| match endpoint {
            Checked::Action(action) => Some(&**action),
            _ => None,
        })
    }

    /// Its name, without `r#`.
    pub(crate) fn name(&self) -> String {
        syn::ext::IdentExt::unraw(&self.function.sig.ident).to_string()
    }

    /// Its documentation comment as one text; empty when there is none.
    pub(crate) fn doc(&self) -> String {
        let lines: Vec<String> = self.function.attrs.iter().filter_map(doc_line).collect();
        lines.join("\n").trim().to_owned()
    }
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        syn::Meta::NameValue(doc) if doc.path.is_ident("doc") => match literal(&doc.value) {
            Some(syn::Lit::Str(line)) => {
                let line = line.value();
                Some(line.strip_prefix(' ').map_or(line.clone(), str::to_owned))
            }
            _ => None,
        },
        _ => None,
    }
}
