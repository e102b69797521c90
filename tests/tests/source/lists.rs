//! Lists that stand in several places: what a handler may take, and the cargo features. For each, the code is compared with
//! the table in the crate's documentation, and that with the compiler's notes and the book.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use daebus_tests::workspace;

/// Each extractor's name, and the kinds of handlers that take it.
type Extractors = BTreeMap<String, BTreeSet<String>>;

const EXTRACTORS: &str = "daebus/src/docs/extractors.md";
const FEATURES: &str = "daebus/src/docs/features.md";

#[test]
fn the_table_of_extractors_lists_every_implementation() {
    assert_eq!(extractors_in_table(EXTRACTORS), extractors_in_code());
}

#[test]
fn the_book_lists_the_same_extractors() {
    assert_eq!(extractors_in_table("docs/src/extractors.md"), extractors_in_table(EXTRACTORS));
}

#[test]
fn the_compiler_notes_list_the_same_extractors() {
    let table = extractors_in_table(EXTRACTORS);
    let of = |kinds: &[&str]| -> Extractors {
        let listed = table.iter().filter_map(|(name, all)| {
            let kept: BTreeSet<String> =
                all.iter().filter(|kind| kinds.contains(&kind.as_str())).cloned().collect();
            (!kept.is_empty()).then(|| (name.clone(), kept))
        });
        listed.collect()
    };
    let extract = extractors_in_notes("pub trait Extract<K>");
    let kinds = [
        "all",
        "actions",
        "workflows",
        "listeners",
        "schedules",
        "sockets",
        "binary sockets",
        "threads",
        "member hooks",
    ];
    assert_eq!(extract, of(&kinds));
    let route = extractors_in_notes("pub trait RouteArg<Via>");
    assert_eq!(route, of(&["all", "routes"]));
}

#[test]
fn every_table_of_features_lists_those_of_the_manifest() {
    let manifest = read("daebus/Cargo.toml");
    let section = manifest.split("[features]\n").nth(1).expect("there are features");
    let section = section.split("\n[").next().unwrap_or_default();
    let lines = section.lines().filter(|line| !line.starts_with('#'));
    let features: BTreeMap<&str, &str> = lines
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, value)| (name, value.trim_matches(['[', ']'])))
        .collect();
    let defaults: BTreeSet<String> =
        names_in_quotes(features.get("default").copied().unwrap_or_default()).collect();
    let expected: BTreeMap<String, bool> = features
        .keys()
        .filter(|name| **name != "default")
        .map(|name| ((*name).to_owned(), defaults.contains(*name)))
        .collect();
    for file in [FEATURES, "docs/src/start.md"] {
        let text = read(file);
        let table = rows(&text, "| feature | adds |");
        let listed: BTreeMap<String, bool> =
            table.iter().map(|row| (in_code(row[0]).to_owned(), row[0].ends_with("(default)"))).collect();
        assert_eq!(listed, expected, "{file}");
    }
}

#[test]
fn the_front_page_includes_the_tables() {
    let lib = read("daebus/src/lib.rs");
    for table in [EXTRACTORS, FEATURES] {
        let file = table.trim_start_matches("daebus/src/");
        assert!(lib.contains(&format!("#![doc = include_str!(\"{file}\")]")), "{file}");
    }
}

/// What implements `Extract`, and `Payload`, which routes read in a way of their own.
fn extractors_in_code() -> Extractors {
    let mut extractors = Extractors::new();
    let sources: Vec<String> = sources(&workspace().join("daebus/src"));
    let with_message: Vec<&str> = lines(&sources)
        .filter_map(|line| line.strip_prefix("impl HasMessage for ")?.split_whitespace().next())
        .collect();
    let mut like_payload = Vec::new();
    for line in lines(&sources).filter(|line| line.starts_with("impl")) {
        let Some((target, name)) = implementation(line) else { continue };
        let kinds = match target {
            "Extract<K>" if line.contains("K: Kind") => vec!["all"],
            "Extract<K>" if line.contains("K: HasMessage") => {
                with_message.iter().map(|kind| plural(kind)).collect()
            }
            // Its bound is `Payload<T>: Extract<K>`.
            "Extract<K>" => {
                like_payload.push(name);
                continue;
            }
            "RouteArg<ViaPayload>" => vec!["routes"],
            _ => match target.strip_prefix("Extract<").and_then(|kind| kind.strip_suffix('>')) {
                Some(kind) => vec![plural(kind)],
                None => continue,
            },
        };
        extractors.entry(name.to_owned()).or_default().extend(kinds.into_iter().map(str::to_owned));
    }
    let mut of_payload = extractors.get("Payload").cloned().unwrap_or_default();
    of_payload.remove("routes");
    for name in like_payload {
        extractors.entry(name.to_owned()).or_default().extend(of_payload.clone());
    }
    extractors
}

