//! What holds for any demands and budgets.

use proptest::prelude::*;

use super::*;

fn demand() -> impl Strategy<Value = Demand<u32>> {
    let rates = prop::collection::vec((0_u8..4, 0_u8..4, 1_u64..3_000_000), 0..10);
    (rates, 1_u8..4, any::<bool>(), 0_u8..4, 0_u8..4, 0_u8..5).prop_map(
        |(steps, priority, is_screen, spatial, temporal, kind)| {
            let mut rates = Ladder::new();
            for (spatial, temporal, bps) in steps {
                rates.insert(layers(spatial, temporal), bps);
            }
            let kind = if kind == 0 { MediaKind::Audio } else { MediaKind::Video };
            Demand { key: 0, priority, is_screen, kind, preferred: layers(spatial, temporal), rates }
        },
    )
}

fn demands() -> impl Strategy<Value = Vec<Demand<u32>>> {
    prop::collection::vec(demand(), 1..12).prop_map(|mut demands| {
        for (key, demand) in (0..).zip(&mut demands) {
            demand.key = key;
        }
        demands
    })
}

/// Cameras with layers of made-up but sensible costs.
fn cameras() -> impl Strategy<Value = Vec<Demand<u32>>> {
    prop::collection::vec((50_u64..200, 1_u8..3), 2..8).prop_map(|costs| {
        let demand = |(key, (base, priority)): (u32, (u64, u8))| {
            let rates = ladder(&CAMERA.map(|row| row.map(|kbps| kbps * base / 100)));
            Demand { priority, rates, ..camera(key) }
        };
        (0..).zip(costs).map(demand).collect()
    })
}

fn cost_of(demand: &Demand<u32>, allocation: &Allocation<u32>) -> u64 {
    let step = demand.rates.steps().find(|step| Some(step.layers) == allocation.layers);
    step.map_or(0, |step| step.bps)
}

proptest! {
    #[test]
    fn the_budget_is_never_exceeded_but_by_audio(
        demands in demands(),
        budgets in prop::collection::vec((prop::option::weighted(0.9, 0_u64..10_000_000), 0_u64..5000), 1..20),
    ) {
        let mut allocator = Allocator::new();
        let mut now = origin();
        for (budget, after_ms) in budgets {
            now += ms(after_ms);
            let allocations = allocator.allocate(now, budget, &demands).to_vec();
            let pairs: Vec<_> = demands.iter().zip(&allocations).collect();
            let of_kind = |kind: MediaKind| {
                pairs.iter().filter(|(demand, _)| demand.kind == kind).map(|(demand, it)| cost_of(demand, it)).sum::<u64>()
            };
            let (audio, video) = (of_kind(MediaKind::Audio), of_kind(MediaKind::Video));
            prop_assert_eq!(audio + video, allocator.allocated_bps());
            if let Some(budget) = budget {
                prop_assert!(video == 0 || (audio + video) * 100 <= budget * (100 - OVERHEAD_PERCENT) + 100);
            }
            for (demand, allocation) in pairs {
                prop_assert_eq!(demand.key, allocation.key);
                let is_full = allocation.layers == Some(allocation.desired);
                prop_assert!(is_full || (demand.kind == MediaKind::Video && budget.is_some()));
                prop_assert!(allocation.layers.is_none_or(|it| it <= allocation.desired));
            }
            prop_assert!(allocator.poll_timeout().is_none_or(|at| at > now && at <= now + STABILITY_MAX));
        }
    }

    #[test]
    fn equal_inputs_settle_at_once(demands in demands(), budget in 0_u64..10_000_000) {
        let mut allocator = Allocator::new();
        let first = allocator.allocate(origin(), Some(budget), &demands).to_vec();
        for at in 1..50 {
            let again = allocator.allocate(origin() + ms(at * 1000), Some(budget), &demands);
            prop_assert_eq!(&first[..], again);
        }
    }

    /// Below the sum of the base layers a larger budget may bring another's base layer back at the cost of one's own steps: a
    /// face more is worth it.
    #[test]
    fn once_all_base_layers_fit_more_never_gives_the_first_less(
        mut demands in cameras(),
        budgets in prop::collection::vec(0_u64..10_000_000, 2..20),
    ) {
        demands[0].priority = 200;
        let bases: u64 = demands.iter().map(|demand| demand.rates.steps().next().unwrap().bps).sum();
        let mut budgets: Vec<_> = budgets.into_iter().map(|more| bases * 106 / 100 + more).collect();
        budgets.sort_unstable();
        let mut last = None;
        for budget in budgets {
            let layers = Allocator::new().allocate(origin(), Some(budget), &demands)[0].layers;
            prop_assert!(layers >= last, "{:?} after {:?}", layers, last);
            last = layers;
        }
    }

    #[test]
    fn nobody_has_two_steps_while_a_base_layer_that_would_fit_instead_is_missing(
        demands in cameras(),
        budgets in prop::collection::vec(50_000_u64..3_000_000, 1..20),
    ) {
        let mut allocator = Allocator::new();
        for (at, budget) in (0..).zip(budgets) {
            // Long enough for every wait to be over.
            let now = origin() + STABILITY_MAX * at;
            let allocations = allocator.allocate(now, Some(budget), &demands).to_vec();
            let base = |demand: &Demand<u32>| demand.rates.steps().next().unwrap().bps;
            let bases: u64 = demands.iter().zip(&allocations).filter(|(_, it)| it.layers.is_some()).map(|(it, _)| base(it)).sum();
            for (demand, allocation) in demands.iter().zip(&allocations) {
                if allocation.layers.is_none() {
                    let with_it = with_headroom(bases + base(demand));
                    prop_assert!(with_it * 100 > budget * (100 - OVERHEAD_PERCENT), "{} would have fit", demand.key);
                }
            }
        }
    }

}

proptest! {
    // Each case is two minutes of allocations.
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// When one stream goes down others may take what that leaves, once: then it must be quiet.
    #[test]
    fn many_streams_on_a_wavering_budget_hardly_switch(
        demands in cameras(),
        budget in 100_000_u64..8_000_000,
        wavers in prop::collection::vec(95_u64..=105, 50),
    ) {
        let mut allocator = Allocator::new();
        let mut last = allocator.allocate(origin(), Some(budget), &demands).to_vec();
        let mut switches = [0, 0];
        for (at, percent) in (0..600).zip(wavers.iter().cycle()) {
            let now = allocator.allocate(origin() + ms((at + 1) * 200), Some(budget * percent / 100), &demands);
            switches[at as usize / 300] += now.iter().zip(&last).filter(|(now, last)| now.layers != last.layers).count();
            last = now.to_vec();
        }
        let [first_minute, second_minute] = switches;
        prop_assert!(first_minute <= 3 * demands.len(), "{} switches of {} streams", first_minute, demands.len());
        prop_assert_eq!(second_minute, 0);
    }
}
