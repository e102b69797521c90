//! Processes that a measurement starts and ends, and what the system reports about them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a condition of another process is checked.
const CHECK: Duration = Duration::from_micros(200);

/// A server. Dropping it ends it: a contender by closing its standard input, another program by SIGTERM. So a service
/// takes leave of the bus before the next measurement.
pub(crate) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    is_contender: bool,
    /// What follows `ready` in its output.
    pub(crate) address: String,
}

impl Server {
    /// Starts a process without waiting for anything.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self, String> {
        Self::with_output(command, Stdio::null())
    }

    fn with_output(command: &mut Command, stdout: Stdio) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::null());
        let program = shown(command);
        let mut child = command.spawn().map_err(|error| format!("{program} can't be started: {error}"))?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, is_contender: false, address: String::new() })
    }

    /// Starts a program that prints `ready ADDRESS`.
    pub(crate) fn ready(command: &mut Command) -> Result<Self, String> {
        let mut server = Self::with_output(command, Stdio::piped())?;
        let (sender, lines) = mpsc::channel();
        if let Some(output) = server.child.stdout.take() {
            // Reads to the end, so that the process never waits for a reader.
            thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(Result::ok);
                lines.for_each(|line| drop(sender.send(line)));
            });
        }
        let (program, deadline) = (shown(command), Instant::now() + PATIENCE);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = lines.recv_timeout(left).map_err(|_| format!("{program} was not ready"))?;
            if let Some(address) = line.strip_prefix("ready ") {
                address.clone_into(&mut server.address);
                server.is_contender = true;
                return Ok(server);
            }
        }
    }

    /// Starts a server that accepts connections on a port.
    pub(crate) fn on_port(command: &mut Command, port: u16) -> Result<Self, String> {
        let (program, mut server) = (shown(command), Self::spawn(command)?);
        until(&format!("{program} accepts connections"), || match server.child.try_wait() {
            Ok(None) => Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()),
            _ => Err(format!("{program} ended at once")),
        })?;
        Ok(server)
    }

    /// Memory that is resident, in bytes.
    pub(crate) fn resident(&self) -> Result<f64, String> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.map(|kib| kib * 1024.0).ok_or_else(|| "/proc has no VmRSS".to_owned())
    }

    /// CPU time of all threads, in seconds.
    pub(crate) fn cpu(&self) -> Result<f64, String> {
        /// Ticks per second, the same on every Linux.
        const TICKS: f64 = 100.0;
        let stat = self.proc("stat")?;
        // The name of the program, in brackets, may contain spaces. User and system time are fields 14 and 15.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
        if ticks.len() == 2 {
            Ok(ticks.iter().sum::<f64>() / TICKS)
        } else {
            Err("/proc has no times".into())
        }
    }

    fn proc(&self, file: &str) -> Result<String, String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stdin.take());
        if !self.is_contender {
            let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        }
        let ended = until("a server has ended", || Ok(!matches!(self.child.try_wait(), Ok(None))));
        if ended.is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Results that a program has printed.
pub(crate) struct Results(BTreeMap<String, f64>);

impl Results {
    pub(crate) fn one(&self, name: &str) -> Result<f64, String> {
        self.0.get(name).copied().ok_or_else(|| format!("the program printed no {name}"))
    }

    fn of(output: &str) -> Self {
        let line = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Self(output.lines().filter_map(line).collect())
    }
}

/// Runs a program to its end and returns the results that it prints.
pub(crate) fn results(command: &mut Command, within: Duration) -> Result<Results, String> {
    let output = output(command, within)?;
    Ok(Results::of(&String::from_utf8_lossy(&output.stdout)))
}

/// Runs a program to its end, and kills it if it takes too long.
pub(crate) fn output(command: &mut Command, within: Duration) -> Result<Output, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = shown(command);
    let child = command.spawn().map_err(|error| format!("{program} can't be started: {error}"))?;
    let (id, (sender, ended)) = (child.id(), mpsc::channel());
    thread::spawn(move || drop(sender.send(child.wait_with_output())));
    let Ok(output) = ended.recv_timeout(within) else {
        // It has not been waited for, so the id is still its own.
        let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        return Err(format!("{program} did not end within {} s", within.as_secs()));
    };
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = errors.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(format!("{program} ended with {}: {last}", output.status))
}

/// A command without its folders and variables, for messages.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| Path::new(word).file_name().unwrap_or(word).to_string_lossy());
    words.collect::<Vec<_>>().join(" ")
}

/// Waits for a condition.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> Result<bool, String>) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !holds()? {
        if Instant::now() > deadline {
            return Err(format!("waited {} s in vain until {what}", PATIENCE.as_secs()));
        }
        thread::sleep(CHECK);
    }
    Ok(())
}

/// Waits until a channel of the Redis server on a port has so many subscribers.
pub(crate) fn until_subscribers(port: u16, channel: &str, count: u32) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("the Redis server on port {port}: {error}");
    let mut redis = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
    redis.set_nodelay(true).map_err(failed)?;
    let expected = format!(":{count}\r\n");
    until(&format!("{channel} has {count} subscribers"), || {
        redis.write_all(format!("PUBSUB NUMSUB {channel}\r\n").as_bytes()).map_err(failed)?;
        // A list of the name and the number: `*2`, `$5`, `bench`, `:1`.
        let mut reply = Vec::new();
        while reply.split(|byte| *byte == b'\n').count() <= 4 {
            let mut buffer = [0; 256];
            let read = redis.read(&mut buffer).map_err(failed)?;
            if read == 0 {
                return Err(format!("the Redis server on port {port} closed the connection"));
            }
            reply.extend_from_slice(buffer.get(..read).unwrap_or_default());
        }
        Ok(reply.ends_with(expected.as_bytes()))
    })
}

/// A port on which nothing listens.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| format!("no port is free: {error}"))
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "these are exact")]
mod tests {
    use super::*;

    #[test]
    fn results_are_lines_of_a_name_and_a_number() {
        let results = Results::of("rate 1234.5\nsome words\nbytes 7\n");
        assert_eq!(results.one("rate"), Ok(1234.5));
        assert_eq!(results.one("bytes"), Ok(7.0));
        assert_eq!(results.one("some"), Err("the program printed no some".to_owned()));
    }

    #[test]
    fn a_program_that_takes_too_long_or_fails_is_an_error() {
        let sleeps = output(Command::new("sleep").arg("60"), Duration::from_millis(50));
        assert!(sleeps.is_err_and(|reason| reason.contains("did not end within")));
        let mut fails = Command::new("sh");
        let failed = output(fails.args(["-c", "echo first >&2; echo last >&2; exit 3"]), PATIENCE);
        assert!(failed.is_err_and(|reason| reason.ends_with("exit status: 3: last")));
    }

    #[test]
    fn a_server_that_is_ready_has_memory_and_cpu_time() {
        let server = Server::ready(Command::new("sh").args(["-c", "echo ready here; read line"])).unwrap();
        assert_eq!(server.address, "here");
        assert!(server.resident().unwrap() > 10_000.0);
        assert!(server.cpu().unwrap() < 10.0);
    }
}
