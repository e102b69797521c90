//! A Redis server of one's own.

#![allow(clippy::expect_used, reason = "what fails here is a test that fails")]

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// How many ports to try: another process may take a port between the moment it was found free and the server's start.
const ATTEMPTS: usize = 10;

/// What the server's log contains if another process has the port.
const PORT_TAKEN: &str = "Address already in use";

/// A `redis-server` on a free port of this machine, without persistence. Dropping it ends it.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    arguments: Vec<String>,
    directory: PathBuf,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Panics
    ///
    /// When there is no `redis-server` on the path, or it doesn't start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further arguments, as in `&["--requirepass", "secret"]`.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub fn start_with(arguments: &[&str]) -> Self {
        let mut server = Self::not_started(arguments);
        server.run_on_a_free_port();
        server
    }

    /// A server that is yet to be [`run`](Self::run), with the port it will have.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub fn not_started(arguments: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("daebus-redis-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a temporary directory can be made");
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self { port: free_port(), arguments, directory, child: None }
    }

    /// Starts the server on its port; after [`kill`](Self::kill), starts it again.
    ///
    /// # Panics
    ///
    /// As [`Self::start`], and when it runs already or another process keeps its port.
    pub fn run(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(ended) = self.try_run() {
            // A client that was given the port for one connection gives it back.
            let may_end = ended.contains(PORT_TAKEN) && Instant::now() < deadline;
            assert!(may_end, "redis-server ended at once: {ended}");
        }
    }

    /// Starts the server, on another port if its own is taken.
    fn run_on_a_free_port(&mut self) {
        for _ in 1..ATTEMPTS {
            match self.try_run() {
                Ok(()) => return,
                Err(ended) if ended.contains(PORT_TAKEN) => self.port = free_port(),
                Err(ended) => panic!("redis-server ended at once: {ended}"),
            }
        }
        self.run();
    }

    /// Starts the server and waits until it answers. Returns the server's log if it ends instead.
    fn try_run(&mut self) -> Result<(), String> {
        assert!(self.child.is_none(), "the server runs already");
        let log = self.directory.join("log");
        // Each start has a log of its own.
        let _ = std::fs::remove_file(&log);
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(&self.directory)
            .arg("--logfile")
            .arg(&log)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed and on the path");
        let child = self.child.insert(child);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = child.try_wait().expect("a child can be asked");
            // Not by connecting: on a port that is taken another server answers.
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            if let Some(status) = ended {
                self.child = None;
                return Err(format!("{status}: {log}"));
            }
            if log.contains("eady to accept connections") {
                return Ok(());
            }
            assert!(Instant::now() < deadline, "redis-server did not start within {PATIENCE:?}: {log}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends the server at once, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops the server's process: connections stay, nothing is answered.
    ///
    /// # Panics
    ///
    /// When it doesn't run.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets the server's process go on.
    ///
    /// # Panics
    ///
    /// When it doesn't run.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Runs a command with `redis-cli` and returns what it prints.
    ///
    /// # Panics
    ///
    /// When it can't be run.
    pub fn cli(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(command)
            .output()
            .expect("redis-cli is installed and on the path");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("the server runs");
        let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal} failed");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn free_port() -> u16 {
    let port =
        || -> io::Result<u16> { Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port()) };
    port().expect("a port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_whose_port_was_taken_meanwhile_starts_on_another() {
        let mut server = RedisServer::not_started(&[]);
        let port = server.port();
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
        server.run_on_a_free_port();
        assert_ne!(server.port(), port);
        assert_eq!(server.cli(&["PING"]), "PONG");
    }
}
