//! `cargo xtask bench`: measures Daebus beside its peers in one run and prints one table.
//!
//! The programs that are compared are in `peers`, a workspace of its own. Each measurement starts its programs, on free
//! ports of the loopback interface, and ends them. Within a row the contenders alternate, so that a disturbance of the
//! machine affects all of them; ratios are taken within a round, and the table has medians over the rounds.

mod bench;
mod contest;
mod figures;
mod plots;
mod processes;
mod report;
mod rows;

use std::process::ExitCode;

use bench::{Bench, Options};
use clap::Parser;
use rows::Row;

fn main() -> ExitCode {
    let options = Options::parse();
    let rows = Row::selected(&options.only, options.build);
    match measure(&options, &rows) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options, rows: &[Row]) -> Result<(), String> {
    let bench = Bench::new(options)?;
    if options.plots {
        return plots::draw(&bench);
    }
    let mut lines = Vec::new();
    for row in rows {
        eprintln!("== {}: {}", row.name(), row.summary());
        lines.extend(row.measure(&bench));
    }
    let conditions = bench.conditions();
    println!("{conditions}\n\n{}", report::text(&lines));
    let folder = bench.target.join("bench");
    bench::write(&folder.join("results.md"), &format!("{conditions}\n\n{}", report::markdown(&lines)))?;
    bench::write(&folder.join("results.json"), &format!("{:#}\n", report::json(&conditions, &lines)))?;
    println!("also in {}: results.md, results.json", folder.display());
    Ok(())
}
