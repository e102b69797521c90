//! The examples as processes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The workspace's directory.
pub fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where cargo puts what it builds for this test: `target/debug` or its like.
///
/// # Panics
///
/// When the test isn't where cargo puts tests.
pub fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows where it is");
    let dir = test.parent().and_then(Path::parent);
    dir.expect("the test is in target/<profile>/deps").to_path_buf()
}

/// A command that runs an example. The examples are built first, by the cargo that built the test.
///
/// Its environment has none of the variables that say where the bus is.
///
/// # Panics
///
/// When they can't be built.
pub fn example(name: &str) -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let dir = BUILT.get_or_init(|| build(&profile_dir()));
    let mut command = Command::new(dir.join(name).with_extension(std::env::consts::EXE_EXTENSION));
    for variable in ["DAEBUS_URL", "NOTIFY_SOCKET", "INVOCATION_ID", "RUST_LOG", "DAEBUS_LOG_FORMAT"] {
        command.env_remove(variable);
    }
    command
}

fn build(dir: &Path) -> PathBuf {
    let profile = match dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // A bound of its own isn't needed: the test runner has one, and so has xtask, which has built them before.
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "daebus-examples", "--bins", "--profile", profile])
        .arg("--target-dir")
        .arg(dir.parent().unwrap_or(dir))
        .current_dir(workspace())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    dir.to_path_buf()
}
