//! The targets, scenario by scenario.

use super::simulator::{Loss, Outcome, Path, Sender, Simulation};

const SEEDS: [u64; 10] = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20];

/// One row: a path, what is wanted of it, and what has to come of it.
struct Scenario {
    name: &'static str,
    path: Path,
    senders: Vec<Sender>,
    seconds: u32,
    /// What is measured, by a name, and the bounds that it has to be within.
    measures: Vec<(&'static str, Measure, std::ops::RangeInclusive<f64>)>,
}

type Measure = fn(&Outcome) -> f64;

#[test]
fn all() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut failures = Vec::new();
    for scenario in scenarios() {
        if !scenario.name.contains(&only) {
            continue;
        }
        for seed in SEEDS {
            if std::env::var_os("TRACE_ESTIMATOR").is_some() && seed > 1 {
                continue;
            }
            let outcome = Simulation::new(seed, scenario.path.clone(), scenario.senders.clone()).run(scenario.seconds);
            let mut row = format!("{:34} seed {seed}", scenario.name);
            for (name, measure, bounds) in &scenario.measures {
                let value = measure(&outcome);
                let ok = bounds.contains(&value);
                row += &format!("  {name} {value:.2}{}", if ok { "" } else { " !!!" });
                if !ok {
                    failures.push(format!("{} seed {seed}: {name} {value:.3} not in {bounds:?}", scenario.name));
                }
            }
            println!("{row}");
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn wants(bps: f64) -> Vec<Sender> {
    vec![Sender { wishes: vec![(0.0, bps)], ..Sender::default() }]
}

fn layered() -> Vec<Sender> {
    vec![Sender { wishes: vec![(0.0, 1.5e6)], layers: &[0.15e6, 0.5e6, 1.5e6], ..Sender::default() }]
}

fn settled(o: &Outcome) -> f64 {
    o.utilisation(8.0, 40.0)
}
fn t80(o: &Outcome) -> f64 {
    o.time_to(0.8, 0.0)
}
fn queue_p95(o: &Outcome) -> f64 {
    o.queue_percentile(0.95, 0.0, 1e9)
}
fn caused(o: &Outcome) -> f64 {
    o.caused_loss()
}

fn scenarios() -> Vec<Scenario> {
    let path = Path::default;
    vec![
        Scenario {
            name: "clean 3 Mbit/s",
            path: path(),
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
            path: Path { feedback_ms: 100, propagation_ms: 100.0, ..path() },
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
            path: path(),
            senders: wants(2.5e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=3.0), ("util", settled, 0.75..=1.0), ("q95", queue_p95, 0.0..=50.0)],
        },
        Scenario {
            name: "lost feedback 20 %",
            path: Path { feedback_loss: 0.2, ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=5.0), ("util", settled, 0.8..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "steps 3, 0.5, 3",
            path: Path { rates: vec![(0.0, 3e6), (20.0, 0.5e6), (40.0, 3e6)], ..path() },
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
            path: Path { rates: vec![(0.0, 3e6), (20.0, 0.5e6), (40.0, 3e6)], queue_bytes: 15_000, ..path() },
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
            name: "5 % random",
            path: Path { loss: Loss::Random(0.05), ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=6.0), ("util", settled, 0.8..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "10 % random",
            path: Path { loss: Loss::Random(0.1), ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=8.0), ("util", settled, 0.75..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "20 % random",
            path: Path { loss: Loss::Random(0.2), ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=10.0), ("util", settled, 0.6..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "bursts",
            path: Path { loss: Loss::Bursts { begin: 0.01, end: 0.2, loss: 0.7 }, ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=8.0), ("util", settled, 0.75..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "long bursts",
            path: Path { loss: Loss::Bursts { begin: 0.001, end: 0.01, loss: 0.5 }, ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=8.0), ("util", settled, 0.6..=1.0)],
        },
        Scenario {
            name: "short queue (30 ms)",
            path: Path { queue_bytes: 11_250, ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=5.0), ("util", settled, 0.75..=1.0), ("loss", caused, 0.0..=0.04)],
        },
        Scenario {
            name: "policer (8 ms)",
            path: Path { queue_bytes: 3_600, ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("util", settled, 0.5..=1.0), ("loss", caused, 0.0..=0.15)],
        },
        Scenario {
            name: "overload 10 % random, short queue",
            path: Path { loss: Loss::Random(0.1), queue_bytes: 11_250, ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("util", settled, 0.7..=1.0), ("loss", caused, 0.0..=0.06)],
        },
        Scenario {
            name: "jitter 150 ms",
            path: Path { jitter_ms: 150.0, ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=20.0), ("util", settled, 0.6..=1.0), ("q95", queue_p95, 0.0..=400.0)],
        },
        Scenario {
            name: "jitter 30 ms",
            path: Path { jitter_ms: 30.0, ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=10.0), ("util", settled, 0.8..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "deep queue",
            path: Path { queue_bytes: 4 * 112_500, ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=3.0), ("util", settled, 0.9..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "two share",
            path: path(),
            senders: vec![Sender::default(), Sender { wishes: vec![(10.0, 6e6)], ..Sender::default() }],
            seconds: 90,
            measures: vec![
                ("share", |o| share(o, 40.0, 90.0), 0.4..=0.6),
                ("util", |o| o.utilisation(20.0, 90.0), 0.85..=1.0),
                ("q95", queue_p95, 0.0..=150.0),
            ],
        },
        Scenario {
            name: "two from the start",
            path: path(),
            senders: vec![Sender::default(), Sender::default()],
            seconds: 60,
            measures: vec![
                ("share", |o| share(o, 20.0, 60.0), 0.4..=0.6),
                ("util", |o| o.utilisation(20.0, 60.0), 0.85..=1.0),
                ("q95", queue_p95, 0.0..=150.0),
            ],
        },
        Scenario {
            name: "outage 30 s",
            path: Path { rates: vec![(0.0, 3e6), (15.0, 0.0), (45.0, 3e6)], ..path() },
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
            path: Path { rates: vec![(0.0, 3e6), (15.0, 0.0), (17.0, 3e6)], ..path() },
            senders: wants(6e6),
            seconds: 40,
            measures: vec![
                ("back t80", |o| o.time_to(0.8, 17.0), 0.0..=3.0),
                ("after", |o| o.utilisation(20.0, 40.0), 0.85..=1.0),
            ],
        },
        Scenario {
            name: "audio, then video",
            path: path(),
            senders: vec![Sender { wishes: vec![(0.0, 4e4), (15.0, 6e6)], ..Sender::default() }],
            seconds: 40,
            measures: vec![
                ("before", |o| o.estimate_at(14.0) as f64 / 1e6, 0.2..=6.0),
                ("t80", |o| o.time_to(0.8, 15.0), 0.0..=3.0),
                ("after", |o| o.utilisation(20.0, 40.0), 0.85..=1.0),
            ],
        },
        Scenario {
            name: "fast path 30 Mbit/s",
            path: Path { rates: vec![(0.0, 30e6)], queue_bytes: 1_125_000, ..path() },
            senders: wants(40e6),
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=5.0), ("util", settled, 0.85..=1.0), ("q95", queue_p95, 0.0..=100.0)],
        },
        Scenario {
            name: "frames in bursts",
            path: path(),
            senders: vec![Sender { pacing: 1e3, ..Sender::default() }],
            seconds: 40,
            measures: vec![("t80", t80, 0.0..=3.0), ("util", settled, 0.85..=1.0), ("q95", queue_p95, 0.0..=150.0)],
        },
        Scenario {
            name: "layers on a wide path",
            path: path(),
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
            path: Path { rates: vec![(0.0, 1e6)], queue_bytes: 37_500, ..path() },
            senders: layered(),
            seconds: 60,
            measures: vec![
                ("util", |o| o.utilisation(8.0, 60.0), 0.48..=1.0),
                ("q95", queue_p95, 0.0..=150.0),
                ("loss", caused, 0.0..=0.01),
            ],
        },
        Scenario {
            name: "layers, steps 3, 1, 3",
            path: Path { rates: vec![(0.0, 3e6), (20.0, 1e6), (40.0, 3e6)], queue_bytes: 60_000, ..path() },
            senders: layered(),
            seconds: 60,
            measures: vec![
                ("followed", |o| o.time_below(1.1e6, 20.0), 0.0..=1.0),
                ("low util", |o| o.utilisation(22.0, 40.0), 0.45..=1.0),
                ("back t50", |o| o.time_to(0.48, 40.0), 0.0..=8.0),
                ("q95", queue_p95, 0.0..=150.0),
            ],
        },
        Scenario {
            name: "layers, jitter 50 ms, 5 % random",
            path: Path { jitter_ms: 50.0, loss: Loss::Random(0.05), ..path() },
            senders: layered(),
            seconds: 60,
            measures: vec![("t50", |o| o.time_to(0.45, 0.0), 0.0..=10.0), ("util", settled, 0.44..=1.0)],
        },
        Scenario {
            name: "step 3 to 1.5, queue of 30 ms",
            path: Path { rates: vec![(0.0, 3e6), (20.0, 1.5e6)], queue_bytes: 5_600, ..path() },
            senders: wants(6e6),
            seconds: 50,
            measures: vec![
                ("followed", |o| o.time_below(1.7e6, 20.0), 0.0..=2.0),
                ("low util", |o| o.utilisation(23.0, 50.0), 0.7..=1.0),
                ("loss", caused, 0.0..=0.08),
            ],
        },
        Scenario {
            name: "thin path 0.2 Mbit/s",
            path: Path { rates: vec![(0.0, 0.2e6)], queue_bytes: 30_000, ..path() },
            senders: wants(2e6),
            seconds: 40,
            measures: vec![
                ("util", settled, 0.75..=1.0),
                ("q95", |o| o.queue_percentile(0.95, 5.0, 40.0), 0.0..=300.0),
            ],
        },
    ]
}

fn share(outcome: &Outcome, from: f64, to: f64) -> f64 {
    let (first, second) = (outcome.served_bits(0, from, to), outcome.served_bits(1, from, to));
    first / (first + second)
}
