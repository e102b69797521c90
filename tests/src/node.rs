//! Node, for the JavaScript client.

use std::path::Path;
use std::process::Command;

/// A command that runs a file of JavaScript. The file finds a class of WebSockets: Node's own, or that of the package `ws`.
///
/// # Panics
///
/// When Node isn't installed.
pub fn node(file: &Path) -> Command {
    let has_sockets = |flags: &[&str]| {
        let test = Command::new("nodejs").args(flags).args(["-p", "typeof WebSocket"]).output();
        let test = test.expect("nodejs is installed; `cargo xtask setup` installs it");
        test.status.success() && test.stdout.starts_with(b"function")
    };
    let mut command = Command::new("nodejs");
    // Node has a WebSocket since version 22, and behind a flag since 20.10.
    if !has_sockets(&[]) && has_sockets(&["--experimental-websocket"]) {
        command.arg("--experimental-websocket");
    }
    // Where Debian puts packages of Node.
    command.env("NODE_PATH", "/usr/share/nodejs").arg(file);
    command
}
