//! Parameters of a path, read by their type.

use std::fmt::Display;
use std::str::FromStr;

use axum::http::StatusCode;

use super::refusal::Refusal;
use super::request::RouteRequest;
use crate::handler::Failure;
use crate::http::problem::invalid_path;

/// What a `<name>` of a pattern can be read as: whatever has a `FromStr`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be read from a path",
    label = "this argument stands for a parameter of the pattern",
    note = "numbers, `bool`, `String`, `Uuid` and whatever implements `FromStr` with an error that can be displayed can"
)]
pub trait PathParameter: Sized {
    /// Why a text can't be read as the type.
    type Error: Display;

    /// Reads the value.
    ///
    /// # Errors
    ///
    /// Returns why the text can't be read as the type.
    fn read(text: &str) -> Result<Self, Self::Error>;
}

impl<T: FromStr<Err: Display>> PathParameter for T {
    type Error = T::Err;

    fn read(text: &str) -> Result<Self, T::Err> {
        text.parse()
    }
}

/// The value of the pattern's parameter at `at`, which the pattern calls `name`.
///
/// # Errors
///
/// A 404 with the reason, when the text doesn't read as a `T`: such a path doesn't exist.
pub fn parameter<T: PathParameter>(
    request: &RouteRequest,
    at: usize,
    name: &'static str,
) -> Result<T, Refusal> {
    let Some(text) = request.cx.http.as_ref().and_then(|http| http.parameters.get(at)) else {
        return Err(Failure::internal(format!("the path has no parameter {at}, `{name}`")).into());
    };
    T::read(text).map_err(|reason| {
        let path = request.cx.http().map_or("", |parts| parts.uri.path());
        let reason = format!("{text:?} is no `{name}`: {reason}");
        Refusal::Response(Box::new(invalid_path(StatusCode::NOT_FOUND, &reason, path)))
    })
}
