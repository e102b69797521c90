//! Layers of blueprints and of the application around routes and sockets, over TCP.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use daebus::axum::response::IntoResponse as _;
use daebus::layer::HandlerService;
use daebus::prelude::*;
use daebus::testing::TestApp;
use daebus::{Answer, Context, Failure, IntoOutcome as _, Next, Outcome, layer};
use daebus_tests_support::within;
use futures_util::future::BoxFuture;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Client;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tower_layer::Layer;
use tower_service::Service;

/// Answers 401 without a token, and 403 with a wrong one.
async fn authenticate(mut cx: Context, next: Next) -> Outcome {
    let refused = match cx.header("Token") {
        None => Fault::new("unauthenticated", "the header `token` is missing").with_status(401),
        Some("open sesame") => {
            cx.extensions_mut().insert(User("Ada"));
            return next.run(cx).await;
        }
        Some(_) => Fault::new("forbidden", "the header `token` is wrong").with_status(403),
    };
    Err(refused.into())
}

#[derive(Clone, Copy)]
struct User(&'static str);

#[action("secret")]
#[route("/secret", methods = ["GET", "POST"])]
async fn secret(Extension(User(name)): Extension<User>) -> String {
    name.to_owned()
}

#[route("/text/<id>", methods = ["POST"], status = 201)]
async fn text(id: u64, body: String, Extension(User(name)): Extension<User>) -> String {
    format!("{name} {id} {body}")
}

#[route("/created", status = 201)]
async fn created() -> Value {
    json!({"created": true})
}

#[socket("secret_message")]
async fn secret_message(Extension(User(name)): Extension<User>) -> String {
    name.to_owned()
}

#[route("/open")]
async fn open() -> &'static str {
    "open"
}

async fn start(app: Daebus, name: &str) -> (daebus::Service, String) {
    let app = app.bus(format!("memory://{name}"));
    let service = app.attach(Http::bind("127.0.0.1:0")).attach(WebSocket::new()).start().await.unwrap();
    let address = service.http_addr().unwrap().to_string();
    (service, address)
}

