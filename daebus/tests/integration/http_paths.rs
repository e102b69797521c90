//! Paths, methods, files and CORS, over TCP.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use daebus::Assets;
use daebus::axum;
use daebus::axum::http::{Method, StatusCode};
use daebus::axum::middleware::{Next, from_fn};
use daebus::axum::response::{IntoResponse, Response};
use daebus::prelude::*;
use daebus_tests_support::within;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[route("/größe/<name>")]
async fn size(name: String) -> String {
    name
}

#[route("/rest/<path..>")]
async fn rest(path: String) -> String {
    path
}

#[route("/echo", methods = ["POST"])]
async fn echo(body: String) -> String {
    body
}

#[route("/options", methods = ["OPTIONS"])]
async fn options() -> &'static str {
    "options"
}

#[route("/varies")]
async fn varies() -> impl IntoResponse {
    ([("vary", "accept-language")], "varies")
}

#[route("/gone")]
async fn gone() -> StatusCode {
    StatusCode::NOT_FOUND
}

async fn start(name: &str, http: Http) -> (daebus::Service, SocketAddr) {
    let app = Daebus::new("svc").bus(format!("memory://{name}"));
    let app = app.register(blueprint_of!["b"; size, rest, echo, options, varies, gone]);
    let service = app.attach(http).start().await.unwrap();
    let addr = service.http_addr().unwrap();
    (service, addr)
}

fn http() -> Http {
    Http::bind("127.0.0.1:0")
}

/// Sends the bytes of a request and reads until the connection ends.
async fn raw(addr: SocketAddr, request: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_ref()).await.unwrap();
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends a GET request with this literal path and returns the status and the body.
async fn get(addr: SocketAddr, path: impl AsRef<[u8]>) -> (String, String) {
    let request = [b"GET ", path.as_ref(), b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"].concat();
    let answer = raw(addr, request).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].to_owned(), body.to_owned())
}

