//! A Redis server of one's own.

#![allow(clippy::expect_used, reason = "what fails here is a test that fails")]

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(10);

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
        server.run();
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
    /// As [`Self::start`], and when it runs already.
    pub fn run(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(&self.directory)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed and on the path");
        self.child = Some(child);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect_timeout(&self.address(), PATIENCE).is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "redis-server ended at once: {ended:?}");
            assert!(Instant::now() < deadline, "redis-server did not answer within {PATIENCE:?}");
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

    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
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
