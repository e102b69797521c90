//! What the attributes expand to has to hold here: no prelude, another name for the framework, every lint an error,
//! and types of the user's own under the names that everybody else's code takes for granted.

#![no_implicit_prelude]
#![allow(clippy::wildcard_imports)]
#![deny(warnings, missing_docs, unreachable_pub, missing_debug_implementations)]

use ::bus::{Payload, Progress, State, action, blueprint, listen, on_start, on_stop};

/// A user's own.
#[derive(::core::fmt::Debug, ::core::clone::Clone, ::serde::Serialize, ::serde::Deserialize)]
pub struct Option {
    /// Whatever.
    pub value: ::core::primitive::u64,
}

/// A user's own, which is no `Result` at all.
#[derive(::core::fmt::Debug, ::core::clone::Clone, ::serde::Serialize, ::serde::Deserialize)]
pub struct Result {
    /// Whatever.
    pub some: Some,
}

/// A user's own.
#[derive(::core::fmt::Debug, ::core::clone::Clone, ::serde::Serialize, ::serde::Deserialize)]
pub struct Some;

/// A user's own.
#[derive(::core::fmt::Debug, ::core::clone::Clone, ::serde::Serialize, ::serde::Deserialize)]
pub struct Vec;

/// A user's own.
#[derive(::core::fmt::Debug, ::core::clone::Clone, ::serde::Serialize, ::serde::Deserialize)]
pub struct String;

/// An error.
#[derive(::core::fmt::Debug, ::thiserror::Error, ::serde::Serialize, ::serde::Deserialize, ::bus::Fault)]
#[error("no")]
pub struct No;

/// Another.
#[derive(::core::fmt::Debug, ::thiserror::Error, ::serde::Serialize, ::serde::Deserialize, ::bus::Fault)]
pub enum Never {}

/// A blueprint.
#[blueprint("options")]
pub mod options {
    use super::*;

    /// Private to this module.
    #[derive(::core::fmt::Debug, ::core::clone::Clone, ::serde::Serialize, ::serde::Deserialize)]
    struct Inner {
        at: ::core::primitive::u8,
    }

    /// A raw name, and a keyword for an argument.
    #[action("type", timeout = "1s", idempotent, concurrency = 2)]
    pub async fn r#type(Payload(r#match): Payload<Option>) -> Result {
        let _ = r#match;
        Result { some: Some }
    }

    /// A pattern that takes the payload apart.
    #[action("pattern")]
    pub async fn pattern(
        Payload(Option { value }): Payload<Option>,
        State(_): State<&'static ::core::primitive::str>,
        _: Progress<Vec>,
    ) -> ::core::result::Result<String, No> {
        if value == 0 { ::core::result::Result::Err(No) } else { ::core::result::Result::Ok(String) }
    }

    /// Nothing comes in, and an alias of the standard library's goes out.
    #[action("nothing")]
    pub fn nothing() -> ::core::result::Result<(), Never> {
        ::core::result::Result::Ok(())
    }

    /// The names that generated code uses for itself.
    #[action("context")]
    pub async fn context(mut context: Payload<Option>) -> Vec {
        context.0.value += 1;
        let _ = context;
        Vec
    }

    #[action("argument0")]
    async fn argument0(payload: Payload<Inner>) -> Inner {
        payload.0
    }

    #[action("value")]
    pub(crate) async fn value() -> ::core::primitive::u8 {
        7
    }

    /// There is one of this with each feature.
    #[cfg(feature = "on")]
    #[action("switch")]
    pub async fn switch() -> ::core::primitive::bool {
        true
    }

    #[action("switch")]
    #[cfg(not(feature = "on"))]
    pub async fn switch() -> MissingType {
        not_here()
    }

    #[cfg(feature = "off")]
    #[listen("not_here")]
    async fn not_here(missing: MissingType) {}

    /// Another attribute around it.
    #[listen("option_events", concurrency = 3)]
    #[allow(clippy::used_underscore_binding)]
    #[cfg_attr(feature = "on", inline)]
    async fn heard(_event: Payload<Option>) {}

    #[on_start]
    async fn warm_up() -> ::core::result::Result<(), ::bus::BoxError> {
        ::core::result::Result::Ok(())
    }

    #[on_stop]
    fn flush() {}
}

/// Lints that are allowed or expected on a handler, and one left out by a `cfg` inside of a `cfg_attr`.
pub mod lints {
    use ::bus::{Payload, action, blueprint, contract};

