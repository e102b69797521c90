//! Whether a type contains an `impl Trait` or a borrow.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};
use syn::{Generics, Lifetime, ParenthesizedGenericArguments, Type, TypeFnPtr};

/// Whether a type says `impl Trait` anywhere.
pub(crate) fn contains_impl_trait(ty: &Type) -> bool {
    struct FindImplTrait(bool);
    impl VisitMut for FindImplTrait {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            self.0 |= matches!(ty, Type::ImplTrait(_));
            visit_mut::visit_type_mut(self, ty);
        }
    }
    let mut find = FindImplTrait(false);
    find.visit_type_mut(&mut ty.clone());
    find.0
}

/// The first reference in a type, `'static` or not.
pub(crate) fn reference_in(ty: &Type) -> Option<TokenStream> {
    struct FindReference(Option<TokenStream>);
    impl VisitMut for FindReference {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if matches!(ty, Type::Reference(_)) {
                self.0.get_or_insert(ty.to_token_stream());
            }
            visit_mut::visit_type_mut(self, ty);
        }
    }
    let mut find = FindReference(None);
    find.visit_type_mut(&mut ty.clone());
    find.0
}

/// The first reference or lifetime in a type that isn't `'static`. A lifetime parameter in `generics` is the caller's to
/// report.
pub(crate) fn borrow_in(ty: &Type, generics: &Generics) -> Option<TokenStream> {
    struct FindBorrow<'a> {
        generics: &'a Generics,
        found: Option<TokenStream>,
    }
    impl VisitMut for FindBorrow<'_> {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::Reference(reference) = ty
                && reference.lifetime.is_none()
            {
                self.found.get_or_insert(reference.to_token_stream());
            }
            visit_mut::visit_type_mut(self, ty);
        }

        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            let is_parameter = self.generics.lifetimes().any(|parameter| parameter.lifetime == *lifetime);
            if lifetime.ident != "static" && !is_parameter {
                self.found.get_or_insert(lifetime.to_token_stream());
            }
        }

        // In `fn(&str)` and `Fn(&str)` the reference belongs to whoever calls.
        fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}
        fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut ParenthesizedGenericArguments) {}
    }
    let mut find = FindBorrow { generics, found: None };
    find.visit_type_mut(&mut ty.clone());
    find.found
}
