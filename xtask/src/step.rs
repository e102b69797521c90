//! One step: said aloud, bounded in time, its outcome kept for the end.

use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

/// How often a running step is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// The steps that have run, in order.
pub(crate) struct Report {
    steps: Vec<Step>,
}

struct Step {
    name: String,
    took: Duration,
    failure: Option<String>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { steps: Vec::new() }
    }

    /// Runs a command within the workspace and returns whether it went well. Its output goes where ours goes.
    pub(crate) fn run(&mut self, name: &str, command: &mut Command, within: Duration) -> bool {
        let line = line_of(command);
        self.step(name, |_| {
            println!("   $ {line}");
            bounded(command.current_dir(crate::root()), within)
        })
    }

    /// Runs a step that is more than one command.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce(&mut Self) -> Result<(), String>) -> bool {
        println!("== {name}");
        let started = Instant::now();
        let failure = work(self).err();
        let took = started.elapsed();
        match &failure {
            None => println!("   {name}: done in {:.1} s", took.as_secs_f64()),
            Some(why) => println!("   {name}: FAILED after {:.1} s: {why}", took.as_secs_f64()),
        }
        let went_well = failure.is_none();
        self.steps.push(Step { name: name.to_owned(), took, failure });
        went_well
    }

    /// Says what ran and what failed; the exit code is 1 if anything did.
    pub(crate) fn finish(self) -> ExitCode {
        println!("\n== what ran");
        for Step { name, took, failure } in &self.steps {
            let outcome = failure.as_ref().map_or_else(|| "ok".to_owned(), |why| format!("FAILED: {why}"));
            println!("   {:>6.1} s  {name}: {outcome}", took.as_secs_f64());
        }
        let failed = self.steps.iter().filter(|step| step.failure.is_some()).count();
        if failed == 0 {
            println!("   all {} steps went well", self.steps.len());
            ExitCode::SUCCESS
        } else {
            println!("   {failed} of {} steps FAILED", self.steps.len());
            ExitCode::FAILURE
        }
    }
}

/// Runs a command and ends it, with all it has started, when its time is over.
pub(crate) fn bounded(command: &mut Command, within: Duration) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().map_err(|error| format!("{program} can't be started: {error}"))?;
    let deadline = Instant::now() + within;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("{program} ended with {status}")),
            Ok(None) if Instant::now() < deadline => thread::sleep(LOOK),
            Ok(None) => {
                end(&mut child);
                return Err(format!("{program} was not done within {} s and was ended", within.as_secs()));
            }
            Err(error) => return Err(format!("{program} can't be waited for: {error}")),
        }
    }
}

/// Whether a program is there and says it works.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// Ends a process and its descendants: cargo doesn't take its tests along when it is killed.
fn end(child: &mut Child) {
    let mut condemned = vec![child.id().to_string()];
    if let Ok(output) = Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid="]).output() {
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        let family: Vec<(&str, &str)> = table
            .lines()
            .filter_map(|line| {
                let mut columns = line.split_whitespace();
                Some((columns.next()?, columns.next()?))
            })
            .collect();
        let mut next = 0;
        while let Some(parent) = condemned.get(next).cloned() {
            let children = family.iter().filter(|(_, its_parent)| *its_parent == parent);
            condemned.extend(children.map(|(pid, _)| (*pid).to_owned()));
            next += 1;
        }
    }
    // Best effort: the step has failed already, and each of these may be gone by now.
    let _ = Command::new("kill").arg("-KILL").args(&condemned).status();
    let _ = child.kill();
    let _ = child.wait();
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={:?} ", name.to_string_lossy(), value?.to_string_lossy()))
    });
    let mut line: String = variables.collect();
    line.push_str(&words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "));
    line
}
