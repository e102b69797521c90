//! A type whose methods are handlers: `#[blueprint("shop")] impl Shop { … }`.

mod expand;
mod model;
mod parse;
mod validate;

pub(super) use parse::is_impl;

use proc_macro2::TokenStream;

use crate::attr::Arguments;
use crate::mistakes::Mistakes;
use crate::private::Private;

/// Expands the attribute on an `impl`.
pub(super) fn expand(
    private: &Private,
    arguments: Arguments,
    item: &TokenStream,
    mut mistakes: Mistakes,
) -> TokenStream {
    let object = match syn::parse2::<parse::Object>(item.clone()) {
        Ok(object) => object,
        Err(error) => {
            mistakes.add(error);
            return mistakes.into_tokens();
        }
    };
    let blueprint = validate::validate(arguments, object, private, &mut mistakes);
    expand::expand(private, &blueprint, mistakes)
}

#[cfg(test)]
mod tests {
    use proc_macro2::{Span, TokenStream};
    use quote::quote;

    use super::expand;
    use crate::attr::Arguments;
    use crate::mistakes::Mistakes;
    use crate::private::Private;

    fn check(arguments: TokenStream, item: &TokenStream, mistakes: usize) -> String {
        let mut found = Mistakes::default();
        let arguments = Arguments::read(arguments, "blueprint", Span::call_site(), &mut found);
        let tokens = expand(&Private::for_test(), arguments, item, found);
        let text = tokens.to_string();
        assert!(syn::parse2::<syn::File>(tokens).is_ok(), "{text}");
        assert_eq!(text.matches("compile_error").count(), mistakes, "{text}");
        text
    }

    #[test]
    fn an_impl_becomes_a_blueprint_and_a_caller() {
        let text = check(
            quote!("shop", contract = Orders),
            &quote! {
                impl Shop {
                    const LIMIT: u32 = 3;
                    pub fn new() -> Self { Self }
                    #[action("add")]
                    async fn add(&self, Payload(item): Payload<Item>) -> Result<Self, ShopError> { it() }
                    #[route("/items/<id>")]
                    fn item(&self, id: u32) -> String { it() }
                }
            },
            0,
        );
        for expected in ["struct ShopCaller", "fn blueprint", "Call < Shop ,", "Self :: add (& object"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }

    #[test]
    fn mistakes_are_reported_together() {
        check(
            quote!("shop"),
            &quote! {
                impl<T> Shop<T> where T: Send {
                    fn blueprint() {}
                    #[action("a")] async fn a() {}
                    #[action("b")] async fn b(&mut self) {}
                    #[action("c")] async fn c(self: Arc<Self>) {}
                    #[action("c")] async fn d<U>(&self) {}
                }
            },
            7,
        );
    }
}
