//! The most that a server carries: everybody joins, and rooms begin to send until too much is lost.

use std::time::Duration;

use benches::run::{Motion, Phase};
use clap::Args;
use serde::Serialize;

use crate::Failure;
use crate::load;
use crate::options::LoadOptions;

/// Between a change of the load and measuring: estimates of paths climb.
const SETTLE: Duration = Duration::from_secs(3);
/// After too much, with half of what is known to go.
const RECOVER: Duration = Duration::from_secs(2);
/// Of what was published for the streams that are there; the rest is on its way at either end, or was held back.
const DELIVERED_MIN_PERCENT: f64 = 98.5;
/// Tries at most; each halves what is not known.
const STEPS_MAX: usize = 12;

/// The most that a server carries, and how fast it is at half of that. There must be more rooms than it carries.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) load: LoadOptions,
    /// Percent that may be missing.
    #[arg(long, default_value_t = 0.5)]
    pub(crate) max_loss: f64,
    /// Seconds of each try.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) duration: f64,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Rooms that sent at most.
    pub(crate) rooms: u32,
    /// Of how many.
    pub(crate) rooms_joined: u32,
    /// What that was like.
    pub(crate) capacity: Option<Phase>,
    /// With half as many rooms.
    pub(crate) half: Option<Phase>,
    /// All tries, in order.
    pub(crate) tries: Vec<Try>,
    /// What ended the search was the generator, or the number of rooms: the server carries more.
    pub(crate) is_lower_bound: bool,
}

/// One try.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Try {
    pub(crate) rooms: u32,
    pub(crate) packets_per_second: f64,
    pub(crate) loss_percent: f64,
    pub(crate) delivered_percent: f64,
    pub(crate) latency_p99_us: f64,
    pub(crate) server_cpu_percent: f64,
    pub(crate) generator_percent: f64,
    pub(crate) passed: bool,
}

impl Try {
    fn of(rooms: u32, phase: &Phase, max_loss_percent: f64) -> Self {
        let delivered_percent = phase.delivered_percent.unwrap_or(100.0);
        Self {
            rooms,
            packets_per_second: phase.packets_per_second,
            loss_percent: phase.loss_percent,
            delivered_percent,
            latency_p99_us: phase.latency.p99_us,
            server_cpu_percent: phase.server.as_ref().map_or(f64::NAN, |server| server.cpu_percent),
            generator_percent: phase.generator.busiest_thread_percent,
            passed: phase.loss_percent < max_loss_percent && delivered_percent >= DELIVERED_MIN_PERCENT,
        }
    }

    /// What did not come, whether by the numbers or because the server left it out.
    pub(crate) fn missed_percent(&self) -> f64 {
        self.loss_percent.max(100.0 - self.delivered_percent)
    }
}

/// Which number to try next: `known` goes, `fails` does not.
fn next_try(known: u32, fails: Option<u32>, all: u32, tries: &[Try]) -> Option<u32> {
    let Some(last) = tries.last() else { return Some((all / 8).max(1)) };
    let upper = fails.unwrap_or(all + 1);
    if upper <= known + 1 {
        return None;
    }
    if fails.is_none() {
        // What the server's CPU lets expect, three times as much at most.
        let expected = f64::from(last.rooms) * 100.0 / last.server_cpu_percent.max(1.0);
        let step = if expected.is_finite() { expected.ceil() as u32 } else { known * 2 };
        return Some(step.clamp(known + 1, (known * 3).max(known + 1)).min(all));
    }
    // Near enough is a fiftieth.
    (upper - known > known / 50 + 1).then(|| known + (upper - known) / 2)
}

