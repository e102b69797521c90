//! What to do about a module whose body is in another file.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

/// The use of a deprecated item whose note says what to write, so that rustc shows it as a warning.
///
/// rustc reports E0658 on an attribute macro on a module in a file of its own, and a second error would be one too many.
/// Once rust-lang/rust#54727 is stable, the module compiles without mounting any of its handlers, so this must become an
/// error again. `tests/ui/blueprint_of_a_file.stderr` pins E0658: that test fails when it is gone.
pub(super) fn advice(ident: &Ident, why: &str) -> TokenStream {
    let note = format!(
        "`#[blueprint]` needs the body of its module, and {why} collect the handlers in that file: \
         `pub fn blueprint() -> Blueprint {{ blueprint_of![\"{ident}\"; get_user, create_user] }}`"
    );
    let name = Ident::new("blueprint_in_another_file", ident.span());
    quote! {
        const _: () = {
            #[deprecated(note = #note)]
            #[allow(non_upper_case_globals)]
            const #name: () = ();
            #name
        };
    }
}
