//! How well the media plane finds out what a path carries, and uses it: the whole core in a simulated world, over the paths
//! that people have. See the README beside this crate.

mod measure;
mod report;
mod scenarios;

use std::process::ExitCode;

use clap::Parser;
use measure::measure;
use report::{Report, Row};

/// Runs the scenarios of bandwidth estimation and allocation, and prints what came of each.
#[derive(Debug, Parser)]
struct Options {
    /// One or more seeds, separated by commas; each gives a row of its own.
    #[arg(long, alias = "seeds", value_delimiter = ',', default_value = "1")]
    seed: Vec<u64>,
    /// Only the scenarios whose name contains this.
    #[arg(long)]
    scenario: Option<String>,
    /// Print the result as JSON.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the table as Markdown.
    #[arg(long)]
    markdown: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut rows = Vec::new();
    for scenario in scenarios::all() {
        if options.scenario.as_ref().is_some_and(|wanted| !scenario.name.contains(wanted)) {
            continue;
        }
        for &seed in &options.seed {
            let figures = measure(&scenario, seed);
            rows.push(Row::new(&scenario, seed, figures));
        }
    }
    let report = Report { rows };
    if options.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.table(options.markdown));
    }
    if report.misses() == 0 && !report.rows.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
