//! Words that usually occur in a sentence without a clear subject, or in place of a technical term.

use std::fs;
use std::path::PathBuf;

use daebus_tests::workspace;

use crate::markdown;

const REJECTED: [&str; 8] =
    ["told", "tells", "whoever", "somebody", "nobody", "hears", "gives up", "comes to"];

/// The packages whose comments in Rust files follow the rule as well. Add a package when its comments contain none of these
/// words.
const RUST: &[&str] =
    &["benches", "daebus-cli", "examples/src/bin/user_service", "examples/src/lib.rs", "templates", "xtask"];

/// The rejected words in a text, each with its line. A word is whole: `was_told` in the name of a test is not one.
fn rejected(text: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    // Two lines are read together, since a phrase may be wrapped between its words.
    let lines: Vec<String> = text.lines().map(|line| line.trim().to_lowercase()).collect();
    for (index, line) in lines.iter().enumerate() {
        let next = lines.get(index + 1).map_or("", |next| next.trim_start_matches(['/', '!', ' ']));
        let joined = format!("{line} {next}");
        for phrase in REJECTED {
            let starts = joined.match_indices(phrase).filter(|(start, _)| *start < line.len());
            found.extend(
                starts.filter(|(start, _)| is_whole(&joined, *start, phrase)).map(|_| (index + 1, phrase)),
            );
        }
    }
    found
}

fn is_whole(line: &str, start: usize, phrase: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let before = line[..start].chars().next_back();
    let after = line[start + phrase.len()..].chars().next();
    !before.is_some_and(is_part) && !after.is_some_and(is_part)
}

/// The comments of a Rust file, with empty lines in place of the code.
fn comments(code: &str) -> String {
    let lines = code.lines().map(|line| line.find("//").map_or("", |start| &line[start..]));
    lines.collect::<Vec<_>>().join("\n")
}

fn report(files: &[PathBuf], read: impl Fn(&str) -> String) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let text = read(&fs::read_to_string(file).unwrap());
        let name = file.strip_prefix(workspace()).unwrap_or(file).display();
        found.extend(rejected(&text).into_iter().map(|(line, phrase)| format!("{name}:{line}: {phrase}")));
    }
    found
}

#[test]
fn markdown_contains_no_rejected_words() {
    let files = markdown::files(markdown::GUIDES);
    let found = report(&files, str::to_owned);
    assert!(found.is_empty(), "name the subject, and use the technical term:\n{}", found.join("\n"));
}

#[test]
fn comments_contain_no_rejected_words() {
    let files = markdown::with_extension(RUST, "rs");
    let found = report(&files, comments);
    assert!(found.is_empty(), "name the subject, and use the technical term:\n{}", found.join("\n"));
}

#[test]
fn rejected_words_are_found() {
    let text = "The client is Told.\n`a_client_is_told` and untold\nThe call gives\nup.\nWhat it comes to";
    assert_eq!(rejected(text), [(1, "told"), (3, "gives up"), (5, "comes to")]);
    let code = "fn told() {} // It tells,\n/// which gives\n/// up.\nlet told = 1;\n";
    assert_eq!(rejected(&comments(code)), [(1, "tells"), (2, "gives up")]);
}
