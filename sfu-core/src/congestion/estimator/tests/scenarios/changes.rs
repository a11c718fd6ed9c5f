//! Paths and wishes that change.

use super::*;

#[test]
fn changes_are_followed_in_seconds() {
    check(&[
        Scenario {
            name: "steps 3, 0.5, 3",
            path: Path { rates: vec![(0.0, 3e6), (20.0, 0.5e6), (40.0, 3e6)], ..Path::default() },
            senders: wants(6e6),
            seconds: 60,
            measures: vec![
                ("followed", |o| o.time_below(0.55e6, 20.0), 0.0..=1.0),
                ("low util", |o| o.utilisation(25.0, 40.0), 0.8..=1.0),
                ("back t80", |o| o.time_to(0.8, 40.0), 0.0..=8.0),
                ("q95", queue_p95, 0.0..=150.0),
                ("q95 low", |o| o.queue_percentile(0.95, 22.0, 40.0), 0.0..=250.0),
                ("loss", caused, 0.0..=0.02),
            ],
        },
        Scenario {
            name: "steps 3, 0.5, 3 short queue",
            path: Path { rates: vec![(0.0, 3e6), (20.0, 0.5e6), (40.0, 3e6)], queue_bytes: 15_000, ..Path::default() },
            senders: wants(6e6),
            seconds: 60,
            measures: vec![
                ("followed", |o| o.time_below(0.6e6, 20.0), 0.0..=1.5),
                ("low util", |o| o.utilisation(25.0, 40.0), 0.75..=1.0),
                ("back t80", |o| o.time_to(0.8, 40.0), 0.0..=10.0),
                ("loss", caused, 0.0..=0.05),
            ],
        },
        Scenario {
            name: "outage 30 s",
            path: Path { rates: vec![(0.0, 3e6), (15.0, 0.0), (45.0, 3e6)], ..Path::default() },
            senders: wants(6e6),
            seconds: 60,
            measures: vec![
                ("left Mbit/s", |o| o.estimate_at(44.0) as f64 / 1e6, 0.03..=0.4),
                ("back t80", |o| o.time_to(0.8, 45.0), 0.0..=4.0),
                ("after", |o| o.utilisation(50.0, 60.0), 0.8..=1.0),
            ],
        },
        Scenario {
            name: "outage 2 s",
            path: Path { rates: vec![(0.0, 3e6), (15.0, 0.0), (17.0, 3e6)], ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![
                ("back t80", |o| o.time_to(0.8, 17.0), 0.0..=3.0),
                ("after", |o| o.utilisation(20.0, 40.0), 0.85..=1.0),
            ],
        },
        Scenario {
            name: "audio, then video",
            path: Path::default(),
            senders: vec![Sender { wishes: vec![(0.0, 4e4), (15.0, 6e6)], ..Sender::default() }],
            seconds: 40,
            measures: vec![
                ("before", |o| o.estimate_at(14.0) as f64 / 1e6, 0.2..=6.0),
                ("t80", |o| o.time_to(0.8, 15.0), 0.0..=3.0),
                ("after", |o| o.utilisation(20.0, 40.0), 0.85..=1.0),
            ],
        },
        Scenario {
            name: "layers, steps 3, 1, 3",
            path: Path { rates: vec![(0.0, 3e6), (20.0, 1e6), (40.0, 3e6)], queue_bytes: 60_000, ..Path::default() },
            senders: layered(),
            seconds: 60,
            measures: vec![
                ("followed", |o| o.time_below(1.1e6, 20.0), 0.0..=1.0),
                ("low util", |o| o.utilisation(22.0, 40.0), 0.45..=1.0),
                ("back t50", |o| o.time_to(0.48, 40.0), 0.0..=8.0),
                ("q95", queue_p95, 0.0..=150.0),
            ],
        },
    ]);
}
