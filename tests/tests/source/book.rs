//! The book: every chapter is listed and compiled, and its Python runs with the real package. Its Rust is run as documentation
//! tests of `daebus-docs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use daebus::prelude::*;
use daebus_tests::{Process, RedisServer, example, python, until, workspace};

fn chapters() -> Vec<PathBuf> {
    let folder = workspace().join("docs/src");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "md"))
        .filter(|file| file.file_name().is_some_and(|name| name != "SUMMARY.md"))
        .collect();
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap().to_string_lossy().into_owned()
}

/// The chapters that SUMMARY.md links to, in its order.
fn listed() -> Vec<String> {
    let summary = fs::read_to_string(workspace().join("docs/src/SUMMARY.md")).unwrap();
    let links = summary.split("](").skip(1).filter_map(|rest| rest.split(".md)").next());
    links.map(str::to_owned).collect()
}

fn blocks(file: &str, opens: &str) -> Vec<String> {
    let text = fs::read_to_string(workspace().join("docs/src").join(file)).unwrap();
    let opens = format!("```{opens}\n");
    let blocks = text.split(&opens).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

#[test]
fn every_chapter_is_listed_once_and_compiled() {
    let there: BTreeSet<String> = chapters().iter().map(|file| name(file)).collect();
    let listed = listed();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), there, "docs/src/SUMMARY.md");
    assert_eq!(listed.len(), there.len(), "docs/src/SUMMARY.md lists a chapter twice");
    let lib = fs::read_to_string(workspace().join("docs/lib.rs")).unwrap();
    let named = lib.split("chapters! {").nth(1).unwrap().split('}').next().unwrap().split_whitespace();
    let written_out = lib.split("include_str!(\"src/").skip(1).filter_map(|rest| rest.split(".md\"").next());
    let tried: BTreeSet<String> = named.chain(written_out).map(str::to_owned).collect();
    assert_eq!(tried, there, "docs/lib.rs");
}

/// Runs a block of Python in a process of its own.
fn run(number: usize, block: &str, redis: &RedisServer) -> Process {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("book-{number}-{}.py", redis.port()));
    fs::write(&file, block).unwrap();
    Process::start(python().arg("book.py").arg(file).arg(redis.port().to_string()))
}

#[tokio::test]
async fn the_service_and_the_caller_in_python_are_what_they_look_like() {
    let redis = RedisServer::start();
    let blocks = blocks("python.md", "python");
    let [service, caller] = &blocks[..] else { panic!("there are {} blocks of Python", blocks.len()) };
    let service = run(0, service, &redis);
    for channel in ["my_service", "notifications"] {
        until("the service in Python subscribes", || {
            redis.cli(&["PUBSUB", "NUMSUB", channel]).ends_with('1')
        });
    }
    run(1, caller, &redis).line("done");
    service.line("Received status request: {'detail_level': 'full'}");
    service.line("Received notification: {'type': 'alert'}");

    let caller = Caller::connect(&redis.url(), "my_service").await.unwrap();
    let status: Value = caller.send_request("get_status", json!({"detail_level": "full"})).await.unwrap();
    assert_eq!(status, json!({"status": "healthy", "uptime": 3600}));
}

#[test]
fn the_caller_in_python_calls_the_first_service() {
    let redis = RedisServer::start();
    let service = Process::start(example("hello_service").env("DAEBUS_URL", redis.url()));
    service.line("hello-service is ready");
    let blocks = blocks("start.md", "python");
    let [caller] = &blocks[..] else { panic!("there are {} blocks of Python", blocks.len()) };
    let caller = run(0, caller, &redis);
    caller.line("{'message': 'Hello, Guido!'}");
    caller.line("done");
}
