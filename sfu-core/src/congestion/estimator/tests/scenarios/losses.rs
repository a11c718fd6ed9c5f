//! Paths that lose packets: at random, in bursts, and from a short queue that is full.

use super::*;

#[test]
fn losses_that_are_no_congestion_cost_little_and_those_that_are_are_followed() {
    check(&[
        Scenario {
            name: "5 % random",
            path: Path { loss: Loss::Random(0.05), ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=6.0), ("util", settled, 0.8..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "10 % random",
            path: Path { loss: Loss::Random(0.1), ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=8.0), ("util", settled, 0.75..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "20 % random",
            path: Path { loss: Loss::Random(0.2), ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=10.0), ("util", settled, 0.6..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "bursts",
            path: Path { loss: Loss::Bursts { begin: 0.01, end: 0.2, loss: 0.7 }, ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=8.0), ("util", settled, 0.75..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "long bursts",
            path: Path { loss: Loss::Bursts { begin: 0.001, end: 0.01, loss: 0.5 }, ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=8.0), ("util", settled, 0.5..=1.0)],
        },
        Scenario {
            name: "short queue (30 ms)",
            path: Path { queue_bytes: 11_250, ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=5.0), ("util", settled, 0.75..=1.0), ("loss", caused, 0.0..=0.04)],
        },
        Scenario {
            name: "policer (8 ms)",
            path: Path { queue_bytes: 3_600, ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("util", settled, 0.5..=1.0), ("loss", caused, 0.0..=0.15)],
        },
        Scenario {
            name: "overload 10 % random, short queue",
            path: Path { loss: Loss::Random(0.1), queue_bytes: 11_250, ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("util", settled, 0.7..=1.0), ("loss", caused, 0.0..=0.1)],
        },
        Scenario {
            name: "layers, jitter 50 ms, 5 % random",
            path: Path { jitter_ms: 50.0, loss: Loss::Random(0.05), ..Path::default() },
            senders: layered(),
            seconds: 60,
            measures: vec![("t50", |o| o.time_to(0.45, 0.0), 0.0..=10.0), ("util", settled, 0.44..=1.0)],
        },
        Scenario {
            name: "step 3 to 1.5, queue of 30 ms",
            path: Path { rates: vec![(0.0, 3e6), (20.0, 1.5e6)], queue_bytes: 5_600, ..Path::default() },
            senders: wants(6e6),
            seconds: 50,
            measures: vec![
                ("followed", |o| o.time_below(1.7e6, 20.0), 0.0..=7.0),
                ("low util", |o| o.utilisation(23.0, 50.0), 0.7..=1.0),
                ("loss", caused, 0.0..=0.1),
            ],
        },
    ]);
}