async fn send(addr: SocketAddr, method: Method, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = client.request(method, format!("http://{addr}{path}"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_pattern_matches_every_encoding_of_its_text() {
    let (service, addr) = start("paths-encoding", http()).await;
    for path in ["/gr%C3%B6%C3%9Fe/a", "/gr%c3%b6%c3%9fe/a", "/%67r%c3%b6%C3%9fe/%61", "/größe/a"] {
        assert_eq!(get(addr, path).await, ("200".into(), "a".into()), "{path}");
    }
    assert_eq!(get(addr, "/gr%c3%b6%c3%9fe/%c3%a9%2f%25").await, ("200".into(), "é/%".into()));
    assert_eq!(get(addr, "/rest/a/b%20c").await, ("200".into(), "a/b c".into()));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn path_errors_have_distinct_codes() {
    let (service, addr) = start("paths-codes", http()).await;
    let code = async |path: &str| {
        let (status, body) = get(addr, path).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        (status, body["code"].clone(), body["error"].to_string())
    };
    let (status, found, error) = code("/gr%C3%B6%C3%9Fe/%FF").await;
    assert_eq!((status.as_str(), found), ("400", json!("invalid_parameter")));
    assert!(error.contains("`name`"), "{error}");
    let (_, _, error) = code("/rest/a/%FF").await;
    assert!(error.contains("`path`"), "{error}");
    assert_eq!(code("/nowhere").await, ("404".into(), json!("unknown_path"), "\"Not Found\"".into()));
    assert_eq!(code("/gone").await, ("404".into(), Value::Null, "\"Not Found\"".into()));
    assert_eq!(code("/echo").await.1, "method_not_allowed");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_sent() {
    let (service, addr) = start("paths-expect", http().max_body(10)).await;
    let began = std::time::Instant::now();
    let expecting = "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n";
    let answer = raw(addr, expecting).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    service.stop().await.unwrap();
}

#[tokio::test]
async fn cors_answers_preflights_of_existing_paths_only() {
    let cors = || Cors::new().allowed_origins(["http://app.example"]).allowed_methods(["GET", "OPTIONS"]);
    let folder = folder("cors");
    let with_prefix = http().cors(cors()).prefix("/svc").assets(&folder);
    let (service, addr) = start("paths-cors", with_prefix).await;
    let preflight = [("origin", "http://app.example"), ("access-control-request-method", "GET")].as_slice();
    let page = &preflight[..1];
    let options = async |path: &str, headers: &[(&str, &str)]| {
        let response = send(addr, Method::OPTIONS, path, headers).await;
        (response.status().as_u16(), response.headers().contains_key("access-control-allow-methods"))
    };
    for path in ["/svc/echo", "/svc/options", "/svc/rest/a/b", "/svc/_service/status", "/svc/app.js"] {
        assert_eq!(options(path, preflight).await, (200, true), "{path}");
    }
    for path in ["/svc/nowhere", "/echo", "/svcecho"] {
        assert_eq!(options(path, preflight).await, (404, false), "{path}");
        assert_eq!(options(path, &[]).await, (404, false), "{path}");
    }
    // No preflight, but an OPTIONS request.
    assert_eq!(options("/svc/echo", &[]).await, (405, false));
    for headers in [&[], page] {
        let response = send(addr, Method::OPTIONS, "/svc/options", headers).await;
        assert_eq!(response.headers().contains_key("access-control-allow-origin"), !headers.is_empty());
        assert_eq!(response.text().await.unwrap(), "options");
    }
    service.stop().await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn cors_keeps_the_vary_of_a_response() {
    let cors = Cors::new().allowed_origins(["http://app.example"]);
    let (service, addr) = start("paths-vary", http().cors(cors)).await;
    for headers in [[("origin", "http://app.example")].as_slice(), &[]] {
        let response = send(addr, Method::GET, "/varies", headers).await;
        let vary: Vec<_> =
            response.headers().get_all("vary").iter().map(|vary| vary.to_str().unwrap()).collect();
        let vary = vary.join(",").to_ascii_lowercase();
        assert!(vary.contains("accept-language") && vary.contains("origin"), "{vary}");
    }
    service.stop().await.unwrap();
}

/// A folder with a page, a script and a folder in it.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("daebus-paths-{name}-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("docs")).unwrap();
    std::fs::write(folder.join("index.html"), "<p>index").unwrap();
    std::fs::write(folder.join("docs/index.html"), "<p>docs").unwrap();
    std::fs::write(folder.join("app.js"), "run()").unwrap();
    folder
}

#[tokio::test]
async fn redirects_of_assets_keep_the_prefix() {
    let folder = folder("redirect");
    let (service, addr) = start("paths-redirect", http().prefix("/svc").assets(&folder)).await;
    let redirect = send(addr, Method::GET, "/svc/docs?q=1", &[]).await;
    assert!(redirect.status().is_redirection());
    assert_eq!(redirect.headers()["location"], "/svc/docs/?q=1");
    assert_eq!(send(addr, Method::GET, "/svc/docs/", &[]).await.text().await.unwrap(), "<p>docs");
    service.stop().await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn assets_are_validated_by_their_etag() {
    let folder = folder("etag");
    let assets = Assets::new(&folder).cache_control("public, max-age=60");
    let (service, addr) = start("paths-etag", http().assets(assets)).await;
    let first = send(addr, Method::GET, "/app.js", &[]).await;
    assert_eq!(first.headers()["cache-control"], "public, max-age=60");
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    for seen in [tag.as_str(), "*", &format!("\"other\", {tag}"), tag.trim_start_matches("W/")] {
        let again = send(addr, Method::GET, "/app.js", &[("if-none-match", seen)]).await;
        assert_eq!(again.status(), 304, "{seen}");
        assert_eq!(again.headers()["etag"], tag);
        assert_eq!(again.headers()["cache-control"], "public, max-age=60");
        assert_eq!(again.text().await.unwrap(), "");
    }
    // If there is a tag, the date is ignored.
    let future = "Fri, 01 Jan 2100 00:00:00 GMT";
    let changed = [("if-none-match", "\"other\""), ("if-modified-since", future)];
    assert_eq!(send(addr, Method::GET, "/app.js", &changed).await.text().await.unwrap(), "run()");
    assert_eq!(send(addr, Method::GET, "/app.js", &changed[1..]).await.status(), 304);
    std::fs::write(folder.join("app.js"), "run(2)").unwrap();
    let new = send(addr, Method::GET, "/app.js", &[("if-none-match", &tag)]).await;
    assert_eq!((new.status().as_u16(), new.text().await.unwrap().as_str()), (200, "run(2)"));
    let part = send(addr, Method::GET, "/app.js", &[("range", "bytes=0-2")]).await;
    assert_eq!(part.status(), 206);
    let whole = send(addr, Method::GET, "/app.js", &[]).await;
    assert_eq!(part.headers()["etag"], whole.headers()["etag"]);
    let known = [("range", "bytes=0-2"), ("if-none-match", whole.headers()["etag"].to_str().unwrap())];
    let known = send(addr, Method::GET, "/app.js", &known).await;
    assert_eq!((known.status().as_u16(), known.headers().get("content-range")), (304, None));
    let resumed = [("range", "bytes=0-2"), ("if-range", tag.as_str())];
    assert_eq!(send(addr, Method::GET, "/app.js", &resumed).await.status(), 200);
    let page = send(addr, Method::GET, "/", &[]).await;
    assert_eq!(page.headers()["cache-control"], "no-cache");
    service.stop().await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_file_that_changes_twice_in_a_second_has_two_etags() {
    let folder = folder("etag-twice");
    let (service, addr) = start("paths-etag-twice", http().assets(&folder)).await;
    let second = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let mut tags = Vec::new();
    for (content, millis) in [("run(1)", 1), ("run(2)", 2)] {
        let mut file = std::fs::File::create(folder.join("app.js")).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file.set_modified(second + Duration::from_millis(millis)).unwrap();
        let response = send(addr, Method::GET, "/app.js", &[]).await;
        tags.push(response.headers()["etag"].clone());
    }
    assert_ne!(tags[0], tags[1]);
    service.stop().await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_single_page_answers_paths_that_a_browser_opens() {
    let folder = folder("single");
    let (service, addr) = start("paths-single", http().assets(Assets::new(&folder).single_page())).await;
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    for path in ["/users/7", "/index.html", "/"] {
        let page = send(addr, Method::GET, path, &browser).await;
        assert_eq!(
            (page.status().as_u16(), page.text().await.unwrap().as_str()),
            (200, "<p>index"),
            "{path}"
        );
    }
    assert_eq!(send(addr, Method::GET, "/app.js", &browser).await.text().await.unwrap(), "run()");
    for (method, headers) in [(Method::GET, [("accept", "*/*")]), (Method::POST, browser)] {
        assert_eq!(send(addr, method, "/users/7", &headers).await.status(), 404);
    }
    service.stop().await.unwrap();
    std::fs::remove_file(folder.join("index.html")).unwrap();
    let without = http().assets(Assets::new(&folder).single_page());
    let mistake =
        Daebus::new("svc").bus("memory://paths-no-index").attach(without).start().await.unwrap_err();
    assert!(mistake.to_string().contains("Assets::single_page needs the file"), "{mistake}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn special_characters_of_a_prefix_are_literal() {
    for (at, prefix) in ["/größe", "/:x", "/*x", "/{x}", "/{x", "/a/:b"].into_iter().enumerate() {
        let (service, addr) = start(&format!("paths-prefix-{at}"), http().prefix(prefix)).await;
        for path in ["/_service/status", "/varies"] {
            let answer = send(addr, Method::GET, &format!("{prefix}{path}"), &[]).await;
            assert_eq!(answer.status(), 200, "{prefix}{path}");
        }
        assert_eq!(get(addr, "/other/_service/status").await.0, "404", "{prefix}");
        service.stop().await.unwrap();
    }
}

/// Refuses paths below `/private`.
async fn guard(request: axum::extract::Request, next: Next) -> Result<Response, StatusCode> {
    let is_private = request.uri().path().starts_with("/private/");
    if is_private { Err(StatusCode::FORBIDDEN) } else { Ok(next.run(request).await) }
}

#[tokio::test]
async fn assets_have_one_path_and_hidden_files_have_none() {
    let web = std::env::temp_dir().join(format!("daebus-guarded-{}", std::process::id()));
    for folder in ["private", ".git", ".well-known"] {
        std::fs::create_dir_all(web.join(folder)).unwrap();
    }
    for file in ["private/a.txt", ".env", ".git/config", ".well-known/security.txt", "a b.txt"] {
        std::fs::write(web.join(file), "content").unwrap();
    }
    let (service, addr) = start("paths-guarded", http().assets(&web).layer(from_fn(guard))).await;
    assert_eq!(get(addr, "/private/a.txt").await.0, "403");
    for path in [
        "//private/a.txt",
        "/private%2Fa.txt",
        "/private%2fa.txt",
        "/private%5Ca.txt",
        "/./private/a.txt",
        "/%2e/private/a.txt",
        "/%2E/private/a.txt",
        "/%70rivate/a.txt",
        "/.env",
        "/%2Eenv",
        "/.git/config",
    ] {
        let (status, body) = get(addr, path).await;
        assert!(matches!(status.as_str(), "403" | "404"), "{path}: {status} {body}");
    }
    for path in ["/.well-known/security.txt", "/a%20b.txt"] {
        assert_eq!(get(addr, path).await, ("200".into(), "content".into()), "{path}");
    }
    service.stop().await.unwrap();
    std::fs::remove_dir_all(&web).unwrap();
}
