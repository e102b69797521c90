//! The links of Markdown files, parsed as mdBook and GitHub parse them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use daebus_tests::workspace;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::markdown;

/// The options of mdBook.
const OPTIONS: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_HEADING_ATTRIBUTES);

#[derive(Default)]
struct Page {
    /// The targets of links and images.
    targets: Vec<String>,
    anchors: BTreeSet<String>,
    html: Vec<String>,
}

impl Page {
    fn read(file: &Path) -> Self {
        Self::parse(&fs::read_to_string(file).unwrap())
    }

    fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading = None;
        for event in Parser::new_ext(text, OPTIONS) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.targets.push(dest_url.to_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.add_anchor(&heading.take().unwrap_or_default()),
                Event::Text(words) | Event::Code(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                Event::Html(html) | Event::InlineHtml(html) => page.html.push(html.to_string()),
                _ => {}
            }
        }
        page
    }

    /// Adds the anchor of a heading. A repeated one gets a number, as in mdBook and on GitHub.
    fn add_anchor(&mut self, heading: &str) {
        let words = heading.trim().to_lowercase().replace(char::is_whitespace, "-");
        let anchor: String =
            words.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let mut candidates = std::iter::once(anchor.clone()).chain(numbered);
        let free = candidates.find(|candidate| !self.anchors.contains(candidate)).unwrap_or_default();
        self.anchors.insert(free);
    }
}

/// The targets of a file that don't exist.
fn broken(file: &Path, page: &Page) -> Vec<String> {
    let local = page.targets.iter().filter(|target| !target.contains("://"));
    local.filter(|target| !resolves(file, page, target)).map(|target| shown(file, target)).collect()
}

fn resolves(file: &Path, page: &Page, target: &str) -> bool {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { file.to_owned() } else { file.with_file_name(path) };
    if anchor.is_empty() {
        return path.exists();
    }
    if path == file {
        page.anchors.contains(anchor)
    } else {
        path.is_file() && Page::read(&path).anchors.contains(anchor)
    }
}

fn shown(file: &Path, target: &str) -> String {
    format!("{}: {target}", file.strip_prefix(workspace()).unwrap_or(file).display())
}

fn chapters() -> Vec<PathBuf> {
    markdown::files(&["docs/src"])
}

#[test]
fn every_link_and_image_resolves() {
    let files = markdown::files(markdown::GUIDES);
    assert!(files.len() > 25, "only {} files", files.len());
    let broken: Vec<String> = files.iter().flat_map(|file| broken(file, &Page::read(file))).collect();
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn a_chapter_links_only_to_the_book_and_the_web() {
    let outside: Vec<String> = chapters()
        .iter()
        .flat_map(|file| {
            let targets = Page::read(file).targets.into_iter();
            targets
                .filter(|target| target.starts_with(".."))
                .map(|target| shown(file, &target))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(outside.is_empty(), "links out of the book:\n{}", outside.join("\n"));
}

/// mdBook warns about tags that aren't closed, which are usually placeholders such as `<service>` without backticks.
#[test]
fn no_chapter_contains_html() {
    let html: Vec<String> = chapters()
        .iter()
        .flat_map(|file| Page::read(file).html.into_iter().map(|html| shown(file, &html)).collect::<Vec<_>>())
        .collect();
    assert!(html.is_empty(), "HTML in the book:\n{}", html.join("\n"));
}

#[test]
fn broken_links_are_found() {
    let file = workspace().join("docs/src/start.md");
    let page = Page::parse(
        "## One `two` (three)\n## Same\n## Same\n[a](#one-two-three) [b](#same-1) [c](http.md#paths) ![d](https://x/y.png)\n\
         [e](#same-2) [f](missing.md) [g](http.md#missing) ![h](missing.png) `[i](missing.md)` <tag>\n",
    );
    let broken = broken(&file, &page);
    let expected = ["#same-2", "missing.md", "http.md#missing", "missing.png"];
    assert_eq!(broken, expected.map(|target| format!("docs/src/start.md: {target}")));
    assert_eq!(page.html, ["<tag>"]);
}
