//! Files of a folder, for the pages that a service shows.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::percent_decode_str;
use tower::ServiceExt as _;
use tower_http::services::{ServeDir, ServeFile};

use crate::error::Mistake;

/// HTML is always checked for a new version, since it names the other files.
const CHECK_FIRST: HeaderValue = HeaderValue::from_static("no-cache");

/// The files of a folder, served with [`Http::assets`](super::Http::assets).
///
/// Every file has an `ETag` of its length and the time of its last change in nanoseconds, so that a browser that has the file gets 304.
///
/// Hidden files, whose names or whose folders' names begin with a dot, are not served, except for `.well-known`. A path with `//`,
/// or with an encoded slash or backslash, is answered with 404, so that a layer that guards a path guards the file. Symbolic links
/// are followed, also out of the folder.
///
/// ```
/// use daebus::{Assets, Http};
///
/// // A single-page application whose build puts a hash into the names of its files.
/// let pages = Assets::new("web/dist").single_page().cache_control("public, max-age=31536000, immutable");
/// # let pages = Assets::new(std::env::temp_dir());
/// let http = Http::bind("127.0.0.1:8080").assets(pages);
/// # let _ = http;
/// ```
#[derive(Debug, Clone)]
#[must_use = "assets are served once they are given to Http::assets"]
pub struct Assets {
    folder: PathBuf,
    cache_control: String,
    single_page: bool,
}

impl Assets {
    /// The files of a folder, `index.html` for a folder in it. A relative path starts at the working directory of the process.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), cache_control: "no-cache".to_owned(), single_page: false }
    }

    /// Sets the header `Cache-Control` of every file except HTML, which has `no-cache`. Defaults to `no-cache`: a browser asks
    /// each time whether the file has changed, and gets 304 if it hasn't.
    pub fn cache_control(mut self, value: impl Into<String>) -> Self {
        self.cache_control = value.into();
        self
    }

    /// Answers paths that nothing else answers with `index.html` if the client accepts `text/html`, as browsers do when a user
    /// opens a page. Other requests, those of scripts for example, are still answered with 404.
    pub fn single_page(mut self) -> Self {
        self.single_page = true;
        self
    }

    /// Checks the folder and the header. `prefix` is what everything of the server is under.
    ///
    /// # Errors
    ///
    /// Returns a mistake if there is no such folder, if a single-page application has no `index.html`, or if the header isn't
    /// one.
    pub(super) fn service(&self, prefix: &str) -> Result<AssetService, Mistake> {
        let shown = self.folder.display();
        match std::fs::metadata(&self.folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(Mistake::new(format!(
                    "Http::assets({shown:?}) needs a folder, and that is a file"
                )));
            }
            Err(error) => {
                let from = std::env::current_dir().unwrap_or_default();
                return Err(Mistake::new(format!(
                    "Http::assets({shown:?}) needs a folder: {error} (looked for from {})",
                    from.display()
                )));
            }
        }
        let index = self.folder.join("index.html");
        if self.single_page && !index.is_file() {
            return Err(Mistake::new(format!("Assets::single_page needs the file {:?}", index.display())));
        }
        let cache_control = HeaderValue::from_str(&self.cache_control).map_err(|_| {
            Mistake::new(format!("Assets::cache_control({:?}) can't be a header", self.cache_control))
        })?;
        let index = self.single_page.then(|| ServeFile::new(index));
        let (files, folder) = (ServeDir::new(&self.folder), self.folder.as_path().into());
        Ok(AssetService { files, folder, index, cache_control, prefix: prefix.into() })
    }
}

impl From<&str> for Assets {
    fn from(folder: &str) -> Self {
        Self::new(folder)
    }
}

impl From<String> for Assets {
    fn from(folder: String) -> Self {
        Self::new(folder)
    }
}

impl From<&Path> for Assets {
    fn from(folder: &Path) -> Self {
        Self::new(folder)
    }
}

impl From<PathBuf> for Assets {
    fn from(folder: PathBuf) -> Self {
        Self::new(folder)
    }
}

impl From<&PathBuf> for Assets {
    fn from(folder: &PathBuf) -> Self {
        Self::new(folder)
    }
}

/// Answers requests with files.
#[derive(Debug, Clone)]
pub(super) struct AssetService {
    files: ServeDir,
    folder: Arc<Path>,
    /// The page of paths without a file.
    index: Option<ServeFile>,
    cache_control: HeaderValue,
    prefix: Arc<str>,
}

