//! One annotated function, in four steps: tokens → function and raw attributes → checked handler → tokens.

mod expand;
mod marker;
mod model;
mod parse;
mod path_parameters;
mod shadowing;
mod signature;
mod spelling;
mod streams;
mod type_contents;
mod validate;

pub(crate) use expand::{mounted_endpoints, object};
pub(crate) use marker::{mark_collected, mark_unrecognised, refuse_cfg_attr};
pub(crate) use model::Handler;
pub(crate) use parse::Function;
pub(crate) use shadowing::shadows;
pub(crate) use signature::refuse_receiver;
pub(crate) use spelling::{
    Output, ReturnedStream, incoming_of, output_of, payload_of, progress_of, stream_item_of,
};
pub(crate) use type_contents::{borrow_in, contains_impl_trait, reference_in};
pub(crate) use validate::{validate, validate_method};

use proc_macro2::{Span, TokenStream};
use quote::quote;

use crate::attr::{Kind, RawAttribute};
use crate::mistakes::Mistakes;
use crate::private::Private;

/// Expands the first of our attributes on a function. It takes the others along.
pub(crate) fn expand(kind: Kind, arguments: TokenStream, item: &TokenStream) -> TokenStream {
    expand_with(Private::of_service(), kind, arguments, item)
}

fn expand_with(private: Private, kind: Kind, arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            mistakes.add(parse::explain(kind, item, error));
            let mistakes = mistakes.into_tokens();
            return quote!(#item #mistakes);
        }
    };
    let first = RawAttribute { kind, span: Span::call_site(), arguments };
    let handler = validate(Some(first), function, &mut mistakes);
    let private = private.under(handler.root.clone());
    expand::expand(&private, &handler, mistakes)
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::{Function, validate};
    use crate::mistakes::Mistakes;

    fn mistakes(function: proc_macro2::TokenStream) -> Vec<String> {
        let mut mistakes = Mistakes::default();
        let function: Function = syn::parse2(function).unwrap();
        validate(None, function, &mut mistakes);
        mistakes.messages()
    }

    #[test]
    fn a_function_with_several_attributes_is_one_handler() {
        let mut mistakes = Mistakes::default();
        let function = syn::parse2(quote! {
            #[action("a", timeout = "2s", concurrency = 1, idempotent)]
            #[daebus::action("b")]
            #[listen("c.*", concurrency = 8)]
            #[on_start]
            async fn f(Payload(x): Payload<u8>) -> Result<(), Oops> {}
        });
        let handler = validate(None, function.unwrap(), &mut mistakes);
        assert_eq!(mistakes.messages(), [""; 0]);
        assert_eq!(handler.endpoints.len(), 4);
        assert!(handler.function.attrs.is_empty());
    }

    #[test]
    fn every_mistake_of_a_function_is_found_at_once() {
        let found = mistakes(quote! {
            #[action("$stats", timeout = 2, concurrency = 0, idempotnt)]
            #[listen("daebus:x", concurrency = "8")]
            #[on_stop("now")]
            unsafe extern "C" fn f<'a, T>(a: Payload<T>, b: Payload<u8>, c: impl Send, d: &str) {}
        });
        assert_eq!(found.len(), 14, "{found:#?}");
    }
}
