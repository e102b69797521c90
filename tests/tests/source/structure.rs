//! The rules of ARCHITECTURE.md, checked against the code.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use daebus_tests::workspace;

use crate::imports::Imports;

/// Files past 400 lines, each with the reason why it is one idea all the same.
const LONG: &[(&str, &str)] = &[
    ("tests/tests/bus/conformance.rs", "one list of statements about a bus, which all of them are held to"),
    ("tests/tests/bus/faults.rs", "one list of what can happen to a Redis, and what it may cost"),
];

const LIMIT: usize = 400;

/// The crates that are published: each has its layers in ARCHITECTURE.md.
pub(crate) const CRATES: [&str; 4] = ["daebus-caller", "daebus-macros", "daebus", "daebus-cli"];

#[test]
fn modules_import_only_from_layers_above_their_own() {
    let map = read("ARCHITECTURE.md");
    let mut mistakes = Vec::new();
    for name in CRATES {
        let layers: HashMap<&str, usize> = block(&map, &format!("```layers {name}\n"))
            .lines()
            .enumerate()
            .flat_map(|(layer, line)| line.split_whitespace().map(move |module| (module, layer)))
            .collect();
        let last = layers.values().copied().max().unwrap_or_default();
        let src = workspace().join(name).join("src");
        for file in rust_files(&src) {
            let module = top_module(file.strip_prefix(&src).unwrap());
            if !layers.contains_key(module.as_str()) {
                mistakes.push(format!("{name}: the module {module} is in no layer of ARCHITECTURE.md"));
            }
        }
        for (file, targets) in Imports::of(&src).all {
            let module = top_module(&file);
            let layer = layers.get(module.as_str()).copied().unwrap_or_default();
            for (target, names) in targets {
                let other = top_module(&target);
                let is_above = layers.get(other.as_str()).is_some_and(|other| *other < layer);
                // The last layer puts the crate together.
                if module != other && !is_above && layer != last {
                    let names = names.into_iter().collect::<Vec<_>>().join(", ");
                    mistakes.push(format!(
                        "{name}: {} imports {names} from {}, but {other} is not in a layer above {module}",
                        file.display(),
                        target.display()
                    ));
                }
            }
        }
    }
    mistakes.sort();
    mistakes.dedup();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn no_files_import_each_other() {
    let mut cycles = Vec::new();
    for name in CRATES {
        let imports = Imports::of(&workspace().join(name).join("src"));
        assert!(imports.files.len() > 15, "{name}: only {} files import anything", imports.files.len());
        cycles.extend(imports.cycles().iter().map(|cycle| format!("{name}: {cycle}")));
    }
    assert!(cycles.is_empty(), "{} cycles:\n{}", cycles.len(), cycles.join("\n"));
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
    for package in
        ["daebus-caller", "daebus-cli", "daebus-macros", "daebus", "examples", "tests", "xtask", "docs"]
    {
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

/// The module at the root of the crate that a file belongs to: its first folder, or its name.
fn top_module(file: &Path) -> String {
    let first = file.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
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

pub(crate) fn cargo(arguments: &[&str]) -> String {
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
