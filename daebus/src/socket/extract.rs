//! `Client` and `Sockets` as arguments.

use super::{Client, Sockets};
use crate::handler::extract::Extract;
use crate::handler::kind::{Kind, Socket};
use crate::handler::{Context, Failure, Needs};

impl Extract<Socket> for Client {
    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        let client = cx.extensions().get::<Self>().cloned();
        client.ok_or_else(|| Failure::internal("no client reached this handler"))
    }
}

impl<K: Kind> Extract<K> for Sockets {
    fn needs(needs: &mut Needs) {
        needs.web_socket();
    }

    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        cx.state::<Self>().cloned().ok_or_else(|| Failure::internal("no WebSocket is attached"))
    }
}
