//! Handlers that a macro call produces inside of a blueprint.

use daebus::prelude::*;

macro_rules! handler {
    ($name:ident, $action:literal) => {
        #[action($action)]
        async fn $name() {}
    };
}

#[blueprint("calls")]
mod calls {
    use super::*;

    #[action("written")]
    async fn written() {}

    thread_local! {
        static ONE: u8 = 1;
    }

    handler!(called, "called");
}

#[blueprint("includes")]
mod includes {
    use super::*;

    #[action("written")]
    async fn written() {}

    include!("included_handlers/users.rs");
}

#[blueprint("only_calls")]
mod only_calls {
    use super::*;

    handler!(called, "called");
}

// Only the blueprint's own module counts: here the handler is collected by name.
#[blueprint("inner")]
mod inner {
    use super::*;

    thread_local! {
        static ONE: u8 = 1;
    }

    #[action("written")]
    async fn written() {}

    #[blueprint("innermost")]
    mod innermost {
        use super::*;

        #[action("deep")]
        async fn deep() {}
    }
}

handler!(alone, "alone");

fn main() {
    let _ = blueprint_of!["collected"; alone];
}
