//! The Markdown files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use daebus_tests::workspace;

/// The files and folders that users and contributors read as pages.
pub(crate) const GUIDES: &[&str] = &[
    "docs/src",
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "daebus/README.md",
    "daebus-caller/README.md",
    "daebus-cli/README.md",
    "daebus-macros/README.md",
    "templates",
    "tests/vectors/README.md",
];

/// The Markdown files in these files and folders.
pub(crate) fn files(roots: &[&str]) -> Vec<PathBuf> {
    with_extension(roots, "md")
}

/// The files with this extension in these files and folders of the workspace, in order.
pub(crate) fn with_extension(roots: &[&str], extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for root in roots {
        let root = workspace().join(root);
        assert!(root.exists(), "{} doesn't exist", root.display());
        add(&root, extension, &mut files);
    }
    files.sort();
    files
}

fn add(path: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            add(&entry.unwrap().path(), extension, files);
        }
    } else if path.extension().is_some_and(|found| found == extension) {
        files.push(path.to_owned());
    }
}
