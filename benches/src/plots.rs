//! Plots for the book: the cost of a call as one quantity grows.

use std::fs;
use std::time::Duration;

use crate::bench::{Bench, redis};
use crate::figures::median;
use crate::processes::output;

/// Where the book finds the plots.
const FOLDER: &str = "docs/src/performance";

/// How long drawing may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// One plot; its name is the option of `contender growth`.
struct Plot {
    name: &'static str,
    title: &'static str,
    x: &'static str,
    values: &'static [u32],
    /// Whether the cost grows so much that it needs a logarithmic scale.
    is_steep: bool,
}

const PLOTS: [Plot; 4] = [
    Plot {
        name: "payload",
        title: "Cost of a call and the size of its payload",
        x: "payload in bytes, each way",
        values: &[64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576],
        is_steep: true,
    },
    Plot {
        name: "actions",
        title: "Cost of a call and the number of actions",
        x: "actions of the service",
        values: &[1, 3, 10, 30, 100],
        is_steep: false,
    },
    Plot {
        name: "callers",
        title: "Cost of a call and the number of callers",
        x: "connected callers",
        values: &[1, 3, 10, 30, 100, 300, 1_000],
        is_steep: false,
    },
    Plot {
        name: "instances",
        title: "Cost of a call and the number of instances",
        x: "instances of the service",
        values: &[1, 2, 4, 8],
        is_steep: false,
    },
];

/// Measures and draws all plots.
pub(crate) fn draw(bench: &Bench) -> Result<(), String> {
    let folder = bench.root.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let (_server, port) = redis()?;
    for Plot { name, title, x, values, is_steep } in PLOTS {
        let file = folder.join(name).with_extension("svg");
        let mut plot = bench.program("plot");
        plot.arg(&file).args(["--title", title, "--x", x, "--y", "CPU time per call in µs"]);
        plot.args(is_steep.then_some("--log"));
        for (value, cost) in costs(bench, port, name, values)? {
            eprintln!("   {value} {x}: {cost:.1} µs");
            plot.args(["--point", &format!("{value}:{cost}")]);
        }
        output(&mut plot, PATIENCE)?;
        println!("{}", file.display());
    }
    Ok(())
}

/// The median cost for each value. A round measures all values, so that a disturbance affects neighbours alike.
fn costs(bench: &Bench, port: u16, name: &str, values: &[u32]) -> Result<Vec<(u32, f64)>, String> {
    let mut rounds = vec![Vec::new(); values.len()];
    for _ in 0..bench.rounds {
        for (value, costs) in values.iter().zip(&mut rounds) {
            let mut growth = bench.contender(&["growth", &format!("redis://127.0.0.1:{port}")]);
            growth.args([format!("--{name}"), value.to_string()]);
            costs.push(bench.results(&mut growth)?.one("cpu")?);
        }
    }
    let medians = values.iter().zip(&rounds).filter_map(|(value, costs)| Some((*value, median(costs)?)));
    Ok(medians.collect())
}
