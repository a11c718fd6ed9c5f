//! What joining and leaving leaves behind in the server.

use std::time::Duration;

use benches::process::Process;
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

/// The server's memory in bytes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Joins and leaves, in all.
    pub(crate) joins: u64,
    /// Before anybody joined.
    pub(crate) at_start: u64,
    /// After each cycle.
    pub(crate) after: Vec<u64>,
    /// With everybody there in the last cycle, over the transports; what an allocator kept of the cycles before included.
    pub(crate) per_idle_transport: f64,
}

/// Joins and leaves.
pub(crate) fn measured(options: &Options) -> Result<Report, Failure> {
    let mut plan = options.load.plan()?;
    plan.active_rooms = 0;
    let Some(pid) = options.load.server_pid else { return Err("--server-pid is needed: it is its memory".into()) };
    let server = Process(pid);
    let at_start = server.resident_bytes().map_err(|error| format!("--server-pid {pid}: {error}"))?;
    let transports = f64::from(plan.receivers() + plan.rooms * plan.senders());
    let peers = plan.peers();
    let (mut after, mut per_idle_transport) = (Vec::new(), f64::NAN);
    for _ in 0..options.cycles {
        let with_all = load::with(plan.clone(), Some(pid), async |_, _| Ok(server.resident_bytes()?))?;
        per_idle_transport = with_all.saturating_sub(at_start) as f64 / transports;
        std::thread::sleep(SETTLE);
        after.push(server.resident_bytes()?);
    }
    Ok(Report { joins: u64::from(peers) * u64::from(options.cycles), at_start, after, per_idle_transport })
}

/// Joins, leaves and prints.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let report = measured(options)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(true);
    }
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!("at the start {:.1} MiB; after each cycle:", mib(report.at_start));
    for bytes in &report.after {
        println!("  {:.1} MiB", mib(*bytes));
    }
    println!(
        "{} joins and leaves; {:.1} KiB for each idle transport",
        report.joins,
        report.per_idle_transport / 1024.0
    );
    Ok(true)
}
