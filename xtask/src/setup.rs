//! What the tests need and a fresh machine lacks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::step::{Report, bounded, works};

/// How long a download or an installation may take.
const INSTALL: Duration = Duration::from_secs(5 * 60);

/// The Python package that the interop tests run against, and what it needs.
const REQUIREMENTS: &str = "tests/interop/requirements.txt";

/// What the tests import of it.
const MODULES: &str = "daebus, requests, websockets";

/// Installs what is missing, and says so.
pub(crate) fn run(report: &mut Report) {
    report.step("redis-server", |_| redis());
    report.step("chromium", |_| chromium());
    report.step("node", |_| node());
    report.step("the Python package daebus", |_| python());
}

/// Installs what only the benchmarks need: a peer, and the tool that counts instructions.
pub(crate) fn benchmarks(report: &mut Report) {
    report.step("nats-server", |_| program("nats-server", "the benchmarks compare Daebus with NATS"));
    report.step("valgrind", |_| program("valgrind", "the benchmarks count instructions with it"));
}

fn redis() -> Result<(), String> {
    program("redis-server", "the tests start their own, on free ports")
}

fn chromium() -> Result<(), String> {
    program("chromium", "a test opens the example kiosk in it, without a window")
}

/// Node, and for a Node without WebSockets the package that has them. Debian's packages take about 60 MB.
fn node() -> Result<(), String> {
    program("nodejs", "the tests run clients/js in it")?;
    let has_sockets = |flags: &[&str]| {
        let check = ["-e", "process.exit(typeof WebSocket === 'function' ? 0 : 1)"];
        Command::new("nodejs").args(flags).args(check).output().is_ok_and(|output| output.status.success())
    };
    let has_package = || {
        let mut require = Command::new("nodejs");
        require.env("NODE_PATH", "/usr/share/nodejs").args(["-e", "require('ws')"]);
        require.output().is_ok_and(|output| output.status.success())
    };
    if has_sockets(&[]) || has_sockets(&["--experimental-websocket"]) || has_package() {
        return Ok(());
    }
    apt("node-ws")?;
    if has_package() { Ok(()) } else { Err("node-ws was installed, but Node doesn't find it".to_owned()) }
}

/// Installs the Debian package of a program where there is no such program. `what_for` is printed.
fn program(name: &str, what_for: &str) -> Result<(), String> {
    if works(name, &["--version"]) {
        println!("   {name} is there");
        return Ok(());
    }
    println!("   {name} is missing; installing it with apt ({what_for})");
    apt(name)?;
    if works(name, &["--version"]) { Ok(()) } else { Err(format!("{name} was installed, but can't be run")) }
}

fn python() -> Result<(), String> {
    let requirements = crate::root().join(REQUIREMENTS);
    let wanted = fs::read_to_string(&requirements).map_err(|error| format!("{REQUIREMENTS}: {error}"))?;
    let venv = venv();
    // Written last, so that an installation that was cut short is done again.
    let mark = venv.join("requirements.installed");
    let interpreter = venv.join("bin/python");
    // Other requirements than those that were installed are installed anew.
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) && imports(&interpreter, MODULES)
    {
        println!("   it is in {}", venv.display());
        return Ok(());
    }
    println!("   installing {REQUIREMENTS} into {}", venv.display());
    make_venv(&venv)?;
    let mut pip = Command::new(&interpreter);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    said(pip.arg(&requirements))?;
    if !imports(&interpreter, MODULES) {
        return Err(format!("the packages were installed, but Python can't import {MODULES}"));
    }
    fs::write(&mark, wanted).map_err(|error| format!("{}: {error}", mark.display()))
}

/// The virtual environment: `DAEBUS_INTEROP_VENV`, else `target/interop-venv`. The tests look in the same places.
pub(crate) fn venv() -> PathBuf {
    if let Some(path) = std::env::var_os("DAEBUS_INTEROP_VENV") {
        return path.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    crate::root().join(target).join("interop-venv")
}

fn make_venv(venv: &Path) -> Result<(), String> {
    if !works("python3", &["--version"]) {
        println!("   python3 is missing; installing it with apt");
        apt("python3")?;
    }
    if said(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv)).is_ok() {
        return Ok(());
    }
    if works("python3", &["-m", "virtualenv", "--version"]) {
        println!("   python3 has no venv; virtualenv does as well");
        return said(Command::new("python3").args(["-m", "virtualenv", "--clear"]).arg(venv));
    }
    println!("   python3 has no working venv; installing python3-venv with apt");
    apt("python3-venv")?;
    said(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))
}

fn imports(interpreter: &Path, modules: &str) -> bool {
    let import = format!("import {modules}");
    Command::new(interpreter).args(["-c", &import]).output().is_ok_and(|output| output.status.success())
}

/// Installs a Debian package: as root, else through `sudo` where that asks for no password.
fn apt(package: &str) -> Result<(), String> {
    let by_hand = || format!("install {package} by hand, then run this again");
    if !works("apt-get", &["--version"]) {
        return Err(format!("there is no apt-get on this machine: {}", by_hand()));
    }
    let sudo: &[&str] = if is_root() {
        &[]
    } else if works("sudo", &["-n", "true"]) {
        &["sudo", "-n"]
    } else {
        return Err(format!("this isn't root, and sudo asks for a password: {}", by_hand()));
    };
    let apt_get = |arguments: &[&str]| {
        // sudo hands no variables on, `env` behind it does.
        let mut words = sudo.to_vec();
        words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        let mut command = Command::new(words[0]);
        said(command.args(&words[1..]).args(arguments))
    };
    // The lists may be there already; where they can't be fetched the installation says what is wrong.
    if let Err(why) = apt_get(&["-qq", "update"]) {
        println!("   the package lists can't be updated ({why}); trying with those that are here");
    }
    apt_get(&["-qq", "install", "--yes", "--no-install-recommends", package])
        .map_err(|why| format!("{why}: {}", by_hand()))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Runs a command, showing it first.
fn said(command: &mut Command) -> Result<(), String> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    println!("   $ {}", words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "));
    bounded(command, INSTALL)
}
