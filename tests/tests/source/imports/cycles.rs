//! Files that import each other, directly or through others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use super::Graph;

/// For each import that is part of a cycle the shortest cycle, each once, the short ones first.
pub(crate) fn of(graph: &Graph) -> Vec<String> {
    let mut cycles = BTreeSet::new();
    for (file, targets) in graph {
        for target in targets.keys() {
            if let Some(way_back) = shortest(graph, target, file) {
                cycles.insert((way_back.len(), from_the_first(way_back)));
            }
        }
    }
    cycles.into_iter().map(|(_, cycle)| shown(graph, &cycle)).collect()
}

/// The files on the shortest way from one file to another, both included.
fn shortest<'a>(graph: &'a Graph, from: &'a Path, to: &Path) -> Option<Vec<&'a Path>> {
    let mut came_from: BTreeMap<&Path, Option<&Path>> = BTreeMap::from([(from, None)]);
    let mut next = VecDeque::from([from]);
    while let Some(file) = next.pop_front() {
        if file == to {
            let mut way = vec![file];
            while let Some(before) = came_from[way[way.len() - 1]] {
                way.push(before);
            }
            way.reverse();
            return Some(way);
        }
        for target in graph.get(file).into_iter().flat_map(BTreeMap::keys) {
            came_from.entry(target.as_path()).or_insert_with(|| {
                next.push_back(target);
                Some(file)
            });
        }
    }
    None
}

/// The same cycle, written from its first file in the alphabet.
fn from_the_first(mut cycle: Vec<&Path>) -> Vec<&Path> {
    let first = (0..cycle.len()).min_by_key(|at| cycle[*at]).unwrap_or_default();
    cycle.rotate_left(first);
    cycle
}

fn shown(graph: &Graph, cycle: &[&Path]) -> String {
    let imports = cycle.iter().zip(cycle.iter().cycle().skip(1)).map(|(file, target)| {
        let names: Vec<&str> = graph[*file][*target].iter().map(String::as_str).collect();
        format!("{} imports {} from {}", file.display(), names.join(", "), target.display())
    });
    imports.collect::<Vec<_>>().join("; ")
}
