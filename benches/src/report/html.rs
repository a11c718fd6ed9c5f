//! A run as one page of HTML with its pictures inside.

use std::fmt::Write;

use super::RunReport;
use crate::stats::{SLICE, Slice};

/// Of a picture, in pixels.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 200.0;
/// Room for the scale's numbers.
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 24.0;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;border-bottom:1px solid #8884;text-align:left}\
td+td{font-variant-numeric:tabular-nums}.bad{color:#b00020}svg{width:100%;height:auto}\
svg text{font-size:12px;fill:currentColor}@media(prefers-color-scheme:dark){body{background:#111;color:#eee}.bad{color:#ff8a80}}";

/// Writes the report. `course`: tenths of a second since the first peer began to join.
pub fn render(report: &RunReport, course: &[Slice]) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>sluice-bench</title><style>{STYLE}</style>\
         <h1>sluice-bench</h1><p><code>{}</code><p>{}",
        escaped(&report.command),
        escaped(&report.machine.to_string())
    );
    for problem in &report.problems {
        let _ = write!(out, "<p class=\"bad\">Failed: {}", escaped(problem));
    }
    for warning in &report.warnings {
        let _ = write!(out, "<p class=\"bad\">{}", escaped(warning));
    }
    let _ = write!(out, "<table>{}</table>", rows(report));
    let seconds = SLICE.as_secs_f64();
    let rate: Vec<f64> = course.iter().map(|slice| slice.received as f64 / seconds).collect();
    let latency: Vec<f64> = course.iter().map(|slice| slice.latency_ns_max as f64 / 1e6).collect();
    let missing: Vec<f64> = course.iter().map(|slice| slice.missing.iter().sum::<u64>() as f64 / seconds).collect();
    let curves = [
        ("Packets forwarded a second", rate, "#1565c0"),
        ("Longest latency in each tenth of a second, ms", latency, "#2e7d32"),
        ("Packets found missing a second", missing, "#c62828"),
    ];
    for (title, values, colour) in curves {
        let _ = write!(out, "<h2>{title}</h2>{}", curve(&values, seconds, colour));
    }
    out.push_str("</html>\n");
    out
}

fn rows(report: &RunReport) -> String {
    let mut rows = vec![
        ("peers, streams".to_owned(), format!("{}, {}", report.peers, report.consumers)),
        (
            "joining".to_owned(),
            format!("{:.0} ms (p50), {:.0} ms (p99)", report.joins.join_p50_ms, report.joins.join_p99_ms),
        ),
    ];
    let median = &report.median;
    if let Some(cpu) = median.cpu_us_per_packet {
        rows.push(("server, CPU per packet".to_owned(), format!("{cpu:.2} µs")));
    }
    rows.extend(
        report
            .floor
            .iter()
            .map(|floor| (format!("floor, {} joined", floor.joined), format!("{:.2} µs", floor.cpu_us_per_packet))),
    );
    rows.extend(report.floor_multiple.map(|multiple| ("times the floor".to_owned(), format!("{multiple:.2}"))));
    rows.extend(
        report
            .rss_bytes_per_consumer
            .map(|bytes| ("memory per stream".to_owned(), format!("{:.1} KiB", bytes / 1024.0))),
    );
    rows.push(("packets forwarded".to_owned(), format!("{:.0}/s", median.packets_per_second)));
    let ms =
        [median.latency_p50_us, median.latency_p99_us, median.latency_p999_us].map(|us| format!("{:.2}", us / 1e3));
    rows.push(("latency p50 · p99 · p99.9".to_owned(), format!("{} ms", ms.join(" · "))));
    rows.push(("missing".to_owned(), format!("{:.3} %", median.loss_percent)));
    rows.push(("generator, CPU per packet".to_owned(), format!("{:.2} µs", median.generator_cpu_us_per_packet)));
    rows.iter().map(|(name, value)| format!("<tr><th>{}<td>{}", escaped(name), escaped(value))).collect()
}

/// A curve over time, with its largest value and its end written on the axes.
fn curve(values: &[f64], step_s: f64, colour: &str) -> String {
    let largest = values.iter().copied().fold(0.0, f64::max);
    let (width, height) = (WIDTH - LEFT, HEIGHT - BOTTOM);
    let points: String = values
        .iter()
        .enumerate()
        .map(|(at, value)| {
            let x = LEFT + width * at as f64 / values.len().max(2) as f64;
            let y = height - height * 0.95 * value / largest.max(1e-9);
            format!("{x:.1},{y:.1} ")
        })
        .collect();
    let (end, base) = (values.len() as f64 * step_s, height);
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><line x1=\"{LEFT}\" y1=\"{base}\" x2=\"{WIDTH}\" y2=\"{base}\" \
         stroke=\"currentColor\"/><polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\
         <text x=\"0\" y=\"14\">{}</text><text x=\"0\" y=\"{base}\">0</text><text x=\"{}\" y=\"{}\">{end:.0} s</text></svg>",
        short(largest),
        WIDTH - 40.0,
        HEIGHT - 6.0,
    )
}

fn short(value: f64) -> String {
    if value >= 10_000.0 { format!("{:.0} k", value / 1e3) } else { format!("{value:.1}") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_stays_in_its_picture() {
        for values in [vec![], vec![0.0], vec![0.0, 5.0, 20_000.0]] {
            let svg = curve(&values, 0.1, "red");
            let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
            for point in points.split_whitespace() {
                let (x, y) = point.split_once(',').unwrap();
                assert!((LEFT..=WIDTH).contains(&x.parse().unwrap()), "{point}");
                assert!((0.0..=HEIGHT).contains(&y.parse().unwrap()), "{point}");
            }
        }
    }

    #[test]
    fn what_was_typed_is_text_and_no_markup() {
        assert_eq!(escaped("<a> & b"), "&lt;a&gt; &amp; b");
    }
}