async fn get(address: &str, path: &str, token: Option<&str>) -> (u16, String) {
    let request = Client::new().get(format!("http://{address}{path}"));
    let request = token.into_iter().fold(request, |request, token| request.header("Token", token));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Returns the request for a WebSocket.
fn upgrade(address: &str, token: Option<&str>) -> tokio_tungstenite::tungstenite::handshake::client::Request {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    if let Some(token) = token {
        request.headers_mut().insert("token", token.parse().unwrap());
    }
    request
}

/// Sends one message over a WebSocket and returns the first frame: the answer, or the refusal of the connection.
async fn socket_answer(address: &str, token: Option<&str>) -> Message {
    let (mut socket, _) = connect_async(upgrade(address, token)).await.unwrap();
    socket.send(Message::text(json!({"type": "secret_message"}).to_string())).await.unwrap();
    within(socket.next()).await.unwrap().unwrap()
}

async fn requires_the_token(service: &daebus::Service, address: &str) {
    assert_eq!(get(address, "/secret", None).await.0, 401);
    let (status, body) = get(address, "/secret", Some("guess")).await;
    assert_eq!(status, 403);
    assert!(body.contains(r#""code":"forbidden""#), "{body}");
    assert_eq!(get(address, "/secret", Some("open sesame")).await, (200, "Ada".to_owned()));

    let caller = service.callers().to("svc");
    let error = caller.send_request::<String>("secret", ()).await.unwrap_err();
    assert!(
        matches!(&error, CallError::Service(fault) if fault.code() == Some("unauthenticated")),
        "{error:?}"
    );
    assert_eq!(
        caller.send_request::<String>("secret", ()).header("TOKEN", "open sesame").await.unwrap(),
        "Ada"
    );

    let refused = socket_answer(address, None).await;
    assert!(refused.to_string().contains("the header `token` is missing"), "{refused}");
    let answered = socket_answer(address, Some("open sesame")).await;
    assert!(answered.to_string().contains("Ada"), "{answered}");
}

#[tokio::test]
async fn a_layer_of_a_blueprint_protects_routes_actions_and_sockets() {
    let protected = blueprint_of!["protected"; secret, secret_message].layer(layer::from_fn(authenticate));
    let app = Daebus::new("svc").register(protected).register(blueprint_of!["open"; open]);
    let (service, address) = start(app, "layer-blueprint").await;
    requires_the_token(&service, &address).await;
    assert_eq!(get(&address, "/open", None).await, (200, "open".to_owned()));
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_layer_of_the_application_protects_routes_actions_and_sockets() {
    let app = Daebus::new("svc").layer(layer::from_fn(authenticate));
    let app = app.register(blueprint_of!["all"; secret, secret_message, open]);
    let (service, address) = start(app, "layer-app").await;
    requires_the_token(&service, &address).await;
    assert_eq!(get(&address, "/open", None).await.0, 401);
    assert_eq!(get(&address, "/_service/status", None).await.0, 200);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn layers_of_the_application_guard_the_connection_of_a_socket_without_a_connect_handler() {
    let app = Daebus::new("svc").layer(layer::from_fn(authenticate));
    let (service, address) = start(app.register(blueprint_of!["all"; secret_message]), "layer-connect").await;
    let (mut socket, _) = connect_async(upgrade(&address, None)).await.unwrap();
    let refused = within(socket.next()).await.unwrap().unwrap();
    let Message::Close(Some(close)) = &refused else { panic!("{refused:?}") };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1008, "the header `token` is missing"));
    assert_eq!(service.sockets().unwrap().broadcast("n", 1).unwrap(), 0);
    let answer = socket_answer(&address, Some("open sesame")).await;
    assert!(answer.to_string().contains("Ada"), "{answer}");
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_layered_route_still_has_its_parameters_its_body_and_its_status() {
    let app = TestApp::new(
        Daebus::new("svc").layer(layer::from_fn(authenticate)).register(blueprint_of!["all"; text, created]),
    )
    .await;
    let answer = app.http().post("/text/7").header("token", "open sesame").body("body").await;
    answer.assert_status(201);
    assert_eq!(answer.text(), "Ada 7 body");
    app.http().post("/text/7").body("body").await.assert_status(401);
    app.http()
        .get("/created")
        .header("token", "open sesame")
        .await
        .assert_status(201)
        .assert_json(json!({"created": true}));
    app.finish().await;
}

/// Records what kind of answer passes, and answers requests for `cached` itself.
#[derive(Clone)]
struct Inspect;

#[derive(Clone)]
struct InspectService(HandlerService);

impl Layer<HandlerService> for Inspect {
    type Service = InspectService;

    fn layer(&self, inner: HandlerService) -> InspectService {
        InspectService(inner)
    }
}

impl Service<Context> for InspectService {
    type Response = Answer;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Answer, BoxError>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, cx: Context) -> Self::Future {
        let (wants_page, wants_json) =
            (cx.header("wants") == Some("page"), cx.header("wants") == Some("json"));
        let inner = self.0.call(cx);
        Box::pin(async move {
            if wants_page {
                return Ok(Answer::from(daebus::axum::response::Html("<p>page").into_response()));
            }
            if wants_json {
                return Json(json!({"cached": true})).into_outcome().map_err(BoxError::from);
            }
            let answer = inner.await?;
            let json = answer.json().map(|json| json.as_str().to_owned());
            match (json.as_deref(), answer.http().is_some()) {
                (Some(r#"{"created":true}"# | "\"Ada\""), false) | (None, true) => Ok(answer),
                other => Err(Failure::internal(format!("{other:?}")).into()),
            }
        })
    }
}

#[tokio::test]
async fn layers_see_json_or_an_http_response_and_may_answer_with_either() {
    let app = Daebus::new("svc").layer(Inspect).layer(layer::from_fn(authenticate));
    let app = TestApp::new(app.register(blueprint_of!["all"; secret, created])).await;
    let get =
        |path: &str, wants: &str| app.http().get(path).header("token", "open sesame").header("wants", wants);
    get("/created", "").await.assert_status(201).assert_json(json!({"created": true}));
    assert_eq!(get("/secret", "").await.text(), "Ada");
    assert_eq!(get("/secret", "page").await.text(), "<p>page");
    get("/secret", "json").await.assert_status(200).assert_json(json!({"cached": true}));
    get("/created", "json").await.assert_status(201).assert_json(json!({"cached": true}));

    let caller = app.caller();
    let call = |wants: &'static str| {
        caller.send_request::<Value>("secret", ()).header("token", "open sesame").header("wants", wants)
    };
    assert_eq!(call("").await.unwrap(), "Ada");
    assert_eq!(call("json").await.unwrap(), json!({"cached": true}));
    let error = call("page").await.unwrap_err();
    assert!(matches!(&error, CallError::Fault(fault) if fault.code() == Some("internal")), "{error:?}");
    app.finish().await;
}

#[tokio::test]
async fn http_layers_without_sockets_of_another_port_are_refused_unless_that_is_intended() {
    use daebus::axum::middleware::{Next, from_fn};
    async fn pass(request: daebus::axum::extract::Request, next: Next) -> daebus::axum::response::Response {
        next.run(request).await
    }
    let app = |bus: &str, http: Http| {
        let app =
            Daebus::new("svc").bus(format!("memory://{bus}")).register(blueprint_of!["b"; secret_message]);
        app.attach(http).attach(WebSocket::new().bind("127.0.0.1:0"))
    };
    let layered = || Http::bind("127.0.0.1:0").layer(from_fn(pass));
    let refused = app("layers-own-port", layered()).start().await.unwrap_err().to_string();
    assert!(
        refused.contains("Http::layer") && refused.contains(".allow_sockets_without_layers()"),
        "{refused}"
    );
    let service = app("layers-own-port", layered().allow_sockets_without_layers()).start().await.unwrap();
    service.stop().await.unwrap();
    let service = app("layers-own-port", Http::bind("127.0.0.1:0")).start().await.unwrap();
    service.stop().await.unwrap();
}
