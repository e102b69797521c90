//! Requests of pages of other origins, over TCP.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use daebus::prelude::*;
use reqwest::{Client, Method};

#[route("/transfer", methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])]
async fn transfer() {}

async fn start(name: &str, http: Http) -> (daebus::Service, String) {
    let app = Daebus::new("svc").bus(format!("memory://{name}")).register(blueprint_of!["b"; transfer]);
    let service = app.attach(http).start().await.unwrap();
    let address = service.http_addr().unwrap().to_string();
    (service, address)
}

fn http() -> Http {
    Http::bind("127.0.0.1:0")
}

/// Sends a request with these headers and returns its status.
async fn status(address: &str, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
    let request = Client::new().request(method, format!("http://{address}{path}"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap().status().as_u16()
}

const STATE_CHANGING: [Method; 4] = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

#[tokio::test]
async fn pages_of_other_origins_cannot_change_state() {
    let (service, address) = start("origin-default", http()).await;
    let same = format!("http://{address}");
    let port = address.rsplit_once(':').unwrap().1;
    let other_host = format!("http://localhost:{port}");
    for method in STATE_CHANGING {
        for (headers, expected) in [
            (vec![], 200),
            (vec![("sec-fetch-site", "same-origin")], 200),
            (vec![("sec-fetch-site", "none")], 200),
            (vec![("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")], 200),
            (vec![("sec-fetch-site", "cross-site")], 403),
            (vec![("sec-fetch-site", "same-site")], 403),
            (vec![("sec-fetch-site", "cross-site"), ("origin", same.as_str())], 403),
            (vec![("origin", same.as_str())], 200),
            (vec![("origin", "https://evil.example")], 403),
            (vec![("origin", other_host.as_str())], 403),
            (vec![("origin", "http://127.0.0.1:1")], 403),
            (vec![("origin", "null")], 403),
        ] {
            let found = status(&address, method.clone(), "/transfer", &headers).await;
            assert_eq!(found, expected, "{method} {headers:?}");
        }
    }
    for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
        assert_eq!(status(&address, method, "/transfer", &[("sec-fetch-site", "cross-site")]).await, 200);
    }
    // Unknown paths are refused as well, so that the answer doesn't reveal which paths exist.
    assert_eq!(status(&address, Method::POST, "/nowhere", &[("sec-fetch-site", "cross-site")]).await, 403);

    let url = format!("http://{address}/transfer");
    let refused = Client::new().post(url).header("origin", "https://evil.example").send().await.unwrap();
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["code"], "origin_not_allowed");
    assert!(body["error"].as_str().unwrap().contains("https://evil.example"), "{body}");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn pages_of_origins_that_cors_allows_may_change_state() {
    let page = [("sec-fetch-site", "cross-site"), ("origin", "https://app.example")];
    let cors = Cors::new().allowed_origins(["https://app.example"]);
    let (service, address) = start("origin-cors", http().cors(cors)).await;
    assert_eq!(status(&address, Method::POST, "/transfer", &page).await, 200);
    assert_eq!(status(&address, Method::POST, "/transfer", &page[1..]).await, 200);
    let evil = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    assert_eq!(status(&address, Method::POST, "/transfer", &evil).await, 403);
    service.stop().await.unwrap();

    let (service, address) = start("origin-any", http().cors(Cors::new().allowed_origins("*"))).await;
    assert_eq!(status(&address, Method::POST, "/transfer", &evil).await, 200);
    // `*` covers pages that send no cookies, and a browser sends those of a form whatever CORS allows.
    let with_cookie = [evil[0], evil[1], ("cookie", "session=1")];
    assert_eq!(status(&address, Method::POST, "/transfer", &with_cookie).await, 403);
    assert_eq!(status(&address, Method::POST, "/transfer", &with_cookie[1..]).await, 403);
    assert_eq!(status(&address, Method::GET, "/transfer", &with_cookie).await, 200);
    let own = [("sec-fetch-site", "same-origin"), ("cookie", "session=1")];
    assert_eq!(status(&address, Method::POST, "/transfer", &own).await, 200);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn the_origin_check_can_be_disabled() {
    let (service, address) = start("origin-off", http().cross_origin_protection(false)).await;
    assert_eq!(status(&address, Method::POST, "/transfer", &[("sec-fetch-site", "cross-site")]).await, 200);
    service.stop().await.unwrap();
}
