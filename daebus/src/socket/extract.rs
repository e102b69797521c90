//! `Client` and `Sockets` as arguments.

use super::{Client, Sockets};
use crate::context::kind::{Kind, Socket};
use crate::context::{Context, Failure};
use crate::extract::Extract;
use crate::state::Needs;

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
