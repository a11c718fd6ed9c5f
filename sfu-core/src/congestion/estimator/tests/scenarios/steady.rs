//! Paths that stay as they are: clean, deep, thin, fast, with jitter.

use super::*;

#[test]
fn steady_paths_are_filled_without_a_queue() {
    check(&[
        Scenario {
            name: "clean 3 Mbit/s",
            path: Path::default(),
            senders: wants(6e6),
            seconds: 40,
            measures: vec![
                ("t80", t80, 0.0..=3.0),
                ("util", settled, 0.9..=1.0),
                ("q95", queue_p95, 0.0..=100.0),
                ("loss", caused, 0.0..=0.01),
            ],
        },
        Scenario {
            name: "clean, feedback every 100 ms, rtt 200",
            path: Path { feedback_ms: 100, propagation_ms: 100.0, ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![
                ("t80", t80, 0.0..=3.0),
                ("util", settled, 0.88..=1.0),
                ("q95", queue_p95, 0.0..=150.0),
                ("loss", caused, 0.0..=0.01),
            ],
        },
        Scenario {
            name: "clean, wants exactly 2.5",
            path: Path::default(),
            senders: wants(2.5e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=3.0), ("util", settled, 0.75..=1.0), ("q95", queue_p95, 0.0..=50.0)],
        },
        Scenario {
            name: "lost feedback 20 %",
            path: Path { feedback_loss: 0.2, ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=5.0), ("util", settled, 0.8..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "jitter 150 ms",
            path: Path { jitter_ms: 150.0, ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=20.0), ("util", settled, 0.6..=1.0), ("q95", queue_p95, 0.0..=400.0)],
        },
        Scenario {
            name: "jitter 30 ms",
            path: Path { jitter_ms: 30.0, ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=10.0), ("util", settled, 0.8..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "deep queue",
            path: Path { queue_bytes: 4 * 112_500, ..Path::default() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=3.0), ("util", settled, 0.9..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "fast path 30 Mbit/s",
            path: Path { rates: vec![(0.0, 30e6)], queue_bytes: 1_125_000, ..Path::default() },
            senders: wants(40e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=5.0), ("util", settled, 0.85..=1.0), ("q95", queue_p95, 0.0..=100.0)],
        },
        Scenario {
            name: "frames in bursts",
            path: Path::default(),
            senders: vec![Sender { pacing: 1e3, ..Sender::default() }],
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=3.0), ("util", settled, 0.85..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "layers on a wide path",
            path: Path::default(),
            senders: layered(),
            seconds: 40,
            measures: vec![
                ("t50", |o| o.time_to(0.48, 0.0), 0.0..=3.0),
                ("util", settled, 0.48..=1.0),
                ("q95", queue_p95, 0.0..=50.0),
            ],
        },
        Scenario {
            name: "layers on a thin path",
            path: Path { rates: vec![(0.0, 1e6)], queue_bytes: 37_500, ..Path::default() },
            senders: layered(),
            seconds: 60,
            measures: vec![
                ("util", |o| o.utilisation(8.0, 60.0), 0.48..=1.0),
                ("q95", queue_p95, 0.0..=150.0),
                ("loss", caused, 0.0..=0.01),
            ],
        },
        Scenario {
            name: "thin path 0.2 Mbit/s",
            path: Path { rates: vec![(0.0, 0.2e6)], queue_bytes: 30_000, ..Path::default() },
            senders: wants(2e6),
            seconds: 40,
            measures: vec![
                ("util", settled, 0.75..=1.0),
                ("q95", |o| o.queue_percentile(0.95, 5.0, 40.0), 0.0..=300.0),
            ],
        },
    ]);
}
