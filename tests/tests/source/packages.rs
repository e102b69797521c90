//! What crates.io and docs.rs need to know about the crates, and that nothing else is published.

use std::fs;

use daebus_tests::workspace;
use serde_json::Value;

use crate::structure::{CRATES, cargo};

#[test]
fn only_the_four_crates_are_published() {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        // `publish = false` is an empty list of registries.
        assert_eq!(package["publish"].is_null(), CRATES.contains(&name), "{name}: {}", package["publish"]);
    }
    for own_workspace in ["templates/service", "benches/peers", "fuzz"] {
        let manifest = fs::read_to_string(workspace().join(own_workspace).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("\n[workspace]\n"), "{own_workspace} is part of this workspace");
        assert!(manifest.contains("\npublish = false\n"), "{own_workspace} could be published");
    }
}

#[test]
fn published_crates_have_a_readme_and_can_be_found() {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    for package in packages.iter().filter(|package| package["publish"].is_null()) {
        let name = package["name"].as_str().unwrap();
        for text in ["description", "license", "repository", "readme"] {
            assert!(package[text].is_string(), "{name} has no {text}");
        }
        for list in ["keywords", "categories"] {
            // crates.io accepts five.
            let entries = package[list].as_array().map_or(0, Vec::len);
            assert!((1..=5).contains(&entries), "{name} has {entries} {list}");
        }
        assert_eq!(package["metadata"]["docs"]["rs"]["all-features"], true, "{name}");
        let readme = workspace().join(name).join(package["readme"].as_str().unwrap());
        assert!(fs::read_to_string(readme).unwrap().starts_with(&format!("# {}", title(name))), "{name}");
    }
}

/// The first heading of a crate's README.
fn title(name: &str) -> &str {
    if name == "daebus" { "Daebus" } else { name }
}
