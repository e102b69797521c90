//! The book: every chapter is listed and tried, every link leads somewhere, and its Python runs with the real package.
//! Its Rust is run as documentation tests of `daebus-docs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use daebus::prelude::*;
use daebus_tests::{Process, RedisServer, example, python, until, workspace};

fn chapters() -> Vec<PathBuf> {
    let folder = workspace().join("docs/src");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.file_name().is_some_and(|name| name != "SUMMARY.md")).collect();
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap().to_string_lossy().into_owned()
}

/// The text without what stands in blocks of code.
fn prose(text: &str) -> String {
    text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// What stands in parentheses behind a link's words.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with("https://")).collect()
}

/// A heading's name in links: lower case, hyphens for blanks, nothing else but letters and digits.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    words.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

fn blocks(file: &str, opens: &str) -> Vec<String> {
    let text = fs::read_to_string(workspace().join("docs/src").join(file)).unwrap();
    let opens = format!("```{opens}\n");
    let blocks = text.split(&opens).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

#[test]
fn every_chapter_is_listed_and_tried() {
    let there: BTreeSet<String> = chapters().iter().map(|file| name(file)).collect();
    let summary = fs::read_to_string(workspace().join("docs/src/SUMMARY.md")).unwrap();
    let listed: BTreeSet<String> =
        links(&summary).iter().map(|link| link.trim_end_matches(".md").to_owned()).collect();
    assert_eq!(listed, there, "docs/src/SUMMARY.md");
    let lib = fs::read_to_string(workspace().join("docs/lib.rs")).unwrap();
    let named = lib.split("chapters! {").nth(1).unwrap().split('}').next().unwrap().split_whitespace();
    let written_out = lib.split("include_str!(\"src/").skip(1).filter_map(|rest| rest.split(".md\"").next());
    let tried: BTreeSet<String> = named.chain(written_out).map(str::to_owned).collect();
    assert_eq!(tried, there, "docs/lib.rs");
}

#[test]
fn every_link_leads_somewhere() {
    let mut dead = Vec::new();
    for file in chapters() {
        let text = prose(&fs::read_to_string(&file).unwrap());
        for link in links(&text) {
            let (path, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.clone() } else { file.with_file_name(path) };
            let Ok(there) = fs::read_to_string(&target) else {
                dead.push(format!("{}: {link}", file.display()));
                continue;
            };
            let there = prose(&there);
            let mut headings = there.lines().filter(|line| line.starts_with('#'));
            if !place.is_empty() && !headings.any(|heading| anchor(heading) == place) {
                dead.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
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