    /// Deprecated, as an error may be.
    #[derive(
        ::core::fmt::Debug, ::thiserror::Error, ::serde::Serialize, ::serde::Deserialize, ::bus::Fault,
    )]
    #[error("old")]
    #[deprecated]
    pub struct OldError;

    /// Deprecated, as a payload may be.
    #[derive(::core::fmt::Debug, ::serde::Serialize, ::serde::Deserialize)]
    #[deprecated]
    pub struct Old;

    /// A contract with the same types.
    #[contract("lints")]
    pub trait Lints {
        /// Takes and returns what is deprecated.
        #[action("old")]
        #[allow(deprecated)]
        async fn old(old: Old) -> ::core::result::Result<Old, OldError>;
    }

    /// The blueprint.
    #[blueprint("lints", contract = super::lints::Lints)]
    pub mod handlers {
        use super::*;

        /// The name is not in snake case.
        #[allow(non_snake_case)]
        #[action("camel")]
        pub async fn camelCase() {}

        /// The name is not in snake case either.
        #[action("expected")]
        #[expect(non_snake_case, reason = "it is expected")]
        pub async fn expectedCase(Payload(number): Payload<::core::primitive::u8>) {
            let _ = number;
        }

        /// The condition comes from a `cfg_attr`.
        #[action("conditional")]
        #[cfg_attr(feature = "on", expect(non_snake_case), cfg_attr(not(feature = "off"), inline))]
        pub async fn conditionalCase() {}

        /// Takes and returns what is deprecated.
        #[action("old")]
        #[allow(deprecated)]
        pub async fn old(Payload(old): Payload<Old>) -> ::core::result::Result<Old, OldError> {
            ::core::result::Result::Ok(old)
        }

        #[action("left_out")]
        #[cfg_attr(feature = "on", cfg(feature = "off"))]
        async fn left_out(missing: MissingType) {}
    }
}

pub use collected::blueprint;

/// Handlers by themselves, and a private blueprint.
mod collected {
    use ::bus::{Blueprint, action, blueprint, blueprint_of};

    /// One.
    #[action("one")]
    async fn one() {}

    pub(super) mod deeper {
        /// Two.
        #[::bus::action("two")]
        pub(crate) fn two() {}
    }

    #[blueprint("hidden")]
    mod hidden {
        use super::action;

        #[action("three")]
        async fn three() {}
    }

    /// All of them.
    #[must_use]
    pub fn blueprint() -> Blueprint {
        let _ = hidden::blueprint();
        blueprint_of!["collected"; one, deeper::two,]
    }
}

/// The contract of another crate, offered here.
pub mod contracted {
    use ::bus::blueprint;
    use ::daebus_tests_contract as api;

    /// All of it, and one more.
    #[blueprint("users", contract = api::Users)]
    pub mod users {
        use ::bus::{Payload, Progress, action};
        use ::daebus_tests_contract::{GetUser, Imported, NewUser, User, UserError};
        use ::std::vec::Vec;

        type Answered<T> = ::core::result::Result<T, UserError>;

        #[derive(::core::fmt::Debug, ::serde::Serialize, ::serde::Deserialize)]
        struct Private;

        /// Finds one.
        #[action("get_user", answer = User, error = UserError)]
        pub async fn find(Payload(query): Payload<GetUser>) -> Answered<User> {
            ::core::result::Result::Err(UserError::NotFound { id: query.id })
        }

        /// Adds many.
        #[action("import")]
        pub async fn import(
            Payload(rows): Payload<Vec<NewUser>>,
            progress: Progress<Imported>,
        ) -> ::core::result::Result<Imported, UserError> {
            let _ = progress;
            ::core::result::Result::Ok(Imported { users: rows.len() })
        }

        /// Counts.
        #[action("count")]
        pub async fn count() -> ::core::primitive::usize {
            0
        }

        #[action("more")]
        async fn more(Payload(private): Payload<Private>) -> Private {
            private
        }
    }

    #[::bus::contract("here")]
    trait Here {
        #[action("one")]
        async fn one(payload: ::core::primitive::u8) -> ::core::result::Result<(), super::No>;
        #[event("ones")]
        fn two(payload: ::core::primitive::u8);
    }

    #[blueprint("here", contract = self::Here)]
    mod here {
        use ::bus::{Payload, action};

        #[action("one")]
        async fn one(
            Payload(one): Payload<::core::primitive::u8>,
        ) -> ::core::result::Result<(), super::super::No> {
            let _ = one;
            ::core::result::Result::Ok(())
        }
    }

    /// Both sides.
    pub fn both(caller: ::bus::Caller) -> (::bus::Blueprint, impl ::core::fmt::Debug) {
        (here::blueprint(), HereCaller::new(caller))
    }
}
