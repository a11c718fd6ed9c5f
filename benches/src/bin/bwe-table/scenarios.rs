//! The paths, as data.

use std::time::Duration;

use simulation::{Link, Loss, Rate, ms, s};

/// What the thin place of most scenarios carries.
const CAPACITY_BPS: u64 = 3_000_000;

/// What waits before the thin place: a home router's queue. Four times that is one of the over-deep ones.
const DEPTH_MS: u64 = 200;

/// A path, what is sent over it, and what must come of it.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// From the core to each receiver.
    pub(crate) path: Link,
    /// What the path carries over time: from these times on so many bits per second.
    pub(crate) steps: Vec<(Duration, u64)>,
    /// When nothing passes, and for how long.
    pub(crate) outage: Option<(Duration, Duration)>,
    /// When each receiver comes. They share one thin place.
    pub(crate) receivers: Vec<Duration>,
    /// When the receivers' video begins; sound is there from the beginning.
    pub(crate) video_from: Duration,
    /// From when on the way to 80 % is timed.
    pub(crate) timed_from: Duration,
    /// From when until when the path counts as settled.
    pub(crate) settled: (Duration, Duration),
    /// When the path becomes thinner.
    pub(crate) step_down: Option<Duration>,
    pub(crate) targets: Targets,
}

/// What must come of a scenario, beside that every frame can be decoded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Targets {
    /// The least utilisation once settled, 0 to 1.
    pub(crate) utilisation: Option<f64>,
    /// The longest way to 80 %.
    pub(crate) to_80_percent: Option<Duration>,
    /// The longest time until a step down is followed.
    pub(crate) step_down: Option<Duration>,
    /// The longest wait in the queue of 95 of 100 packets.
    pub(crate) queue_p95: Option<Duration>,
    /// The least share of the worst off of two, 0 to 0.5.
    pub(crate) fairness: Option<f64>,
}

/// All scenarios, in the order of the table.
pub(crate) fn all() -> Vec<Scenario> {
    let clean = Scenario {
        name: "clean",
        path: Link { rate: Some(Rate::new(CAPACITY_BPS, DEPTH_MS)), ..Link::CLEAN },
        steps: vec![(s(0), CAPACITY_BPS)],
        outage: None,
        receivers: vec![s(0)],
        video_from: s(0),
        timed_from: s(0),
        settled: (s(10), s(40)),
        step_down: None,
        targets: Targets {
            utilisation: Some(0.9),
            to_80_percent: Some(s(3)),
            queue_p95: Some(ms(150)),
            ..Targets::default()
        },
    };
    let any = Targets { queue_p95: Some(ms(150)), ..Targets::default() };
    let lossy = |name, loss, utilisation| Scenario {
        name,
        path: Link { loss, ..clean.path },
        settled: (s(15), s(60)),
        targets: Targets { utilisation, ..any },
        ..clean.clone()
    };
    // Two datagrams in a hundred are lost, three in a row.
    let bursts = Loss::GilbertElliott { to_bad: 0.008, to_good: 0.3, in_good: 0.0, in_bad: 0.8 };
    let shared = |name, second| Scenario {
        name,
        receivers: vec![s(0), second],
        settled: (s(40), s(100)),
        targets: Targets { fairness: Some(0.4), ..any },
        ..clean.clone()
    };
    vec![
        clean.clone(),
        Scenario {
            name: "steps 3, 0.5, 3 Mbit/s",
            steps: vec![(s(0), CAPACITY_BPS), (s(20), 500_000), (s(40), CAPACITY_BPS)],
            step_down: Some(s(20)),
            timed_from: s(40),
            settled: (s(55), s(80)),
            targets: Targets { step_down: Some(s(1)), ..any },
            ..clean.clone()
        },
        lossy("5 % random loss", Loss::Bernoulli(0.05), Some(0.8)),
        lossy("10 % random loss", Loss::Bernoulli(0.1), None),
        lossy("20 % random loss", Loss::Bernoulli(0.2), Some(0.6)),
        lossy("burst loss", bursts, None),
        Scenario {
            name: "150 ms jitter",
            path: Link { jitter: ms(150), ..clean.path },
            settled: (s(15), s(60)),
            targets: any,
            ..clean.clone()
        },
        Scenario {
            name: "4x over-deep queue",
            path: Link { rate: Some(Rate::new(CAPACITY_BPS, 4 * DEPTH_MS)), ..Link::CLEAN },
            settled: (s(15), s(60)),
            targets: any,
            ..clean.clone()
        },
        shared("two share, from the start", s(0)),
        shared("two share, one 10 s later", s(10)),
        Scenario {
            name: "sound, then video",
            video_from: s(20),
            timed_from: s(20),
            settled: (s(30), s(60)),
            targets: any,
            ..clean.clone()
        },
        Scenario {
            name: "30 s outage",
            outage: Some((s(20), s(30))),
            timed_from: s(50),
            settled: (s(60), s(90)),
            targets: any,
            ..clean
        },
    ]
}
