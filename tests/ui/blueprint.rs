//! The module of a blueprint.

use daebus::prelude::*;

#[blueprint]
mod unnamed {
    #[daebus::action("a")]
    fn a() {}
}

#[blueprint("")]
mod empty_name {
    #[daebus::action("a")]
    fn a() {}
}

#[blueprint("nothing")]
mod nothing {
    pub fn helper() {}
}

#[blueprint("twice")]
mod twice {
    use super::action;

    #[action("get_user")]
    fn get_user() {}

    #[action("get_user")]
    fn find_user() {}
}

#[blueprint("taken")]
mod taken {
    use super::action;

    pub struct Caller;

    pub fn blueprint() {}

    #[action("a")]
    fn a() {}

    #[action("b")]
    fn connect() {}
}

#[blueprint("imported")]
mod imported {
    use daebus::{Caller, action};

    #[action("a")]
    fn a(_: daebus::State<Caller>) {}
}

#[blueprint("nested")]
mod nested {
    use super::action;

    #[action("a")]
    fn a() {}

    mod inner {
        #[daebus::action("b")]
        fn b() {}
    }
}

#[blueprint("opaque")]
mod opaque {
    use super::{Serialize, action};

    #[action("a")]
    fn a() -> impl Serialize {
        7
    }
}

fn main() {}
