//! Types that only the typed caller of a blueprint can't use.

use daebus::prelude::*;

#[derive(Deserialize)]
pub struct OnlyRead;

#[derive(Serialize)]
pub struct OnlyWritten;

#[derive(Debug)]
pub struct Oops;

#[blueprint("users")]
mod users {
    use super::*;

    #[action("b")]
    async fn payload_without_serialize(_: Payload<OnlyRead>) {}

    #[action("c")]
    async fn answer_without_deserialize() -> OnlyWritten {
        OnlyWritten
    }

    #[action("d")]
    async fn answer_in_a_result() -> Result<OnlyWritten, BoxError> {
        Ok(OnlyWritten)
    }

    #[action("e")]
    async fn no_fault() -> Result<(), Oops> {
        Err(Oops)
    }

    #[action("f")]
    async fn progress_without_deserialize(_: Progress<OnlyWritten>) {}

    #[action("g", error = Oops)]
    async fn error_argument() -> Result<(), BoxError> {
        Ok(())
    }
}

#[blueprint("borrowed")]
mod borrowed {
    use super::*;

    #[action("a")]
    async fn borrowed() -> &'static str {
        "a"
    }
}

#[contract("user_service")]
pub trait Users {
    #[action("a")]
    async fn payload(query: OnlyRead);
    #[action("b")]
    async fn answer() -> OnlyWritten;
    #[action("c")]
    async fn error() -> Result<(), Oops>;
}

// Without a caller, or with other types for it, all of this compiles.
#[blueprint("silent", caller = false)]
mod silent {
    use super::*;

    pub struct Caller;

    #[action("a")]
    async fn borrowed(_: Payload<OnlyRead>, _: Progress<OnlyWritten>) -> &'static str {
        let _ = Caller;
        "a"
    }

    #[action("b")]
    async fn connect() -> Result<OnlyWritten, BoxError> {
        Ok(OnlyWritten)
    }

    type Answer = Result<u8, BoxError>;

    #[action("c")]
    async fn opaque() -> Answer {
        Ok(7)
    }
}

#[blueprint("said")]
mod said {
    use super::*;

    #[action("a", payload = u8, answer = String, progress = u8)]
    async fn borrowed(_: Payload<OnlyRead>, _: Progress<OnlyWritten>) -> &'static str {
        "a"
    }
}

fn main() {}
