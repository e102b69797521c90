//! Which pages of other origins may call this service: the table of CORS, checked before a browser could refuse it.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};
use url::Url;

use crate::error::Mistake;

/// Which pages of other origins may call this service. Each list is one of words, or `"*"` for any.
///
/// ```
/// use daebus::Cors;
///
/// let cors = Cors::new()
///     .allowed_origins(["http://localhost:3000", "https://example.com"])
///     .allowed_methods(["GET", "POST"])
///     .allowed_headers(["Content-Type", "Authorization"])
///     .expose_headers(["X-Total"])
///     .allow_credentials(true)
///     .max_age(3600);
/// # let _ = cors;
/// ```
///
/// Credentials together with a `"*"` are refused by browsers, and here when the service starts.
#[derive(Debug, Clone)]
pub struct Cors {
    origins: Words,
    methods: Words,
    headers: Words,
    expose: Words,
    credentials: bool,
    max_age: Option<Duration>,
}

/// A list of words, or `"*"`.
#[derive(Debug, Clone, Default)]
pub struct Words(Vec<String>);

impl From<&str> for Words {
    fn from(word: &str) -> Self {
        Self(vec![word.to_owned()])
    }
}

impl From<String> for Words {
    fn from(word: String) -> Self {
        Self(vec![word])
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for Words {
    fn from(words: [S; N]) -> Self {
        Self(words.into_iter().map(Into::into).collect())
    }
}

impl<S: Into<String>> From<Vec<S>> for Words {
    fn from(words: Vec<S>) -> Self {
        Self(words.into_iter().map(Into::into).collect())
    }
}

impl<S: ToString> From<&[S]> for Words {
    fn from(words: &[S]) -> Self {
        Self(words.iter().map(ToString::to_string).collect())
    }
}

impl Words {
    fn is_any(&self) -> bool {
        self.0.iter().any(|word| word == "*")
    }
}

/// How long a browser may remember: seconds, or a [`Duration`].
#[derive(Debug, Clone, Copy)]
pub struct MaxAge(Duration);

impl From<u64> for MaxAge {
    fn from(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl From<Duration> for MaxAge {
    fn from(time: Duration) -> Self {
        Self(time)
    }
}

impl Default for Cors {
    fn default() -> Self {
        Self::new()
    }
}

impl Cors {
    /// Allows no origin yet. Methods are GET, HEAD, POST, PUT, PATCH and DELETE, headers `Content-Type` and
    /// `Authorization`, unless said otherwise.
    pub fn new() -> Self {
        Self {
            origins: Words::default(),
            methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].into(),
            headers: ["Content-Type", "Authorization"].into(),
            expose: Words::default(),
            credentials: false,
            max_age: None,
        }
    }

    /// Sets the origins whose pages may call: `"http://localhost:3000"`, a list of such, or `"*"`. With `"*"`, requests that
    /// change state are still refused if they carry a cookie, see
    /// [`Http::cross_origin_protection`](crate::Http::cross_origin_protection).
    #[must_use]
    pub fn allowed_origins(mut self, origins: impl Into<Words>) -> Self {
        self.origins = origins.into();
        self
    }

    /// Sets the methods that the pages may use: a list, or `"*"`.
    #[must_use]
    pub fn allowed_methods(mut self, methods: impl Into<Words>) -> Self {
        self.methods = methods.into();
        self
    }

    /// Sets the headers that the pages may send: a list, or `"*"`, which doesn't cover `Authorization`.
    #[must_use]
    pub fn allowed_headers(mut self, headers: impl Into<Words>) -> Self {
        self.headers = headers.into();
        self
    }

    /// Sets the headers of an answer that the page may read: a list, or `"*"`. Defaults to none.
    #[must_use]
    pub fn expose_headers(mut self, headers: impl Into<Words>) -> Self {
        self.expose = headers.into();
        self
    }

    /// Sets whether the browser sends its cookies and logins with the page's calls. Defaults to `false`.
    #[must_use]
    pub fn allow_credentials(mut self, allow: bool) -> Self {
        self.credentials = allow;
        self
    }

    /// Sets how long a browser may keep the answer to a preflight: seconds, or a [`Duration`]. By default the browser decides.
    #[must_use]
    pub fn max_age(mut self, time: impl Into<MaxAge>) -> Self {
        self.max_age = Some(time.into().0);
        self
    }

    /// Returns the allowed origins. `None`: every origin is allowed.
    pub(super) fn origins(&self) -> Option<Vec<String>> {
        (!self.origins.is_any()).then(|| self.origins.0.clone())
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// Every mistake, each a sentence that says what to write instead.
    pub(super) fn layer(&self) -> Result<CorsLayer, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        if self.origins.0.is_empty() {
            mistakes.push(Mistake::new("CORS allows no origin: add .allowed_origins([\"http://localhost:3000\"]), or leave .cors(…) out"));
        }
        for (words, name, instead) in [
            (&self.origins, "allowed_origins", "[\"http://localhost:3000\"]"),
            (&self.methods, "allowed_methods", "[\"GET\", \"POST\"]"),
            (&self.headers, "allowed_headers", "[\"Content-Type\", \"Authorization\"]"),
            (&self.expose, "expose_headers", "[\"X-Total\"]"),
        ] {
            if words.is_any() && words.0.len() > 1 {
                mistakes.push(Mistake::new(format!(
                    "CORS {name} is \"*\" or a list, not both: leave the \"*\" or the others out"
                )));
            } else if words.is_any() && self.credentials {
                mistakes.push(Mistake::new(format!(
                    "CORS allows credentials, with which browsers refuse \"*\": list what is meant, .{name}({instead}), \
                     or leave .allow_credentials(true) out"
                )));
            }
        }
        let origins = collect(&self.origins, origin, &mut mistakes);
        let methods = collect(&self.methods, method, &mut mistakes);
        let headers = collect(&self.headers, header_name, &mut mistakes);
        let expose = collect(&self.expose, header_name, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let layer = CorsLayer::new()
            .allow_origin(origins.map_or_else(AllowOrigin::any, AllowOrigin::list))
            .allow_methods(methods.map_or_else(AllowMethods::any, AllowMethods::list))
            .allow_headers(headers.map_or_else(AllowHeaders::any, AllowHeaders::list))
            .expose_headers(expose.map_or_else(ExposeHeaders::any, ExposeHeaders::list))
            .allow_credentials(self.credentials)
            // A preflight's answer depends on these whatever is allowed.
            .vary([
                header::ORIGIN,
                header::ACCESS_CONTROL_REQUEST_METHOD,
                header::ACCESS_CONTROL_REQUEST_HEADERS,
            ]);
        Ok(match self.max_age {
            Some(time) => layer.max_age(time),
            None => layer,
        })
    }
}

/// The words as values; `None`: any.
fn collect<T>(
    words: &Words,
    read: impl Fn(&str) -> Result<T, Mistake>,
    mistakes: &mut Vec<Mistake>,
) -> Option<Vec<T>> {
    if words.is_any() {
        return None;
    }
    let read = words.0.iter().filter_map(|word| read(word).map_err(|mistake| mistakes.push(mistake)).ok());
    Some(read.collect())
}

/// An origin as browsers send it; with a path or in capitals it would never match.
fn origin(word: &str) -> Result<HeaderValue, Mistake> {
    let wrong = |instead: &str| {
        Mistake::new(format!("CORS allows the origin {word:?}, which no browser sends: write {instead}"))
    };
    if word == "null" {
        return Err(wrong("\"*\", since any sandboxed page is \"null\""));
    }
    if !word.contains("://") {
        return Err(wrong("it with its scheme, \"http://localhost:3000\""));
    }
    let url = Url::parse(word).map_err(|_| wrong("it as \"http://localhost:3000\""))?;
    let sent = url.origin().ascii_serialization();
    // Schemes of apps (`capacitor://localhost`) have no origin in the standard's sense, and are sent as they are.
    let is_wrong = if sent == "null" { word.ends_with('/') } else { sent != word };
    if is_wrong {
        let instead = if sent == "null" { word.trim_end_matches('/') } else { &sent };
        return Err(wrong(&format!("{instead:?}")));
    }
    HeaderValue::from_str(word).map_err(|_| wrong("it without characters that no header has"))
}

fn method(word: &str) -> Result<Method, Mistake> {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    let upper = word.to_ascii_uppercase();
    if word != upper && known.contains(&upper.as_str()) {
        return Err(Mistake::new(format!(
            "CORS allows the method {word:?}; methods are written in capitals: {upper:?}"
        )));
    }
    Method::from_bytes(word.as_bytes())
        .map_err(|_| Mistake::new(format!("CORS allows the method {word:?}, which can't be one")))
}

fn header_name(word: &str) -> Result<HeaderName, Mistake> {
    HeaderName::from_bytes(word.as_bytes())
        .map_err(|_| Mistake::new(format!("CORS names the header {word:?}, which can't be one")))
}

#[cfg(test)]
mod tests {
    use super::Cors;

    fn mistakes(cors: &Cors) -> String {
        cors.layer().err().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_browsers_refuse_is_refused_with_what_to_write() {
        let any = Cors::new().allowed_origins("*").allow_credentials(true);
        assert!(
            mistakes(&any).contains(".allowed_origins([\"http://localhost:3000\"])"),
            "{}",
            mistakes(&any)
        );
        for cors in [
            any.clone().allowed_origins(["http://a.b"]).allowed_methods("*"),
            any.clone().allowed_origins(["http://a.b"]).allowed_headers("*"),
            any.allowed_origins(["http://a.b"]).expose_headers("*"),
        ] {
            assert!(mistakes(&cors).contains("credentials"), "{cors:?}");
        }
        assert!(mistakes(&Cors::new()).contains("no origin"));
        for origin in [
            "http://localhost:3000/",
            "localhost:3000/x",
            "HTTP://a.b",
            "a.b",
            "localhost:3000",
            "null",
            "http://a.b:80",
        ] {
            assert!(mistakes(&Cors::new().allowed_origins([origin])).contains("origin"), "{origin}");
        }
        assert!(mistakes(&Cors::new().allowed_origins(["*", "http://a.b"])).contains("not both"));
        assert!(mistakes(&Cors::new().allowed_origins("*").allowed_methods(["get"])).contains("\"GET\""));
    }

    #[test]
    fn what_browsers_take_is_taken() {
        for cors in [
            Cors::new().allowed_origins("*").allowed_methods("*").allowed_headers("*").expose_headers("*"),
            Cors::new()
                .allowed_origins(["http://a.b", "https://a.b:8443"])
                .allow_credentials(true)
                .max_age(3600),
            Cors::new().allowed_origins(vec!["capacitor://localhost".to_owned()]),
        ] {
            assert_eq!(mistakes(&cors), "");
        }
    }
}
