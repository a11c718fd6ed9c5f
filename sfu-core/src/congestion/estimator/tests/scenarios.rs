//! The targets, scenario by scenario: each row is a path, who sends, and what has to come of it with every seed.

use std::ops::RangeInclusive;

use super::simulator::{Loss, Outcome, Path, Sender, Simulation};

mod changes;
mod losses;
mod sharing;
mod steady;

const SEEDS: [u64; 3] = [1, 2, 3];

/// One row.
struct Scenario {
    name: &'static str,
    path: Path,
    senders: Vec<Sender>,
    seconds: u32,
    /// What is measured, by a name, and the bounds that it has to be within.
    measures: Vec<(&'static str, Measure, RangeInclusive<f64>)>,
}

type Measure = fn(&Outcome) -> f64;

/// Runs every row with every seed. The table is printed, for `--no-capture` and for failures.
fn check(scenarios: &[Scenario]) {
    let mut failures = Vec::new();
    for scenario in scenarios {
        for seed in SEEDS {
            let outcome = Simulation::new(seed, scenario.path.clone(), scenario.senders.clone()).run(scenario.seconds);
            let mut row = format!("{:36} seed {seed}", scenario.name);
            for (name, measure, bounds) in &scenario.measures {
                let value = measure(&outcome);
                row += &format!("  {name} {value:.2}");
                if !bounds.contains(&value) {
                    failures.push(format!("{} seed {seed}: {name} {value:.3} is not in {bounds:?}", scenario.name));
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

fn share(outcome: &Outcome, from: f64, to: f64) -> f64 {
    let (first, second) = (outcome.served_bits(0, from, to), outcome.served_bits(1, from, to));
    first / (first + second)
}
