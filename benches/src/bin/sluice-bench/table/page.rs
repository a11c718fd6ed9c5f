//! The page of results.

use std::path::Path;
use std::process::Command;

use benches::report::markdown::table;
use benches::report::{Machine, RunReport};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::target::{Target, short};

const LOADS: [&str; 9] = [
    "load",
    "packets/s",
    "server CPU, µs per packet",
    "× floor",
    "floor: 1 · 4 · 8 joined, µs",
    "latency p50 · p99 · p99.9, ms",
    "missing",
    "memory per stream, KiB",
    "generator, µs per packet (% of a core)",
];
const TARGETS: [&str; 4] = ["scenario", "target", "measured", ""];

/// What was found.
pub(super) struct Page {
    machine: Machine,
    server: String,
    has_mediasoup: bool,
    source: String,
    measured_at: String,
    pub(super) loads: Vec<Vec<String>>,
    pub(super) targets: Vec<Target>,
    /// Sections with their own words.
    pub(super) notes: Vec<String>,
    pub(super) commands: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) failures: Vec<String>,
    pub(super) seconds: u64,
}

impl Page {
    pub(super) fn new(server: &Path, has_mediasoup: bool) -> Self {
        let said = |program: &Path, argument: &[&str]| {
            let output = Command::new(program).args(argument).output().ok().filter(|output| output.status.success());
            output.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        Self {
            machine: Machine::here(),
            server: said(server, &["--version"]),
            has_mediasoup,
            source: said(Path::new("git"), &["rev-parse", "--short", "HEAD"]),
            // A machine without a clock has no results worth a date.
            measured_at: OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
            loads: Vec::new(),
            targets: Vec::new(),
            notes: Vec::new(),
            commands: Vec::new(),
            warnings: Vec::new(),
            failures: Vec::new(),
            seconds: 0,
        }
    }

    /// Adds a row of the first table.
    pub(super) fn load(&mut self, name: &str, report: &RunReport) {
        let median = &report.median;
        let floor: Vec<String> = report.floor.iter().map(|floor| format!("{:.2}", floor.cpu_us_per_packet)).collect();
        let ms = [median.latency_p50_us, median.latency_p99_us, median.latency_p999_us];
        let generator = report.phases.iter().map(|phase| phase.generator.busiest_thread_percent).fold(0.0, f64::max);
        self.loads.push(vec![
            name.to_owned(),
            format!("{:.0}", median.packets_per_second),
            median.cpu_us_per_packet.map_or("–".to_owned(), |cpu| format!("{cpu:.2}")),
            report.floor_multiple.map_or("–".to_owned(), |multiple| format!("{multiple:.2}")),
            floor.join(" · "),
            ms.map(|us| format!("{:.2}", us / 1e3)).join(" · "),
            format!("{:.3} %", median.loss_percent),
            report.rss_bytes_per_consumer.map_or("–".to_owned(), |bytes| short(bytes / 1024.0)),
            format!("{:.2} ({generator:.0})", median.generator_cpu_us_per_packet),
        ]);
        self.care(name, report);
    }

    /// Adds what distorts a row's figures.
    pub(super) fn distorted(&mut self, name: &str, warnings: &[String]) {
        self.warnings.extend(warnings.iter().map(|warning| format!("{name}: {warning}")));
    }

    /// Adds what is to be known of a row's figures.
    pub(super) fn care(&mut self, name: &str, report: &RunReport) {
        self.distorted(name, &report.warnings);
        if let [first, others @ ..] = report.problems.as_slice() {
            let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
            self.warnings.push(format!("{name}: {first}{more}"));
        }
    }

    pub(super) fn render(&self) -> String {
        let list = |items: &[String]| items.iter().map(|item| format!("- {item}\n")).collect::<String>();
        let mut out = format!(
            "# Results\n\nWritten by `make bench` on {} in {} s. What the columns are, and what is not measured, is in \
             [README.md](README.md).\n\n- {}\n- {}, source {}\n- server on the first core, generator on the second, over the \
             loopback interface; CPU is all that the server's process used, over the packets that its receivers got; figures are \
             medians of three stretches of one run\n\n",
            self.measured_at, self.seconds, self.machine, self.server, self.source
        );
        if !self.failures.is_empty() {
            out += &format!("## Failed\n\n{}\n", list(&self.failures));
        }
        out += &format!("## Loads\n\n{}\n", table(&LOADS, &self.loads));
        if !self.notes.is_empty() {
            out += &format!("{}\n", list(&self.notes));
        }
        let targets: Vec<Vec<String>> = self.targets.iter().map(Target::cells).collect();
        out += &format!(
            "## Targets\n\nFigures of mediasoup 3.27.1 (one worker) {} A dash: not decided here.\n\n{}\n",
            if self.has_mediasoup {
                "are of this run, each taken right after ours. Its CPU is its worker process's, without that of Node."
            } else {
                "were taken on a machine of this kind, not in this run: they drift by up to 40 %, as all absolute figures do."
            },
            table(&TARGETS, &targets)
        );
        if !self.warnings.is_empty() {
            out += &format!("## To be read with care\n\n{}\n", list(&self.warnings));
        }
        out += "## Commands\n\nEach against a server of its own (`PORT`, `RTC_MIN_PORT`, `WORKERS` and what is named), with \
                `--url` and `--server-pid`:\n\n```\n";
        for command in &self.commands {
            out += &format!("{command}\n");
        }
        out += "```\n";
        out
    }
}
