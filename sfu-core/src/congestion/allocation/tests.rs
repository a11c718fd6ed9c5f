use super::*;
use crate::test_support::{ms, origin};

mod properties;

fn layers(spatial: u8, temporal: u8) -> Layers {
    Layers { spatial, temporal }
}

/// What a browser's simulcast of a camera costs, in kbit/s.
const CAMERA: [[u64; 3]; 3] = [[60, 90, 150], [200, 300, 500], [1000, 1500, 2500]];

fn ladder(kbps: &[[u64; 3]]) -> Ladder {
    let mut ladder = Ladder::new();
    for (spatial, row) in (0..).zip(kbps) {
        for (temporal, kbps) in (0..).zip(row) {
            ladder.insert(layers(spatial, temporal), kbps * 1000);
        }
    }
    ladder
}

fn camera(key: u32) -> Demand<u32> {
    Demand {
        key,
        priority: 1,
        is_screen: false,
        kind: MediaKind::Video,
        preferred: layers(2, 2),
        rates: ladder(&CAMERA),
    }
}

fn audio(key: u32, kbps: u64) -> Demand<u32> {
    Demand { kind: MediaKind::Audio, preferred: layers(0, 0), rates: Ladder::single(kbps * 1000), ..camera(key) }
}

/// The budget of which `kbps` can be used.
fn usable(kbps: u64) -> Option<u64> {
    Some((kbps * 100_000).div_ceil(100 - OVERHEAD_PERCENT))
}

/// The budget with which a step up is taken whose total is `kbps`.
fn enough_for(kbps: u64) -> Option<u64> {
    usable(kbps * (100 + UP_HEADROOM_PERCENT) / 100 + 1)
}

fn granted(allocations: &[Allocation<u32>]) -> Vec<Option<(u8, u8)>> {
    allocations.iter().map(|allocation| allocation.layers.map(|it| (it.spatial, it.temporal))).collect()
}

/// What newcomers get.
fn allocate_once(budget_bps: Option<u64>, demands: &[Demand<u32>]) -> Vec<Option<(u8, u8)>> {
    granted(Allocator::new().allocate(origin(), budget_bps, demands))
}

#[test]
fn one_stream_gets_the_best_that_fits() {
    let camera_cases: [(u64, Option<(u8, u8)>); 9] = [
        (59, None),
        (60, Some((0, 0))),
        (90, Some((0, 1))),
        (150, Some((0, 2))),
        (290, Some((0, 2))),
        (300, Some((1, 1))),
        (500, Some((1, 2))),
        (1500, Some((2, 1))),
        (2500, Some((2, 2))),
    ];
    // Sharp before fluent: one frame in four of the largest size rather than all of the middle one.
    let screen_cases =
        [(60, Some((0, 0))), (200, Some((1, 0))), (500, Some((1, 2))), (1000, Some((2, 0))), (2500, Some((2, 2)))];
    for (is_screen, cases) in [(false, &camera_cases[..]), (true, &screen_cases[..])] {
        for (kbps, expected) in cases {
            let budget = if *kbps <= 60 { usable(*kbps) } else { enough_for(*kbps) };
            let demand = Demand { is_screen, ..camera(1) };
            assert_eq!(allocate_once(budget, &[demand]), [*expected], "{kbps} kbit/s, screen {is_screen}");
        }
    }
    assert_eq!(allocate_once(None, &[camera(1)]), [Some((2, 2))]);
    assert_eq!(allocate_once(Some(0), &[camera(1)]), [None]);
    assert_eq!(allocate_once(Some(u64::MAX), &[camera(1)]), [Some((2, 2))]);
}

#[test]
fn a_sharper_screen_is_not_passed_over_for_a_fluent_one_that_costs_more() {
    let rates = ladder(&[[100, 300, 600], [400, 800, 1600]]);
    let screen = Demand { is_screen: true, preferred: layers(1, 2), rates, ..camera(1) };
    assert_eq!(allocate_once(enough_for(420), &[screen]), [Some((1, 0))]);
}

