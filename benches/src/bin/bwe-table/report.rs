//! Prints figures beside their targets.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::measure::Figures;
use crate::scenarios::{Scenario, Targets};

const HEAD: [&str; 13] = [
    "scenario",
    "seed",
    "estimate",
    "carried",
    "to 80 %",
    "step down",
    "queue p95",
    "worst",
    "loss caused",
    "freezes",
    "undecodable",
    "fairness",
    "targets",
];

/// A scenario's outcome with one seed.
#[derive(Debug)]
pub(crate) struct Row {
    name: &'static str,
    seed: u64,
    figures: Figures,
    /// Each target, and whether it was met.
    targets: Vec<(String, bool)>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
}

impl Row {
    pub(crate) fn new(scenario: &Scenario, seed: u64, figures: Figures) -> Self {
        let targets = judge(&scenario.targets, &figures);
        Self { name: scenario.name, seed, figures, targets }
    }

    fn cells(&self) -> [String; HEAD.len()] {
        let Figures { estimated, carried, to_80_percent, step_down, queue_p95, queue_worst, .. } = self.figures;
        let Figures { overflowed, sent, freezes, frozen, undecodable, fairness, .. } = self.figures;
        let missed: Vec<&str> =
            self.targets.iter().filter(|(_, is_met)| !is_met).map(|(target, _)| target.as_str()).collect();
        let met: Vec<&str> = self.targets.iter().map(|(target, _)| target.as_str()).collect();
        [
            self.name.to_owned(),
            self.seed.to_string(),
            percent(estimated),
            percent(carried),
            to_80_percent.map_or_else(|| "never".to_owned(), seconds),
            step_down.map_or_else(String::new, seconds),
            millis(queue_p95),
            millis(queue_worst),
            format!("{overflowed} ({:.2} %)", 100.0 * overflowed as f64 / sent.max(1) as f64),
            if freezes == 0 { "0".to_owned() } else { format!("{freezes} ({})", seconds(frozen)) },
            undecodable.to_string(),
            fairness.map_or_else(String::new, |share| format!("{:.0}:{:.0}", 100.0 * share, 100.0 * (1.0 - share))),
            if missed.is_empty() {
                format!("ok: {}", met.join(", "))
            } else {
                format!("MISSED: {}", missed.join(", "))
            },
        ]
    }

    fn json(&self) -> Value {
        let figures = &self.figures;
        json!({
            "scenario": self.name,
            "seed": self.seed,
            "estimated": figures.estimated,
            "carried": figures.carried,
            "to80PercentMs": figures.to_80_percent.map(|time| time.as_millis() as u64),
            "stepDownMs": figures.step_down.map(|time| time.as_millis() as u64),
            "queueP95Ms": figures.queue_p95.as_secs_f64() * 1_000.0,
            "queueWorstMs": figures.queue_worst.as_secs_f64() * 1_000.0,
            "overflowed": figures.overflowed,
            "sent": figures.sent,
            "freezes": figures.freezes,
            "frozenMs": figures.frozen.as_millis() as u64,
            "undecodable": figures.undecodable,
            "fairness": figures.fairness,
            "targets": self.targets.iter().map(|(target, is_met)| json!({ "target": target, "isMet": is_met })).collect::<Vec<_>>(),
        })
    }
}

impl Report {
    pub(crate) fn misses(&self) -> usize {
        self.rows.iter().flat_map(|row| &row.targets).filter(|(_, is_met)| !is_met).count()
    }

    pub(crate) fn json(&self) -> String {
        json!({ "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(), "misses": self.misses() }).to_string()
    }

    pub(crate) fn table(&self, is_markdown: bool) -> String {
        let mut lines = vec![HEAD.map(str::to_owned)];
        lines.extend(self.rows.iter().map(Row::cells));
        let widths: Vec<usize> =
            (0..HEAD.len()).map(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or(0)).collect();
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width));
            let cells: Vec<String> = cells.collect();
            // Writing to a string does not fail.
            let _ = if is_markdown {
                writeln!(text, "| {} |", cells.join(" | "))
            } else {
                writeln!(text, "{}", cells.join("  ").trim_end())
            };
            if number == 0 && is_markdown {
                let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                let _ = writeln!(text, "| {} |", rule.join(" | "));
            }
        }
        text
    }
}

fn judge(targets: &Targets, figures: &Figures) -> Vec<(String, bool)> {
    let mut judged = Vec::new();
    if let Some(least) = targets.utilisation {
        judged.push((format!("estimate >= {}", percent(least)), figures.estimated >= least));
    }
    if let Some(longest) = targets.to_80_percent {
        let is_met = figures.to_80_percent.is_some_and(|time| time < longest);
        judged.push((format!("80 % in < {}", seconds(longest)), is_met));
    }
    if let Some(longest) = targets.step_down {
        let is_met = figures.step_down.is_some_and(|time| time <= longest);
        judged.push((format!("followed in {}", seconds(longest)), is_met));
    }
    if let Some(longest) = targets.queue_p95 {
        judged.push((format!("p95 < {}", millis(longest)), figures.queue_p95 < longest));
    }
    if let Some(least) = targets.fairness {
        judged.push((format!("share >= {}", percent(least)), figures.fairness.is_some_and(|share| share >= least)));
    }
    judged.push(("all decodable".to_owned(), figures.undecodable == 0));
    judged
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn millis(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1_000.0)
}
