//! What a stretch of a run cost the server and the generator.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

use super::phase::Moment;
use crate::process::{CpuTime, Memory};
use crate::stats::Totals;

/// A thread that is this busy is at its end: what is lost or late then may be its fault.
const SATURATED_PERCENT: f64 = 90.0;

/// All that is known of the server's process.
#[derive(Debug, Clone)]
pub struct ServerMoment {
    /// All threads.
    pub cpu: CpuTime,
    /// Each thread.
    pub threads: Vec<(String, Duration)>,
    /// Its memory.
    pub memory: Memory,
}

/// What the server cost.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerCost {
    /// Of one core, all threads together.
    pub cpu_percent: f64,
    /// All that the process did, over the packets forwarded.
    pub cpu_us_per_packet: f64,
    /// The part in user space.
    pub cpu_user_us_per_packet: f64,
    /// The part in the kernel.
    pub cpu_system_us_per_packet: f64,
    /// Packets forwarded for each second of CPU.
    pub packets_per_cpu_second: f64,
    /// Of the stretch, how long its threads were ready and not run, together: others' load distorts what was measured.
    pub waited_percent: f64,
    /// Memory at the end.
    #[serde(flatten)]
    pub memory: Memory,
    /// Of one core, by thread, where it is a hundredth or more.
    pub threads: Vec<ThreadCost>,
}

/// One thread.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadCost {
    /// Its name.
    pub name: String,
    /// Of one core.
    pub cpu_percent: f64,
}

/// What the generator cost.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GeneratorCost {
    /// Of one core, its busiest thread of media.
    pub busiest_thread_percent: f64,
    /// Of one core, its process.
    pub cpu_percent: f64,
    /// Its threads of media, over the packets received.
    pub cpu_us_per_packet: f64,
    /// Whether a thread of media had no CPU left: then loss and latency may be the generator's.
    pub is_saturated: bool,
    /// Pictures that were not sent in time for want of CPU.
    pub frames_left_out: u64,
    /// Datagrams that the kernel did not take.
    pub send_failed: u64,
}

impl ServerCost {
    pub(super) fn between(before: &ServerMoment, after: &ServerMoment, seconds: f64, packets: u64) -> Self {
        let cpu = after.cpu.since(&before.cpu);
        let per_packet = |time: Duration| time.as_secs_f64() * 1e6 / packets.max(1) as f64;
        let percent = |time: Duration| time.as_secs_f64() * 100.0 / seconds.max(1e-9);
        // Names may repeat: they are in order, and so are their times.
        let mut earlier: HashMap<&str, Duration> = HashMap::new();
        before.threads.iter().for_each(|(name, time)| *earlier.entry(name).or_default() += *time);
        let mut later: HashMap<&str, Duration> = HashMap::new();
        after.threads.iter().for_each(|(name, time)| *later.entry(name).or_default() += *time);
        let mut threads: Vec<ThreadCost> = later
            .into_iter()
            .map(|(name, time)| ThreadCost {
                name: name.to_owned(),
                cpu_percent: percent(time.saturating_sub(earlier.get(name).copied().unwrap_or_default())),
            })
            .filter(|thread| thread.cpu_percent >= 1.0)
            .collect();
        threads.sort_by(|a, b| b.cpu_percent.total_cmp(&a.cpu_percent));
        Self {
            cpu_percent: percent(cpu.total),
            cpu_us_per_packet: per_packet(cpu.total),
            cpu_user_us_per_packet: per_packet(cpu.user),
            cpu_system_us_per_packet: per_packet(cpu.system),
            packets_per_cpu_second: packets as f64 / cpu.total.as_secs_f64().max(1e-9),
            waited_percent: percent(cpu.waited),
            memory: after.memory,
            threads,
        }
    }
}

impl GeneratorCost {
    pub(super) fn between(before: &Moment, after: &Moment, totals: &Totals, seconds: f64, packets: u64) -> Self {
        let threads = before.threads.iter().zip(&after.threads);
        let times: Vec<f64> = threads.map(|(b, a)| a.cpu.saturating_sub(b.cpu).as_secs_f64()).collect();
        let busiest_thread_percent = times.iter().copied().fold(0.0, f64::max) * 100.0 / seconds.max(1e-9);
        let process = after.generator_cpu.saturating_sub(before.generator_cpu).as_secs_f64();
        Self {
            busiest_thread_percent,
            cpu_percent: process * 100.0 / seconds.max(1e-9),
            cpu_us_per_packet: times.iter().sum::<f64>() * 1e6 / packets.max(1) as f64,
            is_saturated: busiest_thread_percent > SATURATED_PERCENT,
            frames_left_out: totals.frames_left_out,
            send_failed: totals.send_failed,
        }
    }
}
