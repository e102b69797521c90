//! A blueprint that lacks what its contract has.

use daebus::prelude::*;

#[blueprint("users", contract = daebus_tests_contract::Users)]
mod users {
    use super::*;

    #[action("count")]
    async fn count() -> usize {
        0
    }

    #[action("more")]
    async fn more() {}

    #[cfg(any())]
    #[action("import")]
    async fn import() {}
}

pub trait NoContract {}

#[blueprint("others", contract = NoContract)]
mod others {
    #[daebus::action("a")]
    fn a() {}
}

fn main() {}