/// Searches.
pub(crate) fn measured(options: &Options) -> Result<Report, Failure> {
    let mut plan = options.load.plan()?;
    plan.active_rooms = 0;
    let all = plan.rooms;
    let duration = Duration::try_from_secs_f64(options.duration)?;
    load::with(plan, options.load.server_pid, 0, async |load, progress| {
        let (mut known, mut fails, mut tries, mut capacity) = (0, None, Vec::new(), None);
        let mut generator_ended_it = false;
        while let Some(rooms) = next_try(known, fails, all, &tries).filter(|_| tries.len() < STEPS_MAX) {
            progress.say(&format!("trying {rooms} rooms (at least {known})"));
            load.set_active(0..rooms, true);
            load.set_active(rooms..all, false);
            load.wait(SETTLE).await;
            let mut phase = load.measure("capacity", duration, Motion::default()).await?;
            let mut this = Try::of(rooms, &phase, options.max_loss);
            // Nothing was lost, but not everything sent: estimates may still climb.
            if !this.passed && phase.loss_percent < options.max_loss {
                load.wait(SETTLE).await;
                phase = load.measure("capacity", duration, Motion::default()).await?;
                this = Try::of(rooms, &phase, options.max_loss);
            }
            if this.passed {
                known = known.max(rooms);
                capacity = Some(phase);
            } else {
                fails = Some(fails.map_or(rooms, |fails: u32| fails.min(rooms)));
                generator_ended_it = phase.generator.is_saturated;
                load.set_active(known / 2..all, false);
                load.wait(RECOVER).await;
            }
            let is_all = this.passed && rooms == all;
            tries.push(this);
            if is_all {
                break;
            }
        }
        let mut half = None;
        if known > 1 {
            progress.say("measuring at half load");
            load.set_active(known / 2..all, false);
            load.set_active(0..known / 2, true);
            load.wait(SETTLE).await;
            half = Some(load.measure("half load", 2 * duration, Motion::default()).await?);
        }
        let is_lower_bound = generator_ended_it || fails.is_none();
        Ok(Report { rooms: known, rooms_joined: all, capacity, half, tries, is_lower_bound })
    })
}

/// Searches and prints.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let report = measured(options)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(report.rooms > 0);
    }
    for this in &report.tries {
        println!(
            "{:>5} rooms  {:>8.0} packets/s  {:>6.3} % missing  {:>6.2} % delivered  p99 {:>8.2} ms  server {:>3.0} %  generator {:>3.0} %  {}",
            this.rooms,
            this.packets_per_second,
            this.loss_percent,
            this.delivered_percent,
            this.latency_p99_us / 1e3,
            this.server_cpu_percent,
            this.generator_percent,
            if this.passed { "goes" } else { "too much" }
        );
    }
    for phase in [&report.capacity, &report.half].into_iter().flatten() {
        println!(
            "{}: {:.0} packets/s, p50 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms",
            phase.label,
            phase.packets_per_second,
            phase.latency.p50_us / 1e3,
            phase.latency.p99_us / 1e3,
            phase.latency.p999_us / 1e3
        );
    }
    if report.is_lower_bound {
        println!("the server carries more: the search ended for want of rooms, or of CPU for the generator");
    }
    Ok(report.rooms > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches for the most of a server that carries `most` rooms and says how busy it is.
    fn found(most: u32, all: u32) -> (u32, usize) {
        let (mut known, mut fails, mut tries) = (0, None, Vec::new());
        while let Some(rooms) = next_try(known, fails, all, &tries) {
            let passed = rooms <= most;
            if passed {
                known = rooms;
            } else {
                fails = Some(rooms);
            }
            tries.push(Try {
                rooms,
                packets_per_second: 0.0,
                loss_percent: 0.0,
                delivered_percent: 100.0,
                latency_p99_us: 0.0,
                server_cpu_percent: (f64::from(rooms) * 90.0 / f64::from(most)).min(100.0),
                generator_percent: 0.0,
                passed,
            });
            if passed && rooms == all {
                break;
            }
        }
        (known, tries.len())
    }

    #[test]
    fn the_most_is_found_within_a_fiftieth_in_few_tries() {
        for (most, all) in [(1, 40), (7, 40), (39, 40), (40, 40), (83, 200), (199, 200)] {
            let (rooms, tries) = found(most, all);
            assert!(rooms <= most && most - rooms <= most / 50 + 1, "{rooms} of {most}");
            assert!(tries <= STEPS_MAX, "{tries} tries for {most} of {all}");
        }
    }

    #[test]
    fn where_nothing_goes_the_search_ends() {
        assert_eq!(found(0, 40).0, 0);
    }
}
