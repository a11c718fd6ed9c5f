//! What a run has measured, as a table or as JSON.

use std::io::Write;
use std::time::Duration;

use benches::process::CpuTime;
use serde::Serialize;

use crate::{DRAIN, Kind, Options, Profile};

/// What came out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) kind: Kind,
    pub(crate) profile: Profile,
    pub(crate) subscribers: u32,
    pub(crate) seconds: f64,
    pub(crate) packets_published: u64,
    pub(crate) packets_expected: u64,
    pub(crate) packets_received: u64,
    pub(crate) loss_percent: f64,
    /// Of the subscriber that got the fewest.
    pub(crate) fewest_packets: u64,
    pub(crate) packets_per_second: f64,
    pub(crate) worker_cpu_percent: f64,
    pub(crate) cpu_us_per_packet: f64,
    pub(crate) cpu_user_us_per_packet: f64,
    pub(crate) cpu_system_us_per_packet: f64,
    pub(crate) latency_us_p50: f64,
    pub(crate) latency_us_p99: f64,
    pub(crate) latency_us_max: f64,
    pub(crate) latency_samples: usize,
    /// Peer and server together: they live in one process.
    pub(crate) memory_bytes_per_subscriber: u64,
    pub(crate) datagrams_unsent: u64,
}

impl Report {
    #[allow(clippy::too_many_arguments, reason = "called once, with all that was measured")]
    pub(crate) fn new(
        options: &Options,
        published: u64,
        counts: &[u64],
        elapsed: Duration,
        cpu: CpuTime,
        mut latencies_ns: Vec<u64>,
        memory: u64,
        datagrams_unsent: u64,
    ) -> Self {
        let received: u64 = counts.iter().sum();
        let expected = published * u64::from(options.subscribers);
        let per_packet = |time: Duration| time.as_secs_f64() * 1e6 / received.max(1) as f64;
        latencies_ns.sort_unstable();
        let percentile = |percent: usize| {
            let rank = (latencies_ns.len() * percent).div_ceil(100).saturating_sub(1);
            latencies_ns.get(rank).map_or(f64::NAN, |&latency| latency as f64 / 1e3)
        };
        Self {
            kind: options.kind,
            profile: options.profile,
            subscribers: options.subscribers,
            seconds: elapsed.as_secs_f64(),
            packets_published: published,
            packets_expected: expected,
            packets_received: received,
            loss_percent: expected.saturating_sub(received) as f64 * 100.0 / expected.max(1) as f64,
            fewest_packets: counts.iter().copied().min().unwrap_or(0),
            packets_per_second: received as f64 / elapsed.as_secs_f64(),
            worker_cpu_percent: cpu.total().as_secs_f64() * 100.0 / (elapsed + DRAIN).as_secs_f64(),
            cpu_us_per_packet: per_packet(cpu.total()),
            cpu_user_us_per_packet: per_packet(cpu.user),
            cpu_system_us_per_packet: per_packet(cpu.system),
            latency_us_p50: percentile(50),
            latency_us_p99: percentile(99),
            latency_us_max: percentile(100),
            latency_samples: latencies_ns.len(),
            memory_bytes_per_subscriber: memory / u64::from(options.subscribers),
            datagrams_unsent,
        }
    }

    /// Writes a table, or one JSON object.
    pub(crate) fn print(&self, as_json: bool, out: &mut impl Write) -> std::io::Result<()> {
        if as_json {
            serde_json::to_writer_pretty(&mut *out, self)?;
            return writeln!(out);
        }
        let rows = [
            ("subscribers", format!("{} ({:?}, {:?})", self.subscribers, self.kind, self.profile)),
            ("sent for", format!("{:.1} s", self.seconds)),
            ("packets published", self.packets_published.to_string()),
            ("packets forwarded", format!("{} of {}", self.packets_received, self.packets_expected)),
            ("lost", format!("{:.3} %", self.loss_percent)),
            ("forwarded packets/s", format!("{:.0}", self.packets_per_second)),
            ("worker CPU", format!("{:.1} % of a core", self.worker_cpu_percent)),
            (
                "CPU per forwarded packet",
                format!(
                    "{:.2} µs ({:.2} user, {:.2} system)",
                    self.cpu_us_per_packet, self.cpu_user_us_per_packet, self.cpu_system_us_per_packet
                ),
            ),
            (
                "latency p50, p99, max",
                format!("{:.0}, {:.0}, {:.0} µs", self.latency_us_p50, self.latency_us_p99, self.latency_us_max),
            ),
            ("memory per subscriber", format!("{} kB (its peer included)", self.memory_bytes_per_subscriber / 1024)),
            ("datagrams not sent", self.datagrams_unsent.to_string()),
        ];
        for (name, value) in rows {
            writeln!(out, "{name:<26} {value}")?;
        }
        Ok(())
    }
}
