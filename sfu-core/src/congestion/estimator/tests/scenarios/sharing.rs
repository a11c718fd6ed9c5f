//! Two estimators on one bottleneck.

use super::*;

#[test]
fn two_share_a_bottleneck_fairly() {
    check(&[
        Scenario {
            name: "two share",
            path: Path::default(),
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
            path: Path::default(),
            senders: vec![Sender::default(), Sender::default()],
            seconds: 60,
            measures: vec![
                ("share", |o| share(o, 20.0, 60.0), 0.4..=0.6),
                ("util", |o| o.utilisation(20.0, 60.0), 0.85..=1.0),
                ("q95", queue_p95, 0.0..=150.0),
            ],
        },
    ]);
}
