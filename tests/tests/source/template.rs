//! The project that `cargo xtask new` makes: it builds, its tests pass, it is formatted, and it runs.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use daebus::prelude::*;
use daebus_tests::{Process, RedisServer, profile_dir, workspace};

/// A folder of a test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("daebus-template-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn cargo(folder: &Path, arguments: &[&str]) -> Output {
    let target = profile_dir();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", target.parent().unwrap());
    // What this workspace has compiled is of use there too, where it is compiled alike. Nothing needs the network.
    command.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    command.env("CARGO_NET_OFFLINE", "true").output().unwrap()
}

fn well(output: &Output) -> String {
    let said =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    said
}

fn new(name: &str, path: &Path) -> Output {
    cargo(workspace(), &["xtask", "new", name, path.to_str().unwrap()])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_project_builds_passes_its_tests_and_serves() {
    let folder = Folder::new("works");
    let path = &folder.0;
    well(&new("room-keeper", path));
    // Built by now. It isn't a test of its own, since that would wait for this one's compiler.
    refusals(&profile_dir().join("xtask"));
    for file in
        ["deploy/room-keeper.service", "deploy/room-keeper.toml", ".github/workflows/ci.yml", "README.md"]
    {
        let text = fs::read_to_string(path.join(file)).unwrap();
        assert!(!text.contains("my-service") && !text.contains("my_service"), "{file}:\n{text}");
    }
    well(&cargo(path, &["fmt", "--check"]));
    let tested = well(&cargo(path, &["test"]));
    assert_eq!(tested.matches("test result: ok. 3 passed").count(), 1, "{tested}");

    let redis = RedisServer::start();
    let program = profile_dir().parent().unwrap().join("debug/room-keeper");
    let mut service = Process::start(
        Command::new(program)
            .arg("--config")
            .arg(path.join("deploy/room-keeper.toml"))
            // Of what the file says, the bus is elsewhere in a test.
            .args(["--bus", &redis.url()])
            .env_remove("NOTIFY_SOCKET"),
    );
    service.line("room_keeper is ready");
    let caller = Caller::connect(&redis.url(), "room_keeper").await.unwrap();
    assert_eq!(caller.send_message("sensors.attic", json!({"value": 21.5})).await.unwrap(), 1);
    let reading = async || caller.send_request::<Value>("get_reading", json!({"sensor": "attic"})).await;
    daebus_tests::eventually("the reading is kept", async || reading().await.is_ok()).await;
    assert_eq!(reading().await.unwrap(), json!({"value": 21.5}));
    service.signal("TERM");
    assert_eq!(service.wait().code(), Some(0), "{}", service.said());
}

fn refusals(program: &Path) {
    let folder = Folder::new("refused");
    let new = |name: &str| Command::new(program).args(["new", name]).arg(&folder.0).output().unwrap();
    for name in ["", "Room", "9rooms", "a b", "rooms-"] {
        let output = new(name);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("as in room-thermostat"), "{name:?}: {said}");
    }
    fs::create_dir_all(&folder.0).unwrap();
    fs::write(folder.0.join("precious"), "").unwrap();
    let output = new("rooms");
    assert!(String::from_utf8_lossy(&output.stderr).contains("is there already"), "{output:?}");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
}
