//! One path shared out among very many.

use std::time::Instant;

use sfu_core::congestion::allocation::{Allocator, Demand, Ladder};
use sfu_core::parameters::MediaKind;
use sfu_core::rtp::layers::Layers;
use simulation::{World, s};

use super::Body;

/// Videos of three sizes with three frame rates that one peer gets.
const CONSUMERS: u32 = 1000;

/// The path carries less and more in turn: about half of what everybody wishes.
const BUDGETS_BPS: [u64; 4] = [500_000_000, 400_000_000, 600_000_000, 550_000_000];

struct Thousand {
    allocator: Allocator<u32>,
    demands: Vec<Demand<u32>>,
    now: Instant,
    round: usize,
}

pub(super) fn thousand() -> Box<dyn Body> {
    let mut rates = Ladder::new();
    for (spatial, bps) in [(0, 150_000), (1, 500_000), (2, 1_200_000)] {
        for (temporal, percent) in [(0, 50), (1, 75), (2, 100)] {
            rates.insert(Layers { spatial, temporal }, bps * percent / 100);
        }
    }
    let demand = |key| Demand {
        key,
        priority: 1 + (key % 3) as u8,
        is_screen: key % 50 == 0,
        kind: MediaKind::Video,
        preferred: Layers { spatial: 2, temporal: 2 },
        rates: rates.clone(),
    };
    let mut thousand = Thousand {
        allocator: Allocator::new(),
        demands: (0..CONSUMERS).map(demand).collect(),
        now: World::new(1).now,
        round: 0,
    };
    for _ in 0..8 {
        thousand.prepare();
        thousand.act();
    }
    Box::new(thousand)
}

impl Body for Thousand {
    fn prepare(&mut self) {
        self.now += s(1);
        self.round += 1;
    }

    fn act(&mut self) {
        let budget_bps = BUDGETS_BPS[self.round % BUDGETS_BPS.len()];
        std::hint::black_box(self.allocator.allocate(self.now, Some(budget_bps), &self.demands));
    }

    fn finish(&mut self) -> u64 {
        u64::from(CONSUMERS)
    }
}
