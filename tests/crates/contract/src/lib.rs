//! What the service `user_service` and its callers agree on.

#![deny(warnings)]

use daebus_caller::{Fault, contract};
use serde::{Deserialize, Serialize};

/// Asks for one user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GetUser {
    /// Which.
    pub id: u64,
}

/// Somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Which.
    pub id: u64,
    /// Where to write to.
    pub email: String,
}

/// How far an import is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// So many.
    pub users: usize,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault, PartialEq)]
pub enum UserError {
    /// There is no such user.
    #[error("user {id} not found")]
    #[fault(status = 404)]
    NotFound {
        /// Which.
        id: u64,
    },
    /// Somebody else has it.
    #[error("{0} is taken")]
    #[fault(code = "taken", status = 409)]
    EmailTaken(String),
}

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum UserEvent {
    /// There is somebody new.
    Created {
        /// Who.
        id: u64,
    },
}

/// A module of its own: the contract is found under its path all the same.
pub mod nested {
    use super::{Deserialize, GetUser, Imported, Serialize, User, UserError, UserEvent, contract};

    /// One row of an import.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub struct NewUser {
        /// Where to write to.
        pub email: String,
    }

    /// People.
    #[contract("user_service")]
    pub trait Users {
        /// Finds one.
        #[action("get_user", idempotent)]
        async fn get_user(query: GetUser) -> Result<User, UserError>;
        /// Adds many.
        #[action("import", progress = Imported)]
        async fn import(rows: Vec<NewUser>) -> Result<Imported, UserError>;
        /// How many there are.
        #[action("count")]
        async fn count() -> usize;
        /// Something happened to somebody.
        #[event("user_events")]
        fn user_event(event: UserEvent);
    }
}

pub use nested::{NewUser, Users, UsersCaller};

/// A second contract of the same name, and one that only this crate sees.
pub mod other {
    use daebus_caller::contract;

    /// Other people.
    #[contract("other_service")]
    pub trait Users {
        /// Forgets everything.
        #[action("clear")]
        async fn clear();
    }

    #[contract("third_service")]
    pub(crate) trait Inner {
        #[action("clear")]
        async fn clear();
    }
}
