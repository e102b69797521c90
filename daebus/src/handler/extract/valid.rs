use daebus_caller::wire::{Fault, FaultCode, PayloadError};
use garde::{Report, Validate};
use serde_json::json;

use super::{Extract, Payload};
use crate::handler::context::Context;
use crate::handler::failure::Failure;

/// The largest number of errors in a reply.
const MAX_ERRORS: usize = 32;

/// The largest size of their fields and reasons together, in bytes.
const MAX_BYTES: usize = 8 * 1024;

/// The payload of the message, read as `T` and validated with [garde](https://docs.rs/garde). With the feature `garde`.
///
/// It stands wherever [`Payload`] does. A payload that can't be read is answered as there; one that is invalid is answered
/// with `invalid_payload`, whose details have every invalid field: `{"fields": [{"field": "name", "reason": "length is lower
/// than 3"}]}`. Of more than 32 errors, or 8 KiB, the others are counted in `left_out`. On a broadcast channel the error is
/// logged.
///
/// The application derives `Validate` with a dependency on garde of its own: `garde = { version = "0.23", features =
/// ["derive"] }`. The context of the validation is `Default`.
///
/// ```
/// use daebus::Valid;
/// use daebus::prelude::*;
/// use garde::Validate;
///
/// #[derive(Deserialize, Serialize, Validate)]
/// struct NewUser {
///     #[garde(length(min = 3))]
///     name: String,
///     #[garde(range(min = 18))]
///     age: u8,
/// }
///
/// #[action("create_user")]
/// async fn create_user(Valid(user): Valid<NewUser>) -> String {
///     user.name
/// }
/// # let _ = blueprint_of!["users"; create_user];
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Valid<T>(pub T);

impl<T: Validate<Context: Default>> Valid<T> {
    /// Validates a payload that was read.
    pub(crate) fn check(Payload(value): Payload<T>) -> Result<Self, Failure> {
        value.validate().map(|()| Self(value)).map_err(|report| invalid(&report))
    }
}

impl<K, T: Validate<Context: Default>> Extract<K> for Valid<T>
where
    Payload<T>: Extract<K>,
{
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Self::check(Payload::extract(cx).await?)
    }
}

fn invalid(report: &Report) -> Failure {
    let mut bytes = 0;
    let errors = report.iter().take(MAX_ERRORS);
    let errors = errors.map(|(path, error)| PayloadError::new(&path.to_string(), error.message()));
    let fields: Vec<PayloadError> = errors
        .take_while(|error| {
            bytes += error.field.len() + error.reason.len();
            bytes <= MAX_BYTES
        })
        .collect();
    let left_out = report.iter().count() - fields.len();
    let first = fields.first().map(|first| format!(": {first}")).unwrap_or_default();
    let words = match report.iter().count() {
        0 | 1 => format!("the payload is invalid{first}"),
        all => format!("the payload is invalid{first} (the first of {all} errors)"),
    };
    let fields =
        fields.iter().map(|PayloadError { field, reason }| json!({"field": field, "reason": reason}));
    let mut details = json!({"fields": fields.collect::<Vec<_>>()});
    if left_out > 0 {
        details["left_out"] = left_out.into();
    }
    Fault::reserved(FaultCode::InvalidPayload, words).with_details(details).into()
}

#[cfg(test)]
mod tests {
    use garde::{Path, Report};

    use super::{MAX_BYTES, MAX_ERRORS, invalid};

    fn report(errors: impl IntoIterator<Item = (String, String)>) -> Report {
        let mut report = Report::new();
        for (field, reason) in errors {
            report.append(Path::new(field), garde::Error::new(reason));
        }
        report
    }

    /// The size of the reply in bytes.
    fn size(report: &Report) -> usize {
        invalid(report).fault().to_payload().as_str().len()
    }

    #[test]
    fn the_reply_is_bounded_in_errors() {
        let failure = invalid(&report((0..100).map(|at| (format!("field{at}"), "too short".to_owned()))));
        let fault = failure.fault();
        assert_eq!(fault.details()["fields"].as_array().unwrap().len(), MAX_ERRORS);
        assert_eq!(fault.details()["left_out"], 100 - MAX_ERRORS);
        assert_eq!(fault.error(), "the payload is invalid: `field0`: too short (the first of 100 errors)");
    }

    #[test]
    fn the_reply_is_bounded_in_bytes() {
        let long = "x".repeat(100_000);
        let bytes = size(&report((0..MAX_ERRORS).map(|_| (long.clone(), long.clone()))));
        assert!((1_000..2 * MAX_BYTES).contains(&bytes), "{bytes}");
        let wide = "€".repeat(100_000);
        let bytes = size(&report((0..MAX_ERRORS).map(|_| (wide.clone(), wide.clone()))));
        assert!((1_000..2 * MAX_BYTES).contains(&bytes), "{bytes}");
    }
}
