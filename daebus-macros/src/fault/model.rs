//! An error type, checked.

use syn::{Ident, Member, Path, Type};

/// An enum, or a struct as an enum of one.
pub(super) struct ErrorType {
    pub(super) ident: Ident,
    /// The path of the framework, if there is a `crate = path`.
    pub(super) root: Option<Path>,
    pub(super) variants: Vec<Variant>,
}

pub(super) struct Variant {
    /// `None` for a struct.
    pub(super) ident: Option<Ident>,
    pub(super) fault: Fault,
}

/// How it travels.
pub(super) enum Fault {
    /// As `internal`: the peer learns no more than that, the log does.
    Internal,
    /// As the fault that the only field is.
    Transparent {
        member: Member,
        ty: Box<Type>,
    },
    Own {
        code: String,
        status: u16,
    },
}

impl ErrorType {
    /// The variants that are the fault in their field: what constructs one, and the field's type.
    pub(super) fn transparent(&self) -> impl Iterator<Item = (&Variant, &Member, &Type)> {
        self.variants.iter().filter_map(|variant| match &variant.fault {
            Fault::Transparent { member, ty } => Some((variant, member, &**ty)),
            _ => None,
        })
    }

    /// The codes that are this type's own.
    pub(super) fn codes(&self) -> Vec<&str> {
        let codes = self.variants.iter().filter_map(|variant| match &variant.fault {
            Fault::Own { code, .. } => Some(code.as_str()),
            Fault::Internal | Fault::Transparent { .. } => None,
        });
        codes.collect()
    }
}
