//! A contract under a keyword's name, and two contracts that are the same: both compile, so the only error is the last.

use daebus::prelude::*;

#[contract("users")]
#[allow(non_camel_case_types)]
pub trait r#type {
    #[action("r#get")]
    async fn r#get(r#fn: u8) -> u8;
    #[event("events")]
    fn r#match(r#fn: u8);
}

mod first {
    #[daebus::contract("twice")]
    pub trait Twice {
        #[action("a")]
        async fn a(number: u8) -> u8;
    }
}

mod second {
    #[daebus::contract("twice")]
    pub trait Twice {
        #[action("a")]
        async fn a(number: u8) -> u8;
    }
}

#[blueprint("b", contract = r#type)]
mod users {
    use super::*;

    #[action("r#get")]
    async fn r#get(Payload(number): Payload<u8>) -> u8 {
        number
    }
}

#[blueprint("b", contract = first::Twice)]
mod of_first {
    use super::*;

    #[action("a")]
    async fn a(Payload(number): Payload<u8>) -> u8 {
        number
    }
}

#[blueprint("b", contract = second::Twice)]
mod of_second {
    use super::*;

    #[action("b")]
    async fn b() {}
}

fn callers(caller: daebus::Caller) {
    let _ = (typeCaller::new(caller.clone()), first::TwiceCaller::new(caller.clone()), second::TwiceCaller::new(caller));
}

fn main() {
    let _ = callers;
}