#[test]
fn nobody_gets_more_than_preferred_and_nothing_that_is_not_to_be_had() {
    let mut gappy = Ladder::new();
    gappy.insert(layers(1, 0), 200_000);
    gappy.insert(layers(2, 0), 900_000);
    struct Case {
        name: &'static str,
        preferred: Layers,
        rates: Ladder,
        expected: (u8, u8),
    }
    let cases = [
        Case { name: "small", preferred: layers(0, 2), rates: ladder(&CAMERA), expected: (0, 2) },
        Case { name: "few frames", preferred: layers(2, 0), rates: ladder(&CAMERA), expected: (2, 0) },
        Case { name: "more than there is", preferred: layers(7, 3), rates: ladder(&CAMERA), expected: (2, 2) },
        Case { name: "only larger ones live", preferred: layers(0, 0), rates: gappy.clone(), expected: (1, 0) },
        Case { name: "up to the larger one", preferred: layers(2, 2), rates: gappy, expected: (2, 0) },
        Case { name: "nothing known", preferred: layers(1, 1), rates: Ladder::new(), expected: (1, 1) },
    ];
    for Case { name, preferred, rates, expected } in cases {
        let demand = Demand { preferred, rates, ..camera(1) };
        let mut allocator = Allocator::new();
        let allocations = allocator.allocate(origin(), Some(10_000_000), &[demand]);
        assert_eq!(granted(allocations), [Some(expected)], "{name}");
        assert_eq!(allocations[0].desired, layers(expected.0, expected.1), "{name}");
    }
}

#[test]
fn audio_is_never_paused_and_comes_off_first() {
    let demands = [audio(1, 40), camera(2), audio(3, 40)];
    let mut allocator = Allocator::new();
    assert_eq!(granted(allocator.allocate(origin(), Some(0), &demands)), [Some((0, 0)), None, Some((0, 0))]);
    assert_eq!(allocator.allocated_bps(), 80_000);
    assert_eq!(allocate_once(usable(139), &demands), [Some((0, 0)), None, Some((0, 0))]);
    assert_eq!(allocate_once(usable(140), &demands), [Some((0, 0)), Some((0, 0)), Some((0, 0))]);
}

#[test]
fn base_layers_go_by_priority_then_to_who_flows_then_by_age() {
    let mut urgent = camera(3);
    urgent.priority = 2;
    let room_for_two = usable(130);
    assert_eq!(
        allocate_once(room_for_two, &[camera(1), camera(2), urgent.clone()]),
        [Some((0, 0)), None, Some((0, 0))]
    );

    let mut allocator = Allocator::new();
    allocator.allocate(origin(), room_for_two, &[camera(2), camera(3)]);
    let order = [camera(1), camera(3), camera(2)];
    assert_eq!(granted(allocator.allocate(origin(), room_for_two, &order)), [None, Some((0, 0)), Some((0, 0))]);
    assert_eq!(granted(allocator.allocate(origin(), usable(60), &order)), [None, None, Some((0, 0))], "the oldest");
}

#[test]
fn steps_go_by_priority_then_by_the_largest_deficit() {
    let mut urgent = camera(2);
    urgent.priority = 2;
    // 60 for the other's base, all else for the urgent one.
    let budget = enough_for(560);
    assert_eq!(allocate_once(budget, &[camera(1), urgent]), [Some((0, 0)), Some((1, 2))]);
    assert_eq!(allocate_once(budget, &[camera(1), camera(2)]), [Some((1, 1)), Some((0, 2))]);
    // Who prefers little has a large share of it already.
    let small = Demand { preferred: layers(0, 2), ..camera(1) };
    assert_eq!(allocate_once(enough_for(360), &[small, camera(2)]), [Some((0, 0)), Some((1, 1))]);
}

#[test]
fn a_newcomers_base_layer_displaces_the_steps_of_others() {
    let mut allocator = Allocator::new();
    allocator.allocate(origin(), enough_for(500), &[camera(1)]);
    let demands = [camera(1), camera(2)];
    assert_eq!(granted(allocator.allocate(origin(), enough_for(500), &demands)), [Some((1, 1)), Some((0, 2))]);
}

