//! What an application attaches beside its bus: servers that lead to the same handlers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::context::Core;
use crate::error::{Error, Result};
use crate::http::{self, Http, Mount, Plan, Server};
use crate::registry::Registry;
use crate::workers::Workers;

/// Something to attach to an application with [`Daebus::attach`](crate::Daebus::attach).
#[derive(Debug)]
#[non_exhaustive]
pub enum Attachment {
    /// An HTTP server.
    Http(Box<Http>),
}

impl From<Http> for Attachment {
    fn from(http: Http) -> Self {
        Self::Http(Box::new(http))
    }
}

/// What is attached, checked against the handlers.
#[derive(Debug, Default)]
pub(super) struct Attached {
    http: Option<Plan>,
}

impl Attached {
    /// Checks what is attached.
    ///
    /// # Errors
    ///
    /// Every mistake, each a sentence.
    pub(super) fn new(attachments: Vec<Attachment>, registry: &Registry) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut https = Vec::new();
        for attachment in attachments {
            match attachment {
                Attachment::Http(http) => https.push(*http),
            }
        }
        if https.len() > 1 {
            mistakes.push(
                "two Http are attached, and a service has one: leave one out, or put a second port in front of it with a proxy"
                    .to_owned(),
            );
        }
        let mounts: Vec<Mount> = Vec::new();
        let plan = match https.pop() {
            Some(http) => Plan::new(http, &registry.routes, mounts).map(Some),
            None => {
                mistakes.extend(unreachable_routes(registry));
                Ok(None)
            }
        };
        match plan {
            Ok(http) if mistakes.is_empty() => Ok(Self { http }),
            Ok(_) => Err(mistakes),
            Err(found) => {
                mistakes.extend(found);
                Err(mistakes)
            }
        }
    }

    /// Takes the addresses, before anything else of the service runs.
    ///
    /// # Errors
    ///
    /// When one can't be had.
    pub(super) async fn bind(self) -> Result<Bound> {
        let Some(plan) = self.http else { return Ok(Bound { http: None }) };
        let listener = plan.bind().await?;
        let addr = listener.local_addr().map_err(|source| Error::Bind {
            what: "HTTP",
            address: String::from("an address that the system doesn't tell"),
            source,
        })?;
        Ok(Bound { http: Some((plan, listener, addr)) })
    }
}

/// Routes that nothing leads to.
fn unreachable_routes(registry: &Registry) -> Vec<String> {
    let routes = registry.routes.iter();
    routes
        .map(|route| {
            format!("{} has the route {route}, and no HTTP server is attached: add .attach(Http::bind(\"0.0.0.0:8080\"))", route.source)
        })
        .collect()
}

/// Addresses that are ours; connections to them wait in the system's queue.
#[derive(Debug)]
pub(super) struct Bound {
    http: Option<(Plan, TcpListener, SocketAddr)>,
}

impl Bound {
    /// Begins to answer.
    pub(super) fn serve(self, core: &Arc<Core>, timeout: Duration, workers: &Workers) -> Servers {
        let mut servers = Servers::default();
        if let Some((plan, listener, addr)) = self.http {
            let limits = plan.limits();
            let router = plan.into_router(core, timeout);
            servers.http = Some((http::serve(listener, router, limits, workers), addr));
        }
        servers
    }
}

/// The servers of a running service.
#[derive(Debug, Default)]
pub(super) struct Servers {
    http: Option<(Server, SocketAddr)>,
}

impl Servers {
    pub(super) fn http_addr(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|(_, addr)| *addr)
    }

    /// Takes nothing new in, and ends connections once their answers are finished.
    pub(super) fn drain(&self) {
        if let Some((server, _)) = &self.http {
            server.drain();
        }
    }
}
