//! Forms and queries: fields that are all text, read as what the type asks for.

use axum::body::Body;
use axum::extract::{FromRequest as _, Multipart};
use axum::http::Request;
use axum::http::request::Parts;
use axum::response::IntoResponse as _;
use daebus_caller::wire::{Fault, FaultCode, PayloadError};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::body;
use super::refusal::Refusal;
use crate::handler::Failure;
use crate::http::problem::worded;

/// Reads `id=7&tag=a&tag=b`: text becomes a number where one is asked for, a repeated key a list.
pub(super) fn read<T: DeserializeOwned>(form: &[u8]) -> Result<T, PayloadError> {
    let fields = serde_html_form::Deserializer::new(form_urlencoded::parse(form));
    serde_path_to_error::deserialize(fields).map_err(|error| PayloadError {
        field: Some(error.path().to_string()).filter(|path| path != ".").unwrap_or_default(),
        reason: error.into_inner().to_string(),
    })
}

/// The fields of a multipart form as an urlencoded one. Files are refused: a payload is data that fits into a type,
/// and a file goes through axum's `Multipart`, piece by piece.
pub(super) async fn multipart(parts: &Parts, body: Body) -> Result<String, Refusal> {
    let request = Request::from_parts(parts.clone(), body);
    let mut form = match Multipart::from_request(request, &()).await {
        Ok(form) => form,
        Err(rejection) => {
            return Err(Refusal::Response(Box::new(worded(rejection.into_response()).await)));
        }
    };
    let mut fields = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|error| unreadable(&error))? {
        let Some(name) = field.name().map(str::to_owned) else {
            return Err(invalid("a field of the form has no name").into());
        };
        if field.file_name().is_some() {
            let words = format!("`{name}` is a file; this path takes text fields only");
            return Err(Failure::from(Fault::new("unsupported_media_type", words).with_status(415)).into());
        }
        let text = field.text().await.map_err(|error| unreadable(&error))?;
        fields.push((name, text));
    }
    Ok(form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
}

fn unreadable(error: &axum::extract::multipart::MultipartError) -> Failure {
    match body::fault(error) {
        // What multer says of its own accord is in its source.
        fault if fault.status() == 400 => invalid(&error.body_text()),
        fault => fault.into(),
    }
}

fn invalid(words: &str) -> Failure {
    Fault::reserved(FaultCode::InvalidPayload, format!("the form can't be read: {words}")).into()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::read;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Search {
        id: u64,
        #[serde(default)]
        tag: Vec<String>,
        deep: Option<bool>,
    }

    #[test]
    fn text_becomes_what_the_type_asks_for() {
        let found: Search = read(b"id=7&tag=a&tag=b+c&deep=true").unwrap();
        assert_eq!(found, Search { id: 7, tag: vec!["a".into(), "b c".into()], deep: Some(true) });
        assert_eq!(read::<Search>(b"id=7").unwrap(), Search { id: 7, tag: vec![], deep: None });
        assert_eq!(read::<Search>(b"id=7&tag=a").unwrap().tag, ["a"]);
        assert_eq!(read::<Value>(b"a=1&b=x&b=y").unwrap(), json!({"a": "1", "b": ["x", "y"]}));
        assert_eq!(read::<Value>(b"").unwrap(), json!({}));
        assert_eq!(read::<()>(b""), Ok(()));
    }

    #[test]
    fn a_mistake_names_its_field() {
        let error = read::<Search>(b"id=seven").unwrap_err();
        assert_eq!(error.field, "id");
        assert!(error.reason.contains("invalid digit"), "{}", error.reason);
        let error = read::<Search>(b"tag=a").unwrap_err();
        assert!(error.reason.contains("missing field `id`"), "{}", error.reason);
    }
}
