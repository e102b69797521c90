//! A process that a test starts, hears and ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::PATIENCE;

/// A process whose lines, on either output, are kept. Dropping it ends it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Arc<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    said: Mutex<Vec<String>>,
    more: Condvar,
    /// How many of the two outputs have ended.
    ended: AtomicUsize,
}

impl Process {
    /// Starts a command.
    ///
    /// # Panics
    ///
    /// When it can't be started.
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = Arc::<Lines>::default();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        for output in [stdout.map(boxed), stderr.map(boxed)].into_iter().flatten() {
            let lines = Arc::clone(&lines);
            std::thread::spawn(move || {
                for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line).into_owned();
                    lines.said.lock().push(line);
                    lines.more.notify_all();
                }
                lines.ended.fetch_add(1, Ordering::SeqCst);
                // Under the lock, so that nobody is between looking and waiting.
                drop(lines.said.lock());
                lines.more.notify_all();
            });
        }
        Self { stdin: child.stdin.take(), child, lines }
    }

    /// Waits for a line with these words in it, from the first line on, and returns it.
    ///
    /// # Panics
    ///
    /// When there is none within [`PATIENCE`].
    pub fn line(&self, words: &str) -> String {
        self.line_from(0, words).1
    }

    /// How many lines there are; a place for [`Self::line_from`].
    pub fn mark(&self) -> usize {
        self.lines.said.lock().len()
    }

    /// The same from a certain line on; returns the place behind it too.
    ///
    /// # Panics
    ///
    /// When there is none within [`PATIENCE`], or the process has ended without it.
    pub fn line_from(&self, from: usize, words: &str) -> (usize, String) {
        let deadline = Instant::now() + PATIENCE;
        let mut said = self.lines.said.lock();
        let mut looked_at = from;
        loop {
            if let Some(at) = said.iter().skip(looked_at).position(|line| line.contains(words)) {
                let at = looked_at + at;
                return (at + 1, said[at].clone());
            }
            looked_at = said.len().max(from);
            let ended = self.lines.ended.load(Ordering::SeqCst) == 2;
            assert!(!ended, "the process has ended without a line with {words:?}:\n{}", said.join("\n"));
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no line with {words:?} within {PATIENCE:?}:\n{}", said.join("\n"));
            self.lines.more.wait_for(&mut said, left);
        }
    }

    /// Everything it has said so far.
    pub fn said(&self) -> String {
        self.lines.said.lock().join("\n")
    }

    /// Writes a line to its input.
    ///
    /// # Panics
    ///
    /// When it doesn't take any more.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("the input is open");
        let written = writeln!(stdin, "{line}").and_then(|()| stdin.flush());
        written.unwrap_or_else(|error| panic!("the process takes no more: {error}\n{}", self.said()));
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `TERM`, `INT`, …
    ///
    /// # Panics
    ///
    /// When there is no such process any more.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -{name}:\n{}", self.said());
        if name == "STOP" {
            self.wait_until_stopped();
        }
    }

    /// Waits until each thread is stopped: `kill` returns before that, and a thread that still runs may answer a request.
    fn wait_until_stopped(&self) {
        let tasks = format!("/proc/{}/task", self.child.id());
        let is_stopped = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = task.and_then(|task| std::fs::read_to_string(task.path().join("stat")));
            // The state follows the name, which is in parentheses.
            stat.is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|fields| fields.starts_with('T')))
        };
        let deadline = Instant::now() + PATIENCE;
        while !std::fs::read_dir(&tasks).is_ok_and(|mut tasks| tasks.all(is_stopped)) {
            assert!(Instant::now() < deadline, "not stopped within {PATIENCE:?}:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When it goes on after [`PATIENCE`].
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "still running after {PATIENCE:?}:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it, if it still runs.
    pub fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it runs.
    ///
    /// # Panics
    ///
    /// Never, in fact: a child of ours can be asked.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn boxed(output: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(output)
}
