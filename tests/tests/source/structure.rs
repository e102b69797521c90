//! The rules of ARCHITECTURE.md, checked against the code.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use daebus_tests::workspace;

/// Files past 400 lines, each with the reason why it is one idea all the same.
const LONG: &[(&str, &str)] = &[
    ("tests/tests/bus/conformance.rs", "one list of statements about a bus, which all of them are held to"),
    ("tests/tests/bus/faults.rs", "one list of what can happen to a Redis, and what it may cost"),
];

const LIMIT: usize = 400;

#[test]
fn imports_run_one_way() {
    let map = read("ARCHITECTURE.md");
    let floors: HashMap<&str, usize> = block(&map, "```floors\n")
        .lines()
        .enumerate()
        .flat_map(|(floor, line)| line.split_whitespace().map(move |room| (room, floor)))
        .collect();
    let facade = floors["lib"];
    let src = workspace().join("daebus/src");
    let mut mistakes = Vec::new();
    for file in rust_files(&src) {
        let shown = file.strip_prefix(&src).unwrap().to_owned();
        let room = room_of(&shown);
        let Some(&floor) = floors.get(room.as_str()) else {
            mistakes.push(format!("{room} is a room that ARCHITECTURE.md has no floor for"));
            continue;
        };
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            // A name that is no room is one that the facade exports.
            let other = floors.get(import.as_str()).copied().unwrap_or(facade);
            let own = import == room;
            let in_facade = floor == facade;
            if !own && !in_facade && other >= floor {
                mistakes.push(format!("{} imports {import}, which isn't below it", shown.display()));
            }
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn the_check_of_imports_sees_imports() {
    let code = "//! crate::no\nuse crate::{a::{b, c}, d, E as F};\nfn f() { crate::g::h() } // crate::no\n";
    let mut seen = imports(code);
    seen.sort();
    assert_eq!(seen, ["E", "a", "d", "g"]);
}

#[test]
fn a_program_that_only_calls_builds_no_server() {
    let tree =
        cargo(&["tree", "--package", "daebus-caller", "--edges", "normal", "--prefix", "none", "--offline"]);
    let crates: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(crates.contains(&"fred"), "{tree}");
    for server in ["daebus", "axum", "hyper", "tower", "tracing-subscriber", "schemars"] {
        assert!(!crates.contains(&server), "daebus-caller pulls in {server}");
    }
}

#[test]
fn only_the_bus_on_redis_knows_the_driver() {
    // The facade hands the driver on, a bus may have a client of it, and so may the cache; none uses it.
    let allowed = [
        ("lib.rs", "pub use fred;"),
        ("bus/interface.rs", "fn redis(&self) -> Option<fred::clients::Client>"),
        ("extract/cache.rs", "fn redis(&self) -> Option<daebus_caller::fred::clients::Client>"),
    ];
    let src = workspace().join("daebus-caller/src");
    for file in rust_files(&src).into_iter().chain(rust_files(&workspace().join("daebus/src"))) {
        if file.starts_with(src.join("bus/redis")) {
            continue;
        }
        let code = without_comments(&fs::read_to_string(&file).unwrap());
        for line in code.lines().filter(|line| line.contains("fred::") || line.contains("use fred")) {
            let allowed = allowed.iter().any(|(path, words)| file.ends_with(path) && line.contains(words));
            assert!(allowed, "{}: {}", file.display(), line.trim());
        }
    }
}

#[test]
fn a_file_past_four_hundred_lines_has_a_reason() {
    let root = workspace();
    for package in ["daebus-caller", "daebus-macros", "daebus", "examples", "tests", "xtask", "docs"] {
        for file in rust_files(&root.join(package)) {
            let shown = file.strip_prefix(root).unwrap().display().to_string();
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            let listed = LONG.iter().any(|(path, _)| *path == shown);
            assert!(
                lines <= LIMIT || listed,
                "{shown} has {lines} lines; split it, or list it with a reason"
            );
            assert!(lines > LIMIT || !listed, "{shown} is listed as long and has only {lines} lines");
        }
    }
}

#[test]
fn every_dependency_is_explained() {
    let map = read("ARCHITECTURE.md");
    let section = map.split("\n## Dependencies\n").nth(1).expect("there is a section on dependencies");
    let section = section.split("\n## ").next().unwrap();
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap();
            let ours = dependency["path"].is_string();
            assert!(
                ours || section.contains(&format!("`{name}`")),
                "{} depends on {name}, and ARCHITECTURE.md doesn't say why",
                package["name"]
            );
        }
    }
}

/// The room that a file of `daebus/src` belongs to: its first folder, or its name.
fn room_of(file: &Path) -> String {
    let first = file.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The first names behind every `crate::`.
fn imports(code: &str) -> Vec<String> {
    let code = without_comments(code);
    code.match_indices("crate::")
        .filter(|(at, _)| !code[..*at].ends_with('$'))
        .flat_map(|(at, path)| heads(&code[at + path.len()..]))
        .collect()
}

/// The first name of a path, or of each path in braces.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(list) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut item, mut items) = (0, String::new(), Vec::new());
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(std::mem::take(&mut item)),
            c => item.push(c),
        }
    }
    items.push(item);
    items.iter().map(|item| name(item.trim())).filter(|name| !name.is_empty()).collect()
}

fn without_comments(code: &str) -> String {
    // Good enough for `//` in a URL as well: what is cut off there is no import.
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

pub(crate) fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn block<'a>(text: &'a str, opens: &str) -> &'a str {
    text.split(opens).nth(1).and_then(|rest| rest.split("```").next()).expect("the block is there")
}

fn read(file: &str) -> String {
    fs::read_to_string(workspace().join(file)).unwrap()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(workspace()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn without_the_feature_redis_no_driver_is_built() {
    let tree_of = |package| {
        let tree = ["tree", "--package", package, "--no-default-features"];
        cargo(&[&tree[..], &["--edges", "normal", "--prefix", "none", "--offline"]].concat())
    };
    for package in ["daebus-caller", "daebus", "daebus-tests-contract"] {
        let tree = tree_of(package);
        let crates: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(crates.contains(&"daebus-caller"), "{tree}");
        for driver in ["fred", "redis-protocol"] {
            assert!(!crates.contains(&driver), "{package} pulls in {driver} without the feature redis");
        }
    }
}