/// `Extract<Action>` and `Progress` of `impl<T> Extract<Action> for Progress<T> {`.
fn implementation(line: &str) -> Option<(&str, &str)> {
    let (before, after) = line.split_once(" for ")?;
    let target = before.rsplit(' ').next()?;
    // An optional extractor is in the row of the extractor.
    let after = after.strip_prefix("Option<").unwrap_or(after);
    let name = after.split(['<', ' ']).next()?;
    Some((target, name))
}

fn plural(kind: &str) -> &'static str {
    match kind {
        "Action" => "actions",
        "Workflow" => "workflows",
        "Listen" => "listeners",
        "Socket" => "sockets",
        "SocketBinary" => "binary sockets",
        "Thread" => "threads",
        "Background" => "schedules",
        "MemberHook" => "member hooks",
        other => panic!("{other} has no name in the tables yet"),
    }
}

fn extractors_in_table(file: &str) -> Extractors {
    let text = read(file);
    let rows = rows(&text, "| argument | in | gives |");
    let named = rows.iter().filter(|row| !in_code(row[0]).starts_with('<'));
    named.map(|row| (bare(in_code(row[0])), row[1].split(", ").map(str::to_owned).collect())).collect()
}

/// The notes in front of a trait: `every handler takes: …`, `actions also take: …`.
fn extractors_in_notes(item: &str) -> Extractors {
    let sources = sources(&workspace().join("daebus/src"));
    let file = sources.iter().find(|text| text.contains(item)).expect("the trait is there");
    let before = file.split(item).next().unwrap_or_default();
    let notes = before.rsplit("#[diagnostic::on_unimplemented(").next().unwrap_or_default();
    let mut extractors = Extractors::new();
    for note in names_in_quotes(notes) {
        let Some((subject, list)) = note.split_once(" takes: ").or_else(|| note.split_once(" also take: "))
        else {
            continue;
        };
        let kind = if subject == "every handler" { "all" } else { subject };
        let ours = list.split(", and axum's").next().unwrap_or_default();
        for name in ours.split(", ") {
            extractors.entry(bare(name)).or_default().insert(kind.to_owned());
        }
    }
    extractors
}

/// `State` of `State<T>`.
fn bare(name: &str) -> String {
    name.split('<').next().unwrap_or_default().to_owned()
}

/// What stands between the first two backticks.
fn in_code(cell: &str) -> &str {
    cell.split('`').nth(1).unwrap_or_else(|| panic!("{cell:?} names nothing"))
}

/// What stands between quotes, `\"` inside of them left out of account.
fn names_in_quotes(text: &str) -> impl Iterator<Item = String> {
    text.split('"').skip(1).step_by(2).map(str::to_owned)
}

/// The cells of the table below this line.
fn rows<'a>(text: &'a str, header: &str) -> Vec<Vec<&'a str>> {
    let lines = text.lines().skip_while(|line| *line != header).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<&str>> =
        rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect();
    assert!(!rows.is_empty(), "there is no table {header}");
    rows
}

fn lines(sources: &[String]) -> impl Iterator<Item = &str> {
    sources.iter().flat_map(|text| text.lines())
}

fn sources(folder: &Path) -> Vec<String> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources.extend(self::sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(fs::read_to_string(path).unwrap());
        }
    }
    sources
}

fn read(file: &str) -> String {
    fs::read_to_string(workspace().join(file)).unwrap()
}
