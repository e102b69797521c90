//! The attributes of socket handlers.

#![allow(missing_docs, unreachable_pub)] // written like a user's crate, without lints

use daebus::prelude::*;

use super::peer::{Peer, app};

#[derive(Deserialize, Serialize, JsonSchema)]
pub struct Chat {
    pub text: String,
}

#[derive(Serialize, Deserialize, JsonSchema, Debug, PartialEq)]
pub struct Ack {
    pub from: String,
    pub reached: usize,
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
pub enum ChatError {
    #[error("the message is empty")]
    Empty,
}

#[blueprint("chat")]
pub mod chat {
    use super::*;

    #[socket("chat_message", timeout = "2s", concurrency = 4)]
    pub async fn say(
        Payload(chat): Payload<Chat>,
        client: Client,
        sockets: Sockets,
    ) -> Result<Ack, ChatError> {
        if chat.text.is_empty() {
            return Err(ChatError::Empty);
        }
        let reached =
            sockets.broadcast_where("chat", &chat, |other| other.id() != client.id()).unwrap_or_default();
        Ok(Ack { from: client.id().to_owned(), reached })
    }

    #[socket_connect]
    pub async fn joined(client: Client) -> Value {
        json!({"welcome": client.id()})
    }

    #[socket_disconnect]
    pub async fn left(client: Client, sockets: Sockets) {
        sockets.broadcast("left", client.id()).ok();
    }

    #[socket_register]
    pub fn registered(Payload(who): Payload<Value>, client: Client) -> Value {
        // A plain `fn` runs on another thread, and can send as well.
        client.send("noted", &who).ok();
        json!({"client_id": client.id()})
    }

    /// An action, a route and a socket handler.
    #[action("double")]
    #[route("/double", methods = ["POST"])]
    #[socket("double")]
    #[socket("twice")]
    pub async fn double(Payload(n): Payload<u32>) -> u32 {
        n * 2
    }
}

#[tokio::test]
async fn handlers_are_written_with_attributes() {
    let service = app("attributes", WebSocket::new(), chat::blueprint()).start().await.unwrap();
    let (mut ada, mut bob) = (Peer::connect(&service).await, Peer::connect(&service).await);
    let id = ada.receive().await["data"]["welcome"].clone();
    bob.receive().await;
    let ack = ada.ask(json!({"type": "chat_message", "data": {"text": "hello"}})).await;
    assert_eq!(ack, json!({"type": "response", "data": {"from": id, "reached": 1}}));
    assert_eq!(bob.receive().await, json!({"type": "chat", "data": {"text": "hello"}}));
    let error = ada.ask(json!({"type": "chat_message", "data": {"text": ""}})).await;
    assert_eq!(error["data"]["code"], "empty");
    assert_eq!(ada.ask(json!({"type": "register", "data": 7})).await, json!({"type": "noted", "data": 7}));
    assert_eq!(ada.receive().await["data"]["client_id"], id);
    ada.leave().await;
    assert_eq!(bob.receive().await, json!({"type": "left", "data": id}));
    drop(bob);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn one_function_answers_an_action_a_route_and_a_socket() {
    let service = app("three-ways", WebSocket::new(), chat::blueprint()).start().await.unwrap();
    let answer: u32 = service.callers().to("svc").send_request("double", 2).await.unwrap();
    assert_eq!(answer, 4);
    let url = format!("http://{}/double", service.http_addr().unwrap());
    let answer = reqwest::Client::new().post(url).json(&3).send().await.unwrap();
    assert_eq!(answer.json::<u32>().await.unwrap(), 6);
    let mut peer = Peer::connect(&service).await;
    peer.receive().await;
    assert_eq!(peer.ask(json!({"type": "double", "data": 4})).await["data"], 8);
    assert_eq!(peer.ask(json!({"type": "twice", "data": 5})).await["data"], 10);
    drop(peer);
    service.stop().await.unwrap();
}

#[tokio::test]
async fn a_handler_can_still_be_called_as_a_function() {
    assert_eq!(chat::double(Payload(21)).await, 42);
}
