//! What the fuzz targets in `fuzz/` check. One function per parser of bytes that peers send; each takes any bytes and panics
//! if the parser breaks a promise.
//!
//! `cargo xtask fuzz` runs them under libFuzzer, on a nightly compiler. The tests of this crate replay the corpora, each file
//! as it is and in a few hundred damaged forms, so that CI runs them on every change.

mod json;
mod routes;

use daebus::__parsers as parsers;

pub use json::{batch, frame, wire};
pub use routes::route;

/// A fuzz target: its name, which its corpus has too, and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 5] =
    [("batch", batch), ("frame", frame), ("route", route), ("settings", settings), ("wire", wire)];

/// A settings file: every mistake has a line of the file.
pub fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines = text.lines().count().max(1) + 1;
    for mistake in parsers::mistakes_in_settings(&text) {
        let line =
            mistake.strip_prefix("settings.toml:").and_then(|rest| rest.split(':').next()?.parse().ok());
        assert!(line.is_some_and(|line: usize| (1..=lines).contains(&line)), "{mistake:?} has no line");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::TARGETS;

    #[test]
    fn the_corpora_pass_as_they_are_and_damaged() {
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        for (name, target) in TARGETS {
            let folder = corpora.join(name);
            let mut files: Vec<_> =
                fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            assert!(files.len() >= 5, "{} has only {} files", folder.display(), files.len());
            let inputs: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
            for (at, input) in inputs.iter().enumerate() {
                target(input);
                damaged(input, &inputs[(at + 1) % inputs.len()]).for_each(|input| target(&input));
            }
        }
    }

    #[test]
    fn every_corpus_and_every_fuzz_program_has_a_target() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
        let names = |folder: &str| {
            let mut names: Vec<_> = fs::read_dir(fuzz.join(folder))
                .unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
                .collect();
            names.sort();
            names
        };
        let expected = TARGETS.map(|(name, _)| name);
        assert_eq!(names("corpus"), expected);
        assert_eq!(names("targets"), expected);
    }

    /// The input cut off at every eighth byte, with each bit pattern of a few at some bytes, and joined to another input.
    /// The same for every run.
    fn damaged(input: &[u8], other: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        const BYTES: [u8; 6] = [0, b'"', b'{', b'[', b'\\', 0xff];
        let cut = (0..input.len()).step_by(8).map(|at| input[..at].to_vec());
        let changed =
            (0..input.len().min(64)).flat_map(|at| BYTES.map(|byte| (at, byte))).map(|(at, byte)| {
                let mut input = input.to_vec();
                input[at] = byte;
                input
            });
        let joined =
            [[input, other].concat(), [&input[..input.len() / 2], &other[other.len() / 2..]].concat()];
        cut.chain(changed).chain(joined)
    }
}
