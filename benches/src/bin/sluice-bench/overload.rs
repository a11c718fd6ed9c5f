//! What a server does with more than it carries, and how soon it is itself again.

use std::time::Duration;

use benches::run::{Motion, Phase};
use benches::stats::{SLICE, Slice};
use clap::Args;
use serde::Serialize;

use crate::Failure;
use crate::load;
use crate::options::LoadOptions;

/// Between a join and measuring.
const SETTLE: Duration = Duration::from_secs(3);
/// A server is itself again when everything comes, this fast, at this part of the rate before.
const LATENCY_MAX_NS: u64 = 50_000_000;
const RATE_MIN: f64 = 0.95;
/// The rate is looked at over so many tenths of a second: pictures come in lumps.
const RATE_SLICES: usize = 5;

/// Some rooms send all the time, all of them for a while.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) load: LoadOptions,
    /// Rooms that send all the time.
    #[arg(long)]
    pub(crate) base_rooms: u32,
    /// Seconds before, of the overload, and after.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) duration: f64,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Before, overload, after.
    pub(crate) phases: Vec<Phase>,
    /// From the end of the overload until everything comes in time again; `None`: not while it was looked.
    pub(crate) recovery_ms: Option<f64>,
}

/// Overloads.
pub(crate) fn measured(options: &Options) -> Result<Report, Failure> {
    let mut plan = options.load.plan()?;
    let (base, all) = (options.base_rooms, plan.rooms);
    if base == 0 || base >= all {
        return Err(format!("--base-rooms {base}: expected 1 at least, and fewer than --rooms ({all})").into());
    }
    plan.active_rooms = base;
    let duration = Duration::try_from_secs_f64(options.duration)?;
    load::with(plan, options.load.server_pid, 0, async |load, progress| {
        load.wait(SETTLE).await;
        progress.say("before");
        let mut phases = vec![load.measure("before", duration, Motion::default()).await?];
        progress.say("overload");
        load.set_active(base..all, true);
        phases.push(load.measure("overload", duration, Motion::default()).await?);
        load.set_active(base..all, false);
        let ended_at = load.elapsed();
        progress.say("after");
        phases.push(load.measure("after", duration, Motion::default()).await?);
        let course = load.course().await?;
        let recovery = recovery(&course, ended_at, phases[0].packets_per_second);
        Ok(Report { phases, recovery_ms: recovery.map(|time| time.as_secs_f64() * 1e3) })
    })
}

/// From `ended_at` of the course until nothing is amiss any more.
fn recovery(course: &[Slice], ended_at: Duration, packets_per_second: f64) -> Option<Duration> {
    let end = ended_at.as_millis().div_ceil(SLICE.as_millis()) as usize;
    let wanted = RATE_MIN * packets_per_second * SLICE.as_secs_f64() * RATE_SLICES as f64;
    // The last may not be over yet.
    let after = course.get(end..course.len().saturating_sub(1))?;
    let is_amiss = |at: usize| {
        let slice = &after[at];
        let received: u64 = after[at..].iter().take(RATE_SLICES).map(|slice| slice.received).sum();
        let is_slow = at + RATE_SLICES <= after.len() && (received as f64) < wanted;
        slice.missing.iter().sum::<u64>() > 0 || slice.latency_ns_max > LATENCY_MAX_NS || is_slow
    };
    let bad = (0..after.len()).rev().find(|at| is_amiss(*at)).map_or(0, |at| at + 1);
    (bad + RATE_SLICES <= after.len()).then(|| SLICE * bad as u32)
}

/// Overloads and prints.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let report = measured(options)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(true);
    }
    for phase in &report.phases {
        let missing = |kind: &Option<benches::run::phase::KindReport>| {
            kind.as_ref().map_or("–".to_owned(), |kind| format!("{:.3} %", kind.loss_percent))
        };
        println!(
            "{:<9} {:>8.0} packets/s, {:.1} % delivered, missing: audio {}, video {}; p99 {:.2} ms",
            phase.label,
            phase.packets_per_second,
            phase.delivered_percent.unwrap_or(f64::NAN),
            missing(&phase.audio),
            missing(&phase.video),
            phase.latency.p99_us / 1e3
        );
    }
    match report.recovery_ms {
        Some(ms) => println!("itself again {ms:.0} ms after the load fell"),
        None => println!("not itself again while it was looked"),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(received: u64, missing: u64, latency_ns_max: u64) -> Slice {
        Slice { received, missing: [0, missing], latency_ns_max, ..Slice::default() }
    }

    /// A second of overload, and then what is given.
    fn recovered(after: &[Slice]) -> Option<u128> {
        let course: Vec<Slice> = [slice(50, 9, 0); 10].iter().chain(after).copied().collect();
        recovery(&course, Duration::from_millis(990), 1000.0).map(|time| time.as_millis())
    }

    #[test]
    fn a_server_is_itself_again_once_everything_comes_in_time() {
        let good = slice(100, 0, 1_000_000);
        assert_eq!(recovered(&[good; 20]), Some(0));
        let lossy = [[slice(100, 1, 0); 3].as_slice(), &[good; 20]].concat();
        assert_eq!(recovered(&lossy), Some(300));
        let late = [[slice(100, 0, 60_000_000); 4].as_slice(), &[good; 20]].concat();
        assert_eq!(recovered(&late), Some(400));
        let withheld = [[slice(10, 0, 0); 10].as_slice(), &[good; 20]].concat();
        assert_eq!(recovered(&withheld), Some(1000));
    }

    #[test]
    fn a_server_that_stays_slow_is_not() {
        assert_eq!(recovered(&[slice(10, 0, 0); 30]), None);
        assert_eq!(recovered(&[slice(100, 1, 0); 30]), None);
    }
}