impl AssetService {
    pub(super) async fn answer(self, mut request: Request) -> Response {
        if !is_served(request.uri().path()) {
            return StatusCode::NOT_FOUND.into_response();
        }
        let seen = request.headers_mut().remove(header::IF_NONE_MATCH);
        let headers = request.headers_mut();
        if seen.is_some() {
            headers.remove(header::IF_MODIFIED_SINCE);
        }
        // The part of another version would be no part of the file that the client has.
        if headers.remove(header::IF_RANGE).is_some() {
            headers.remove(header::RANGE);
        }
        let mut file = file(&self.folder, request.uri().path());
        let page = self.index.filter(|_| accepts_html(request.headers()));
        let again = page.map(|page| (page, copy(&request)));
        let Ok(response) = self.files.oneshot(request).await;
        let mut response = response.into_response();
        if let (StatusCode::NOT_FOUND, Some((page, request))) = (response.status(), again) {
            let Ok(page) = page.oneshot(request).await;
            response = page.into_response();
            file = self.folder.join("index.html");
        }
        if response.status().is_redirection()
            && let Some(location) = response.headers_mut().get_mut(header::LOCATION)
            && let Ok(whole) =
                HeaderValue::from_str(&format!("{}{}", self.prefix, location.to_str().unwrap_or("/")))
        {
            *location = whole;
        }
        let status = response.status();
        if !matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED) {
            return response;
        }
        validated(response, seen.as_ref(), self.cache_control, last_change(file).await)
    }

    /// Returns whether there is a file for a HEAD request.
    pub(super) async fn has(self, request: Request) -> bool {
        if !is_served(request.uri().path()) {
            return false;
        }
        let Ok(response) = self.files.oneshot(request).await;
        response.status() != StatusCode::NOT_FOUND
    }
}

/// Returns whether a path may name a file. A file has one path, so that a layer that guards a path guards its file, and hidden
/// files have none.
fn is_served(path: &str) -> bool {
    let is_name = |piece: &str| {
        let name = Cow::from(percent_decode_str(piece));
        let is_hidden = name.starts_with(b".") && *name != *b".well-known";
        !is_hidden && !name.contains(&b'/') && !name.contains(&b'\\')
    };
    !path.contains("//") && path.split('/').all(is_name)
}

/// Returns the path of the file, or of its folder, that a path of a URL names.
fn file(folder: &Path, path: &str) -> PathBuf {
    folder.join(&*percent_decode_str(path.trim_start_matches('/')).decode_utf8_lossy())
}

/// Returns the time of a file's last change in nanoseconds, which `Last-Modified` doesn't have.
async fn last_change(file: PathBuf) -> Option<u128> {
    let read = tokio::task::spawn_blocking(move || {
        let found = std::fs::metadata(&file)?;
        if found.is_dir() { std::fs::metadata(file.join("index.html"))?.modified() } else { found.modified() }
    });
    let changed = read.await.ok()?.ok()?;
    Some(changed.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos())
}

/// Returns a request without its body and its extensions, of which a file needs neither.
pub(super) fn copy(request: &Request) -> Request {
    let mut copy = Request::new(Body::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|accept| accept.to_str().ok());
    accepted.into_iter().any(|accept| accept.contains("text/html"))
}

/// Adds `ETag` and `Cache-Control` to a file, and answers 304 if the client has seen this version of it.
fn validated(
    mut response: Response,
    seen: Option<&HeaderValue>,
    cache_control: HeaderValue,
    last_change: Option<u128>,
) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_html = kind.is_some_and(|kind| kind.starts_with("text/html"));
    let cache_control = if is_html { CHECK_FIRST } else { cache_control };
    response.headers_mut().insert(header::CACHE_CONTROL, cache_control);
    let Some(tag) = etag(response.headers(), last_change) else { return response };
    // A client that has this version needs no part of it either.
    let is_seen = response.status() != StatusCode::NOT_MODIFIED && seen.is_some_and(|seen| names(seen, &tag));
    response.headers_mut().insert(header::ETAG, tag);
    if is_seen {
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::CONTENT_RANGE);
        headers.remove(header::CONTENT_TYPE);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
    }
    response
}

/// Returns the tag of a file: its length, and the time of its last change. Weak, since a file may change twice within the
/// resolution of its file system's clock.
fn etag(headers: &HeaderMap, last_change: Option<u128>) -> Option<HeaderValue> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let changed = last_change?;
    let part_of = text(header::CONTENT_RANGE).and_then(|range| range.rsplit_once('/'));
    let length = part_of.map(|(_, length)| length).or_else(|| text(header::CONTENT_LENGTH))?;
    HeaderValue::from_str(&format!("W/\"{length}-{changed:x}\"")).ok()
}

/// Returns whether a list of tags has this one.
fn names(seen: &HeaderValue, tag: &HeaderValue) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let (Ok(seen), Ok(tag)) = (seen.to_str(), tag.to_str()) else { return false };
    seen.split(',').any(|one| one.trim() == "*" || opaque(one) == opaque(tag))
}
