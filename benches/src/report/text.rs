//! A run as a table for a terminal.

use std::io::{self, Write};

use super::RunReport;
use crate::floor::Floor;
use crate::run::Phase;
use crate::run::phase::Latency;

/// Writes the report.
///
/// # Errors
/// The writer's.
pub fn write(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", report.machine)?;
    let joins = &report.joins;
    let mut rows = vec![
        ("peers, streams".to_owned(), format!("{}, {}", report.peers, report.consumers)),
        ("joining".to_owned(), format!("{:.0} ms (p50), {:.0} (p99)", joins.join_p50_ms, joins.join_p99_ms)),
    ];
    if let Some(bytes) = report.rss_bytes_per_consumer {
        rows.push(("memory per stream".to_owned(), format!("{:.1} KiB", bytes / 1024.0)));
    }
    if joins.failed > 0 {
        rows.push(("newcomers that failed".to_owned(), format!("{}", joins.failed)));
    }
    print(&rows, out)?;
    for phase in &report.phases {
        writeln!(out, "\n{} ({:.1} s)", phase.label, phase.seconds)?;
        print(&phase_rows(phase), out)?;
    }
    for warning in &report.warnings {
        writeln!(out, "\n! {warning}")?;
    }
    if !report.floor.is_empty() {
        writeln!(out, "\nfloor: sealing and sending alone, to as many sockets")?;
        let row = |floor: &Floor| {
            let name = if floor.joined == 1 { "nothing joined".to_owned() } else { format!("{} joined", floor.joined) };
            (name, format!("{:.2} µs per packet", floor.cpu_us_per_packet))
        };
        print(&report.floor.iter().map(row).collect::<Vec<_>>(), out)?;
        if let Some(multiple) = report.floor_multiple {
            writeln!(out, "  the server takes {multiple:.2} times the floor with nothing joined")?;
        }
    }
    for problem in &report.problems {
        writeln!(out, "\nFAILED: {problem}")?;
    }
    Ok(())
}

fn phase_rows(phase: &Phase) -> Vec<(String, String)> {
    let mut rows = vec![
        ("packets in, out".to_owned(), format!("{}, {}", phase.packets_published, phase.packets_forwarded)),
        ("packets forwarded".to_owned(), format!("{:.0}/s", phase.packets_per_second)),
    ];
    for (name, kind) in [("audio", &phase.audio), ("video", &phase.video)] {
        if let Some(kind) = kind {
            rows.push((format!("{name} missing"), format!("{:.3} %", kind.loss_percent)));
            rows.push((format!("{name} latency"), latency(&kind.latency)));
        }
    }
    if let Some(delivered) = phase.delivered_percent {
        rows.push(("delivered".to_owned(), format!("{delivered:.2} % of what was published")));
    }
    if let Some(server) = &phase.server {
        rows.push((
            "server, CPU per packet".to_owned(),
            format!(
                "{:.2} µs ({:.2} user, {:.2} system)",
                server.cpu_us_per_packet, server.cpu_user_us_per_packet, server.cpu_system_us_per_packet
            ),
        ));
        rows.push((
            "server".to_owned(),
            format!(
                "{:.1} % of a core, {:.0} packets per second of CPU, {:.1} MiB",
                server.cpu_percent,
                server.packets_per_cpu_second,
                server.memory.resident_bytes as f64 / f64::from(1 << 20)
            ),
        ));
    }
    let generator = &phase.generator;
    rows.push((
        "generator".to_owned(),
        format!("{:.2} µs per packet, {:.1} % of a core", generator.cpu_us_per_packet, generator.cpu_percent),
    ));
    let feedback = &phase.feedback;
    rows.push((
        "feedback, NACK, PLI sent".to_owned(),
        format!("{}, {}, {}", feedback.transport_feedback_sent, feedback.nacks_sent, feedback.plis_sent),
    ));
    rows.push((
        "repeats in, out".to_owned(),
        format!(
            "{}, {} (key frames asked: {})",
            feedback.repeats_received, feedback.repeats_sent, feedback.key_frames_asked
        ),
    ));
    rows
}

fn latency(latency: &Latency) -> String {
    let ms = |us: f64| us / 1e3;
    format!(
        "{:.3} · {:.3} · {:.3} · {:.3} ms (p50 · p90 · p99 · p99.9 of {})",
        ms(latency.p50_us),
        ms(latency.p90_us),
        ms(latency.p99_us),
        ms(latency.p999_us),
        latency.samples
    )
}

fn print(rows: &[(String, String)], out: &mut impl Write) -> io::Result<()> {
    rows.iter().try_for_each(|(name, value)| writeln!(out, "  {name:<26} {value}"))
}
