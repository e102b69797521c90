//! What a route may be: it compiles, and the handlers can be collected.

#![allow(missing_docs)]

use daebus::axum::http::StatusCode;
use daebus::prelude::*;

#[derive(Serialize, Deserialize)]
pub struct New {
    name: String,
}

#[action("new")]
#[route("/new", methods = ["PUT", "POST"], status = 201, timeout = "2s")]
#[route("/old/<type>")]
pub async fn new(Payload(new): Payload<New>, r#type: Kind) -> New {
    let _ = r#type;
    new
}

/// An extractor of its own, for every kind of handler, and a piece of a path.
pub struct Kind;

impl<K: daebus::kind::Kind> daebus::Extract<K> for Kind {
    async fn extract(_: &mut daebus::Context) -> Result<Self, daebus::Failure> {
        Ok(Self)
    }
}

impl std::str::FromStr for Kind {
    type Err = std::convert::Infallible;

    fn from_str(_: &str) -> Result<Self, Self::Err> {
        Ok(Self)
    }
}

#[route("/<request>/<value>/<rest..>")]
#[allow(clippy::unnecessary_wraps)] // a `Result` is what is tried here
fn names(request: String, mut value: u8, rest: String, headers: HeaderMap) -> Result<StatusCode, StatusCode> {
    value += 1;
    let _ = (request, value, rest, headers);
    Ok(StatusCode::OK)
}

#[blueprint("b")]
mod b {
    use super::*;

    #[route("/")]
    async fn root() {}
}

#[test]
fn every_form_of_a_route_compiles() {
    let _ = blueprint_of!["all"; new, names];
    let _ = b::blueprint();
}