#[test]
fn going_down_is_at_once_and_going_up_waits_and_wants_headroom() {
    let demands = [camera(1)];
    let mut allocator = Allocator::new();
    let mut step = |at_ms: u64, budget: Option<u64>| {
        let granted = granted(allocator.allocate(origin() + ms(at_ms), budget, &demands));
        (granted[0], allocator.poll_timeout().map(|at| (at - origin()).as_millis() as u64))
    };
    assert_eq!(step(0, enough_for(500)), (Some((1, 2)), None));
    assert_eq!(step(100, usable(500)), (Some((1, 2)), None), "to keep needs no headroom");
    assert_eq!(step(200, usable(499)), (Some((1, 1)), None), "at once");
    assert_eq!(step(300, usable(570)), (Some((1, 1)), None), "no headroom: no wait would help");
    let climbed = 200 + state::climbing_time(200_000).as_millis() as u64;
    assert_eq!(step(400, enough_for(500)), (Some((1, 1)), Some(climbed)), "waits");
    assert_eq!(step(climbed, enough_for(500)), (Some((1, 1)), Some(climbed)));
    assert_eq!(step(climbed + 1, enough_for(500)), (Some((1, 2)), None));
    assert_eq!(step(climbed + 100, None), (Some((2, 2)), None), "nothing is waited for without a limit");
}

#[test]
fn what_was_paused_comes_back_by_itself() {
    let demands = [camera(1), camera(2)];
    let mut allocator = Allocator::new();
    assert_eq!(granted(allocator.allocate(origin(), usable(120), &demands)), [Some((0, 0)), Some((0, 0))]);
    let later = |seconds| origin() + Duration::from_secs(seconds);
    assert_eq!(granted(allocator.allocate(later(1), usable(119), &demands)), [Some((0, 1)), None]);
    assert_eq!(allocator.poll_timeout(), None);
    assert_eq!(granted(allocator.allocate(later(2), enough_for(120), &demands)), [Some((0, 1)), None]);
    assert_eq!(allocator.poll_timeout(), Some(later(3)));
    assert_eq!(granted(allocator.allocate(later(3), usable(120), &demands)), [Some((0, 1)), None], "without headroom");
    assert_eq!(granted(allocator.allocate(later(4), enough_for(120), &demands)), [Some((0, 0)), Some((0, 0))]);
}

#[test]
fn a_step_up_that_does_not_last_doubles_the_wait_until_one_does() {
    let demands = [camera(1)];
    let mut allocator = Allocator::new();
    let mut now = origin();
    allocator.allocate(now, enough_for(500), &demands);
    allocator.allocate(now, usable(400), &demands);
    for seconds in [2, 4, 8, 16, 32, 32] {
        now += ms(100);
        allocator.allocate(now, enough_for(500), &demands);
        let at = allocator.poll_timeout().unwrap();
        let climbed = state::climbing_time(200_000);
        assert_eq!(at, now - ms(100) + Duration::from_secs(seconds).max(climbed));
        now = at;
        assert_eq!(granted(allocator.allocate(now, enough_for(500), &demands)), [Some((1, 2))]);
        assert_eq!(granted(allocator.allocate(now, usable(400), &demands)), [Some((1, 1))]);
    }
    now += STABILITY_MAX;
    allocator.allocate(now, enough_for(500), &demands);
    now += PROVEN_AFTER;
    allocator.allocate(now, usable(400), &demands);
    allocator.allocate(now, enough_for(500), &demands);
    assert_eq!(allocator.poll_timeout(), Some(now + state::climbing_time(200_000)));
}

/// Harm prevented: a link that is wide again after a minute of trouble shows a thumbnail for half a minute more.
#[test]
fn a_path_that_has_become_another_is_not_waited_for() {
    let demands = [camera(1)];
    let mut allocator = Allocator::new();
    let mut now = origin();
    allocator.allocate(now, enough_for(300), &demands);
    for _ in 0..4 {
        now += STABILITY_MAX;
        assert_eq!(granted(allocator.allocate(now, enough_for(500), &demands)), [Some((1, 2))]);
        assert_eq!(granted(allocator.allocate(now, usable(300), &demands)), [Some((1, 1))]);
    }
    now += state::climbing_time(1_200_000);
    assert_eq!(granted(allocator.allocate(now, enough_for(700), &demands)), [Some((1, 1))], "as good as the same");
    assert_eq!(granted(allocator.allocate(now, enough_for(1500), &demands)), [Some((2, 1))]);
}

