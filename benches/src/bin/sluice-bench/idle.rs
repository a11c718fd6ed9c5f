//! What people and transports cost a server while nothing happens on them.

use std::time::Duration;

use benches::process::{Memory, Process};
use benches::run::{Motion, Phase, Plan};
use clap::Args;
use serde::Serialize;

use crate::Failure;
use crate::load;
use crate::options::positive;

/// People in a room: each is told of every other.
const PEOPLE_PER_ROOM: u32 = 20;
/// Between the last who came and looking: a server may tidy up.
const SETTLE: Duration = Duration::from_secs(3);

/// Everybody joins and does nothing; then everybody connects transports from the server and does nothing with them. Nothing is
/// produced or consumed.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// The server, http://host:port.
    #[arg(long, default_value = "http://127.0.0.1:4000")]
    url: String,
    /// Token to show to a server that asks for one (Socket.IO's auth payload, {"token": …}).
    #[arg(long)]
    token: Option<String>,
    /// Process id of the server, on this machine.
    #[arg(long)]
    server_pid: u32,
    /// People, rounded up to full rooms of 20.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    people: u32,
    /// Transports of each.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    transports: u32,
    /// People a second that begin to join, and later to connect.
    #[arg(long, default_value_t = 100.0, value_parser = positive)]
    join_rate: f64,
    /// Seconds that are measured, of either.
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    duration: f64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// With people who have joined, and nothing else.
    pub(crate) sessions: Idle,
    /// What their transports add to that.
    pub(crate) transports: Idle,
    /// What distorts the figures.
    pub(crate) warnings: Vec<String>,
}

/// Many of one thing, while nothing happens on them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Idle {
    /// How many.
    pub(crate) count: u32,
    /// What they added to the server's memory.
    pub(crate) added: Memory,
    /// Of that, each.
    pub(crate) resident_bytes_each: f64,
    /// What they added to the server's CPU, of a core.
    pub(crate) cpu_percent: f64,
}

impl Idle {
    fn between(count: u32, before: (Memory, f64), after: (Memory, f64)) -> Self {
        let added = Memory {
            resident_bytes: after.0.resident_bytes.saturating_sub(before.0.resident_bytes),
            anonymous_bytes: after.0.anonymous_bytes.saturating_sub(before.0.anonymous_bytes),
            file_bytes: after.0.file_bytes.saturating_sub(before.0.file_bytes),
        };
        Self {
            count,
            added,
            resident_bytes_each: added.resident_bytes as f64 / f64::from(count),
            cpu_percent: after.1 - before.1,
        }
    }
}

/// Joins, connects, and looks.
pub(crate) fn measured(options: &Options) -> Result<Report, Failure> {
    let pid = options.server_pid;
    let duration = Duration::try_from_secs_f64(options.duration)?;
    let at_start = Process(pid).memory().map_err(|error| format!("--server-pid {pid}: {error}"))?;
    let plan = options.plan();
    let (people, transports) = (plan.peers(), plan.transports());
    load::with(plan, Some(pid), 0, async |load, progress| {
        load.wait(SETTLE).await;
        progress.say("people idle");
        let with_people = load.measure("people", duration, Motion::default()).await?;
        load.connect_bystanders(|connected, all| progress.say(&format!("connected: {connected} of {all}"))).await?;
        load.wait(SETTLE).await;
        progress.say("transports idle");
        let with_transports = load.measure("transports", duration, Motion::default()).await?;
        let figures = |phase: &Phase| {
            let server = phase.server.as_ref().ok_or("nothing is known of the server's process")?;
            Ok::<_, Failure>((server.memory, server.cpu_percent))
        };
        let (first, second) = (figures(&with_people)?, figures(&with_transports)?);
        Ok(Report {
            sessions: Idle::between(people, (at_start, 0.0), first),
            transports: Idle::between(transports, first, second),
            warnings: benches::report::warnings(&[with_people, with_transports]),
        })
    })
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let report = measured(options)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(true);
    }
    for (what, idle) in [("sessions", &report.sessions), ("transports", &report.transports)] {
        println!(
            "{:>6} idle {what}: {:.1} KiB each, of that {:.1} anonymous; {:.1} % of a core",
            idle.count,
            idle.resident_bytes_each / 1024.0,
            idle.added.anonymous_bytes as f64 / 1024.0 / f64::from(idle.count),
            idle.cpu_percent
        );
    }
    for warning in &report.warnings {
        eprintln!("sluice-bench: {warning}");
    }
    Ok(true)
}

impl Options {
    /// People who can send and receive, and do not.
    fn plan(&self) -> Plan {
        Plan {
            url: self.url.clone(),
            token: self.token.clone(),
            rooms: self.people.div_ceil(PEOPLE_PER_ROOM),
            publishers: 0,
            subscribers: 0,
            mesh: 0,
            bystanders: self.people.min(PEOPLE_PER_ROOM),
            idle_transports: self.transports,
            audio: false,
            video_bps: None,
            sizes: 1,
            join_rate: self.join_rate,
            nack: true,
            thumbnails: false,
            gro: true,
            active_rooms: 0,
            seed: 1,
            threads: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::parsed;

    #[test]
    fn people_fill_rooms_and_each_has_its_transports() {
        let plan = |words: &str| parsed::<Options>(&format!("--server-pid 1 {words}")).unwrap().plan();
        let few = plan("--people 3 --transports 1");
        assert_eq!((few.rooms, few.peers(), few.transports()), (1, 3, 3));
        let many = plan("--people 25");
        assert_eq!((many.rooms, many.peers(), many.transports()), (2, 40, 80));
        assert_eq!((many.receivers(), many.senders()), (0, 0));
    }

    #[test]
    fn what_was_there_before_is_not_counted() {
        let memory = |resident_bytes, anonymous_bytes| Memory { resident_bytes, anonymous_bytes, file_bytes: 7 };
        let idle = Idle::between(10, (memory(1_000, 500), 1.0), (memory(3_000, 2_000), 3.5));
        assert_eq!((idle.added.anonymous_bytes, idle.added.file_bytes), (1_500, 0));
        assert_eq!((idle.resident_bytes_each, idle.cpu_percent), (200.0, 2.5));
    }
}
