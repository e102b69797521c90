//! Chromium without a window, driven over its `DevTools` protocol.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::{PATIENCE, Process, eventually};

/// Nothing here asks anything outside of this machine.
const ARGUMENTS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=900,760",
];

/// A Chromium of one's own, with nothing remembered. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    process: Process,
    profile: PathBuf,
    address: String,
}

impl Browser {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it isn't installed, or doesn't start.
    pub fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let installed = Command::new("chromium").arg("--version").output();
        assert!(
            installed.is_ok_and(|output| output.status.success()),
            "chromium isn't installed: run `cargo xtask setup`"
        );
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let profile = std::env::temp_dir().join(format!("daebus-chromium-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&profile).expect("a temporary directory can be made");
        let mut command = Command::new("chromium");
        command.args(ARGUMENTS).arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        let process = Process::start(&mut command);
        let line = process.line("DevTools listening on ");
        let address = line.trim_start_matches("DevTools listening on ").to_owned();
        Self { process, profile, address }
    }

    /// Opens a page, in a tab of its own.
    ///
    /// # Panics
    ///
    /// When the browser doesn't take commands.
    pub async fn open(&self, url: &str) -> Page {
        let (connection, _) = connect_async(&self.address).await.expect("the browser takes connections");
        let mut page = Page { connection, session: None, last: 0 };
        let target = page.command("Target.createTarget", json!({"url": url})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        page.session = Some(page.command("Target.attachToTarget", attach).await["sessionId"].clone());
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.process.end();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// A page in a browser.
#[derive(Debug)]
pub struct Page {
    connection: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<Value>,
    last: u64,
}

impl Page {
    /// What an expression of JavaScript comes to in the page.
    ///
    /// # Panics
    ///
    /// When it throws.
    pub async fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true});
        let mut evaluated = self.command("Runtime.evaluate", parameters).await;
        assert!(evaluated.get("exceptionDetails").is_none(), "{expression}: {evaluated}");
        evaluated["result"]["value"].take()
    }

    /// Sets the size of the page's window.
    ///
    /// # Panics
    ///
    /// When the browser refuses it.
    pub async fn resize(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// The text of the element that a selector finds; empty where there is none.
    pub async fn text(&mut self, selector: &str) -> String {
        let text = self.evaluate(&format!("document.querySelector({selector:?})?.textContent")).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression of JavaScript comes to `true`.
    ///
    /// # Panics
    ///
    /// When it doesn't in time; what the page shows then is said.
    pub async fn until(&mut self, expression: &str) {
        eventually(expression, async || self.evaluate(expression).await == true).await;
    }

    /// Presses the mouse on the middle of the element that a selector finds, and lets go.
    ///
    /// # Panics
    ///
    /// When there is no such element, or something else lies over it.
    pub async fn click(&mut self, selector: &str) {
        let middle = self
            .evaluate(&format!(
                "(() => {{
                    const element = document.querySelector({selector:?});
                    const {{ x, y, width, height }} = element.getBoundingClientRect();
                    const middle = {{ x: x + width / 2, y: y + height / 2 }};
                    return element === document.elementFromPoint(middle.x, middle.y) ? middle : null;
                }})()"
            ))
            .await;
        assert!(middle.is_object(), "{selector} can't be clicked: something else is in front of it");
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({"type": kind, "x": middle["x"], "y": middle["y"], "button": "left", "clickCount": 1});
            self.command("Input.dispatchMouseEvent", event).await;
        }
    }

    /// A command of the `DevTools` protocol, and its result.
    ///
    /// # Panics
    ///
    /// When the browser refuses it, or doesn't answer in time.
    pub async fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut command = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            command["sessionId"] = session.clone();
        }
        self.connection.send(Message::text(command.to_string())).await.expect("the browser is there");
        let answer = timeout(PATIENCE, self.answer()).await;
        let mut answer = answer.unwrap_or_else(|_| panic!("{method} isn't answered within {PATIENCE:?}"));
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// The answer to the last command. Events, which come between, tell nothing that is wanted here.
    async fn answer(&mut self) -> Value {
        loop {
            let message =
                self.connection.next().await.expect("the browser stays").expect("the browser stays");
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).expect("the browser speaks JSON");
            if message["id"] == self.last {
                return message;
            }
        }
    }
}