/// Harm prevented: what fails is the sum of the largest layers, and everybody is kept at the smallest for half a minute.
#[test]
fn only_sums_near_the_one_that_failed_are_waited_for() {
    let demands = [camera(1)];
    let mut allocator = Allocator::new();
    let mut now = origin();
    allocator.allocate(now, enough_for(300), &demands);
    for _ in 0..4 {
        now += STABILITY_MAX;
        assert_eq!(granted(allocator.allocate(now, enough_for(500), &demands)), [Some((1, 2))]);
        assert_eq!(granted(allocator.allocate(now, usable(150), &demands)), [Some((0, 2))]);
    }
    now += state::climbing_time(150_000) - ms(1);
    assert_eq!(granted(allocator.allocate(now, enough_for(500), &demands)), [Some((0, 2))]);
    now += ms(1);
    assert_eq!(
        granted(allocator.allocate(now, enough_for(500), &demands)),
        [Some((1, 1))],
        "of 500 that failed 300 are far"
    );
    now += STABILITY_MIN;
    assert_eq!(granted(allocator.allocate(now, enough_for(500), &demands)), [Some((1, 1))], "500 are not");
}

/// Harm prevented: the last of several steps down in a row is taken for all that the path carries.
#[test]
fn of_several_steps_down_in_a_row_the_first_tells_which_sum_failed() {
    let demands = [camera(1)];
    let mut allocator = Allocator::new();
    allocator.allocate(origin(), enough_for(500), &demands);
    let mut now = origin() + PROVEN_AFTER;
    for kbps in [300, 200, 90] {
        now += ms(100);
        allocator.allocate(now, usable(kbps), &demands);
    }
    now += state::climbing_time(240_000);
    assert_eq!(granted(allocator.allocate(now, enough_for(300), &demands)), [Some((1, 1))]);
}

/// Harm prevented: of two who share a path the one who had more takes all of the room that both made, before the other can.
#[test]
fn who_climbs_again_does_so_by_so_much_a_second_however_much_there_is() {
    let demands = [camera(1), camera(2)];
    let mut allocator = Allocator::new();
    allocator.allocate(origin(), enough_for(3000), &demands);
    let before_bps = allocator.allocated_bps();
    let down = origin() + PROVEN_AFTER;
    allocator.allocate(down, usable(600), &demands);
    let left_bps = allocator.allocated_bps();
    let mut climbed = Vec::new();
    for half_seconds in 0..14 {
        allocator.allocate(down + ms(500) * half_seconds, enough_for(3000), &demands);
        climbed.push((allocator.allocated_bps() - left_bps) / 1000);
    }
    assert_eq!(climbed[..4], [0; 4], "it waits");
    for (half_seconds, climbed) in (0..).zip(&climbed).skip(4) {
        let most = 100.0 * (2_f64.powf(f64::from(half_seconds) / 2.0 - 1.0) - 1.0);
        assert!(*climbed as f64 <= most, "{climbed} of {most} after {half_seconds} half seconds");
    }
    assert_eq!(allocator.allocated_bps(), before_bps, "in some seconds everything: {climbed:?}");
}

/// Harm prevented: the path is known to carry half as much again, and its room is left to others for half a minute.
#[test]
fn a_budget_that_has_been_ample_is_not_waited_for() {
    let demands = [camera(1)];
    let mut allocator = Allocator::new();
    let mut now = origin();
    allocator.allocate(now, enough_for(300), &demands);
    for _ in 0..4 {
        now += STABILITY_MAX;
        assert_eq!(granted(allocator.allocate(now, enough_for(500), &demands)), [Some((1, 2))]);
        assert_eq!(granted(allocator.allocate(now, usable(300), &demands)), [Some((1, 1))]);
    }
    let mut grants = Vec::new();
    for seconds in 1..=6 {
        let at = now + Duration::from_secs(seconds);
        grants.extend(granted(allocator.allocate(at, Some(500_000 * AMPLE_PERCENT / 100), &demands)));
    }
    let waited = grants.iter().take_while(|layers| **layers == Some((1, 1))).count();
    assert!((2..=4).contains(&waited), "{grants:?}");
}

