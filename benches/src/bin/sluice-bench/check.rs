//! That media of every kind arrives, through a server that is started for it. Counts are looked at, times are not.

use std::path::PathBuf;

use benches::report::RunReport;
use clap::Args;

use crate::Failure;
use crate::options::{RunOptions, parsed};
use crate::run;
use crate::server::{Cores, Server};

/// A little of each kind of load. A busy machine may lose something.
const LOADS: [(&str, &str); 3] = [
    ("everybody sees and hears everybody", "--mesh 3 --audio --video-kbps 500 --duration 1.5"),
    ("three sizes, and people who come and go", "--subscribers 3 --simulcast --churn 2 --duration 1.5 --no-floor"),
    (
        "only voices, to receivers without GRO",
        "--publishers 2 --subscribers 3 --audio --video-kbps 0 --no-gro --duration 1 --no-floor",
    ),
];
const ALWAYS: &str = "--max-loss 10 --warm-up 1.5";

/// Starts a server, and lets a little of each kind of media through it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// The server's binary; it is configured by PORT, RTC_MIN_PORT, RTC_MAX_PORT, LISTEN_IP and WORKERS.
    #[arg(long, default_value = "target/release/sluice")]
    server: PathBuf,
}

/// Checks.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let cores = Cores::of_this_process()?;
    let server = Server::start(&options.server, 1, &[], &cores)?;
    let mut problems = Vec::new();
    for (name, words) in LOADS {
        let report = load(&server, &format!("{words} {ALWAYS}"))?;
        problems.extend(report.problems.iter().chain(&odd(&report)).map(|problem| format!("{name}: {problem}")));
    }
    // A server that is not there is named.
    let url = server.url();
    let words = format!("--url {url} --subscribers 1");
    drop(server);
    let refused = run::measured(&parsed::<RunOptions>(&words)?, words).err().map_or(String::new(), |e| e.to_string());
    if !refused.contains(&url) {
        problems.push(format!("a server that is gone should be named, but: {refused:?}"));
    }
    for problem in &problems {
        eprintln!("sluice-bench: {problem}");
    }
    if problems.is_empty() {
        println!("bench: media arrived under {} loads", LOADS.len());
    }
    Ok(problems.is_empty())
}

fn load(server: &Server, words: &str) -> Result<RunReport, Failure> {
    let words = format!("--url {} --server-pid {} {words}", server.url(), server.pid());
    let (report, _) = run::measured(&parsed::<RunOptions>(&words)?, words)?;
    Ok(report)
}

/// What a run without problems has, besides media.
fn odd(report: &RunReport) -> Vec<String> {
    let mut odd = Vec::new();
    for phase in &report.phases {
        if phase.latency.samples == 0 {
            odd.push("no packet was opened and had its time".to_owned());
        }
        if phase.video.is_some() && phase.feedback.transport_feedback_sent == 0 {
            odd.push("nobody told the server what arrived".to_owned());
        }
        if phase.server.as_ref().is_none_or(|server| server.memory.resident_bytes == 0) {
            odd.push("nothing is known of the server's process".to_owned());
        }
    }
    odd.extend((report.joins.failed > 0).then(|| format!("{} newcomers failed", report.joins.failed)));
    odd
}
