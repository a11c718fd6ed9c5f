//! A run as Markdown.

use std::fmt::Write;

use super::RunReport;
use crate::run::Phase;
use crate::run::cost::ServerCost;
use crate::run::phase::KindReport;

/// One cell for each figure of a phase, in the order of [`HEADINGS`].
const HEADINGS: [&str; 9] = [
    "",
    "packets/s",
    "audio, video missing",
    "latency p50 · p90 · p99 · p99.9, ms",
    "server CPU, µs per packet",
    "packets per CPU second",
    "server, % of a core",
    "generator CPU, µs per packet",
    "generator, % of a core",
];

/// Writes the report.
pub fn render(report: &RunReport) -> String {
    let mut out = String::new();
    let joins = &report.joins;
    let mut lines = vec![
        format!("`{}`", report.command),
        report.machine.to_string(),
        format!(
            "{} peers, {} streams; joining took {:.0} ms (p50), {:.0} ms (p99)",
            report.peers, report.consumers, joins.join_p50_ms, joins.join_p99_ms
        ),
    ];
    lines.extend(
        report
            .rss_bytes_per_consumer
            .map(|bytes| format!("memory of the server per stream: {:.1} KiB", bytes / 1024.0)),
    );
    lines.extend(report.floor.iter().map(|floor| {
        let joined = if floor.joined == 1 { "nothing".to_owned() } else { floor.joined.to_string() };
        format!("floor (sealing and sending alone, {joined} joined): {:.2} µs per packet", floor.cpu_us_per_packet)
    }));
    lines.extend(
        report
            .floor_multiple
            .map(|multiple| format!("the server takes **{multiple:.2} times** the floor with nothing joined")),
    );
    lines.extend(report.warnings.iter().map(|warning| format!("note: {warning}")));
    lines.extend(report.problems.iter().map(|problem| format!("**failed**: {problem}")));
    let rows: Vec<Vec<String>> = report.phases.iter().map(cells).collect();
    // Writing to a string does not fail.
    let _ = writeln!(out, "# sluice-bench\n");
    for line in lines {
        let _ = writeln!(out, "- {line}");
    }
    let _ = write!(out, "\n{}", table(&HEADINGS, &rows));
    out
}

/// A table whose columns are as wide as their widest cell.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headings[column].chars().count(), 3]).max().unwrap_or(3)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} "));
        format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
    };
    let rule: String = widths.iter().map(|width| format!("|{}", "-".repeat(width + 2))).collect();
    let mut out = line(headings.to_vec());
    out += &format!("{rule}|\n");
    for row in rows {
        out += &line(row.iter().map(String::as_str).collect());
    }
    out
}

fn cells(phase: &Phase) -> Vec<String> {
    let missing = |kind: &Option<KindReport>| {
        kind.as_ref().map_or("–".to_owned(), |kind| format!("{:.3} %", kind.loss_percent))
    };
    let latency = &phase.latency;
    let server = |figure: fn(&ServerCost) -> String| phase.server.as_ref().map_or("–".to_owned(), figure);
    vec![
        phase.label.clone(),
        format!("{:.0}", phase.packets_per_second),
        format!("{}, {}", missing(&phase.audio), missing(&phase.video)),
        [latency.p50_us, latency.p90_us, latency.p99_us, latency.p999_us]
            .map(|us| format!("{:.2}", us / 1e3))
            .join(" · "),
        server(|server| {
            format!(
                "{:.2} ({:.2} user, {:.2} system)",
                server.cpu_us_per_packet, server.cpu_user_us_per_packet, server.cpu_system_us_per_packet
            )
        }),
        server(|server| format!("{:.0}", server.packets_per_cpu_second)),
        server(|server| format!("{:.1}", server.cpu_percent)),
        format!("{:.2}", phase.generator.cpu_us_per_packet),
        format!("{:.1}", phase.generator.cpu_percent),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "µs µs".to_owned()], vec!["longer".to_owned(), "1".to_owned()]];
        let expected = "\
| x      | heading |
|--------|---------|
| a      | µs µs   |
| longer | 1       |
";
        assert_eq!(table(&["x", "heading"], &rows), expected);
    }
}