/// Harm prevented: a sender that stutters has no upper temporal layers for a while, so that several steps cost the same and are
/// one; whoever had the lower of them has nothing of that step, is taken for paused, and waits.
#[test]
fn who_flows_is_not_paused_when_steps_become_one() {
    let mut allocator = Allocator::new();
    allocator.allocate(origin(), enough_for(60), &[camera(1)]);
    assert_eq!(granted(allocator.allocate(origin(), usable(60), &[camera(1)])), [Some((0, 0))]);
    let stuttering = Demand { rates: ladder(&[[60, 60, 60], [200, 200, 200]]), ..camera(1) };
    assert_eq!(granted(allocator.allocate(origin() + ms(100), usable(60), &[stuttering])), [Some((0, 2))]);
}

#[test]
fn who_has_nothing_waits_a_few_seconds_at_most() {
    let demands = [camera(1)];
    let mut allocator = Allocator::new();
    let mut now = origin();
    allocator.allocate(now, enough_for(60), &demands);
    for seconds in [2, 4, 8, 8, 8] {
        assert_eq!(granted(allocator.allocate(now, usable(59), &demands)), [None]);
        assert_eq!(granted(allocator.allocate(now, enough_for(60), &demands)), [None]);
        assert_eq!(allocator.poll_timeout(), Some(now + Duration::from_secs(seconds)));
        now += Duration::from_secs(seconds);
        assert_eq!(granted(allocator.allocate(now, enough_for(60), &demands)), [Some((0, 0))]);
    }
}

#[test]
fn an_owners_wish_for_more_waits_for_nothing() {
    let mut allocator = Allocator::new();
    let squeezed = |allocator: &mut Allocator<u32>| {
        allocator.allocate(origin(), enough_for(1500), &[camera(1)]);
        assert_eq!(granted(allocator.allocate(origin(), usable(400), &[camera(1)])), [Some((1, 1))]);
    };
    squeezed(&mut allocator);
    let urgent = Demand { priority: 9, ..camera(1) };
    assert_eq!(granted(allocator.allocate(origin(), enough_for(1500), &[urgent])), [Some((2, 1))]);

    let mut allocator = Allocator::new();
    squeezed(&mut allocator);
    let small = Demand { preferred: layers(0, 0), ..camera(1) };
    assert_eq!(granted(allocator.allocate(origin(), enough_for(1500), &[small])), [Some((0, 0))]);
    assert_eq!(granted(allocator.allocate(origin(), enough_for(1500), &[camera(1)])), [Some((2, 1))]);
}

#[test]
fn who_left_is_forgotten() {
    let mut allocator = Allocator::new();
    allocator.allocate(origin(), enough_for(1500), &[camera(1)]);
    allocator.allocate(origin(), usable(400), &[camera(1)]);
    allocator.allocate(origin(), usable(400), &[]);
    assert_eq!((allocator.desired_bps(), allocator.allocated_bps()), (0, 0));
    assert!(allocator.states.is_empty());
}

#[test]
fn the_sufficient_budget_suffices_from_below_and_no_less_does() {
    let demands = [camera(1), camera(2), audio(3, 40)];
    let mut allocator = Allocator::new();
    allocator.allocate(origin(), usable(200), &demands);
    assert_eq!(allocator.desired_bps(), 5_040_000);
    let sufficient = allocator.sufficient_budget_bps();
    let top = Some((2, 2));
    assert_ne!(granted(allocator.allocate(origin(), Some(sufficient * 99 / 100), &demands))[..2], [top, top]);
    assert_eq!(granted(allocator.allocate(origin(), Some(sufficient), &demands))[..2], [top, top]);
}

