//! What joining and leaving leaves behind in the server.

use std::time::Duration;

use benches::process::{Memory, Process};
use clap::Args;
use serde::Serialize;

use crate::Failure;
use crate::load;
use crate::options::LoadOptions;

/// Between the last leave and looking: a server may tidy up.
const SETTLE: Duration = Duration::from_secs(2);

/// Everybody joins and leaves, again and again. Nobody sends media.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) load: LoadOptions,
    /// How often.
    #[arg(long, default_value_t = 4)]
    pub(crate) cycles: u32,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The server's memory.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Joins and leaves, in all.
    pub(crate) joins: u64,
    /// Before anybody joined.
    pub(crate) at_start: Memory,
    /// After each cycle.
    pub(crate) after: Vec<Memory>,
}

/// Joins and leaves.
pub(crate) fn measured(options: &Options) -> Result<Report, Failure> {
    let mut plan = options.load.plan()?;
    plan.active_rooms = 0;
    let Some(pid) = options.load.server_pid else { return Err("--server-pid is needed: it is its memory".into()) };
    let server = Process(pid);
    let at_start = server.memory().map_err(|error| format!("--server-pid {pid}: {error}"))?;
    let peers = plan.peers();
    let mut after = Vec::new();
    for _ in 0..options.cycles {
        load::with(plan.clone(), Some(pid), 0, async |_, _| Ok(()))?;
        std::thread::sleep(SETTLE);
        after.push(server.memory()?);
    }
    Ok(Report { joins: u64::from(peers) * u64::from(options.cycles), at_start, after })
}

/// Joins, leaves and prints.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let report = measured(options)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(true);
    }
    println!("at the start  {}; after each cycle:", told(&report.at_start));
    for memory in &report.after {
        println!("              {}", told(memory));
    }
    println!("{} joins and leaves", report.joins);
    Ok(true)
}

/// In MiB.
pub(crate) fn told(memory: &Memory) -> String {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    format!(
        "{:.1} MiB ({:.1} anonymous, {:.1} of files)",
        mib(memory.resident_bytes),
        mib(memory.anonymous_bytes),
        mib(memory.file_bytes)
    )
}