#[test]
fn a_wavering_budget_hardly_switches() {
    struct Case {
        name: &'static str,
        percent: [u64; 2],
        period_ms: u64,
        switches_max: usize,
    }
    let cases = [
        Case { name: "a tenth in all", percent: [95, 105], period_ms: 200, switches_max: 1 },
        Case { name: "a tenth in all, slowly", percent: [95, 105], period_ms: 8000, switches_max: 1 },
        Case { name: "a tenth up and down", percent: [90, 110], period_ms: 200, switches_max: 8 },
        Case { name: "by half", percent: [50, 150], period_ms: 1000, switches_max: 16 },
    ];
    for Case { name, percent, period_ms, switches_max } in cases {
        for kbps in (100..3000).step_by(50) {
            let mut allocator = Allocator::new();
            let demands = [camera(1), audio(2, 40)];
            let mut last = allocator.allocate(origin(), Some(kbps * 1000), &demands)[0].layers;
            let mut switches = 0;
            for at in (100..60_000).step_by(100) {
                let percent = percent[(at / period_ms % 2) as usize];
                let layers = allocator.allocate(origin() + ms(at), Some(kbps * 10 * percent), &demands)[0].layers;
                switches += usize::from(layers != last);
                last = layers;
            }
            assert!(switches <= switches_max, "{name}, {kbps} kbit/s: {switches} switches in a minute");
        }
    }
}

#[test]
fn wavering_rates_of_equals_do_not_make_them_swap() {
    // Room for one of them at the largest size.
    let budget = enough_for(2200);
    let mut allocator = Allocator::new();
    let first = granted(allocator.allocate(origin(), budget, &[camera(1), camera(2)]));
    assert_eq!(first, [Some((2, 1)), Some((1, 2))]);
    for at in 1..600_u64 {
        // Each in turn has a little less of what it prefers than the other.
        let wavering = |key: u32, kbps: u64| {
            let mut demand = camera(key);
            demand.rates.insert(layers(2, 2), kbps * 1000);
            demand
        };
        let (one, other) = if at % 2 == 0 { (2400, 2600) } else { (2600, 2400) };
        let demands = [wavering(1, one), wavering(2, other)];
        let now = granted(allocator.allocate(origin() + ms(at * 1000), budget, &demands));
        assert_eq!(now, first, "after {at} s");
    }
}

#[test]
fn who_flows_is_not_displaced_by_an_older_equal() {
    let costly = Demand { preferred: layers(0, 0), rates: Ladder::single(500_000), ..camera(1) };
    let cheap = Demand { preferred: layers(0, 0), rates: Ladder::single(100_000), ..camera(2) };
    let demands = [costly, cheap];
    let mut allocator = Allocator::new();
    assert_eq!(granted(allocator.allocate(origin(), usable(400), &demands)), [None, Some((0, 0))]);
    assert_eq!(granted(allocator.allocate(origin(), usable(590), &demands)), [None, Some((0, 0))]);
}

#[test]
fn a_latecomer_gets_its_share_of_the_steps() {
    let mut allocator = Allocator::new();
    let budget = enough_for(2500);
    assert_eq!(granted(allocator.allocate(origin(), budget, &[camera(1)])), [Some((2, 2))]);
    let demands = [camera(1), camera(2)];
    assert_eq!(granted(allocator.allocate(origin(), budget, &demands)), [Some((2, 1)), Some((1, 2))]);
    // And what comes of that stays.
    for at in 1..100 {
        let now = granted(allocator.allocate(origin() + ms(at * 100), budget, &demands));
        assert_eq!(now, [Some((2, 1)), Some((1, 2))]);
    }
}

#[test]
fn a_settled_allocation_allocates_no_memory() {
    let demands: Vec<_> = (0..20).map(camera).collect();
    let mut allocator = Allocator::new();
    allocator.allocate(origin(), Some(20_000_000), &demands);
    let info = allocation_counter::measure(|| {
        allocator.allocate(origin() + ms(100), Some(5_000_000), &demands);
    });
    assert_eq!(info.count_total, 0);
}
