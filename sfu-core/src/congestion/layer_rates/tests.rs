use super::*;
use crate::test_support::{ms, origin};

fn layers(spatial: u8, temporal: u8) -> Layers {
    Layers { spatial, temporal }
}

/// Feeds a layer with a packet every 10 ms, from `from_ms` to `to_ms`.
fn send(rates: &mut LayerRates, layer: Layers, bps: u64, from_ms: u64, to_ms: u64) {
    for at in (from_ms..to_ms).step_by(10) {
        rates.handle_packet(origin() + ms(at), layer, (bps / 800) as usize);
    }
}

fn near(rate: u64, expected: u64) -> bool {
    rate.abs_diff(expected) * 50 <= expected
}

#[test]
fn a_simulcast_costs_the_one_encoding_and_svc_everything_below() {
    for (kind, expected) in [(LayerKind::Simulcast, 800_000), (LayerKind::Svc, 1_000_000)] {
        let mut rates = LayerRates::new(kind);
        for at in (0..3000).step_by(10) {
            let now = origin() + ms(at);
            for (layer, bytes) in [
                (layers(0, 0), 125),
                (layers(0, 1), 125),
                (layers(0, 2), 500),
                (layers(1, 0), 250),
                (layers(1, 1), 750),
            ] {
                rates.handle_packet(now, layer, bytes);
            }
        }
        let now = origin() + ms(3000);
        let rate = rates.cumulative(now, layers(1, 1));
        assert!(near(rate.bps, expected), "{kind:?}: {rate:?}");
        assert_eq!(rate.basis, Basis::Measured);
        assert!(near(rates.cumulative_bps(now, layers(0, 0)), 100_000));
    }
}

#[test]
fn a_layer_that_stopped_is_remembered_and_said_to_be() {
    let mut rates = LayerRates::new(LayerKind::Simulcast);
    send(&mut rates, layers(2, 0), 1_600_000, 0, 5000);
    assert_eq!(rates.cumulative(origin() + ms(5000), layers(2, 0)).basis, Basis::Measured);
    assert!(!rates.is_live(origin() + ms(5600), 2));
    let later = origin() + Duration::from_secs(3600);
    let rate = rates.cumulative(later, layers(2, 0));
    assert!(near(rate.bps, 1_600_000), "{rate:?}");
    assert_eq!(rate.basis, Basis::Remembered);
    // The hour of silence must not count as part of the rate when it comes back.
    send(&mut rates, layers(2, 0), 1_600_000, 3_600_000, 3_603_000);
    assert!(near(rates.cumulative_bps(later + ms(3000), layers(2, 0)), 1_600_000));
}

#[test]
fn what_was_never_seen_is_a_multiple_of_what_was() {
    let mut rates = LayerRates::new(LayerKind::Simulcast);
    let nothing = rates.cumulative(origin(), layers(1, 0));
    assert_eq!(nothing, LayerRate { bps: ASSUMED_BASE_BPS * 3, basis: Basis::Estimated });

    send(&mut rates, layers(1, 0), 400_000, 0, 3000);
    let now = origin() + ms(3000);
    let above = rates.cumulative(now, layers(2, 0));
    let below = rates.cumulative(now, layers(0, 0));
    assert!(near(above.bps, 1_200_000) && near(below.bps, 133_333), "{above:?} {below:?}");
    assert_eq!((above.basis, below.basis), (Basis::Estimated, Basis::Estimated));
}

#[test]
fn a_frame_rate_that_a_live_stream_does_not_have_costs_nothing_more() {
    let mut rates = LayerRates::new(LayerKind::Simulcast);
    send(&mut rates, layers(0, 0), 400_000, 0, 3000);
    let live = rates.cumulative(origin() + ms(3000), layers(0, 2));
    assert!(near(live.bps, 400_000), "{live:?}");
    let stopped = rates.cumulative(origin() + ms(9000), layers(0, 2));
    assert!(near(stopped.bps, 900_000), "{stopped:?}");
    assert_eq!(stopped.basis, Basis::Estimated);
}

#[test]
fn a_temporal_layer_that_is_no_longer_made_costs_nothing() {
    let mut rates = LayerRates::new(LayerKind::Svc);
    for at in (0..3000).step_by(10) {
        rates.handle_packet(origin() + ms(at), layers(0, 0), 500);
        rates.handle_packet(origin() + ms(at), layers(0, 1), 500);
    }
    assert!(near(rates.cumulative_bps(origin() + ms(3000), layers(0, 1)), 800_000));
    send(&mut rates, layers(0, 0), 400_000, 3000, 4000);
    assert!(near(rates.cumulative_bps(origin() + ms(4000), layers(0, 1)), 400_000));
}

#[test]
fn an_encoding_stopped_while_warming_up_is_not_taken_for_cheaper_than_the_one_below() {
    let mut rates = LayerRates::new(LayerKind::Simulcast);
    send(&mut rates, layers(1, 0), 50_000, 0, 1000);
    send(&mut rates, layers(0, 0), 300_000, 0, 4000);
    assert!(near(rates.cumulative_bps(origin() + ms(4000), layers(1, 0)), 300_000));
}

#[test]
fn one_key_frame_does_not_move_the_rate() {
    let mut rates = LayerRates::new(LayerKind::Simulcast);
    send(&mut rates, layers(0, 0), 800_000, 0, 3000);
    rates.handle_packet(origin() + ms(3000), layers(0, 0), 100_000);
    send(&mut rates, layers(0, 0), 800_000, 3000, 5000);
    for at in (3000..5000).step_by(100) {
        let bps = rates.cumulative_bps(origin() + ms(at), layers(0, 0));
        assert!(near(bps, 800_000), "at {at} ms {bps}: a step down for every key frame");
    }
}

#[test]
fn a_key_frame_in_the_first_second_is_not_taken_for_the_rate() {
    // The stream's own first one, and one that its first viewer asked for.
    for key_frame_at in [0, 700] {
        let mut rates = LayerRates::new(LayerKind::Simulcast);
        send(&mut rates, layers(0, 0), 800_000, 0, key_frame_at);
        rates.handle_packet(origin() + ms(key_frame_at), layers(0, 0), 100_000);
        send(&mut rates, layers(0, 0), 800_000, key_frame_at, 1010);
        let rate = rates.cumulative(origin() + ms(1010), layers(0, 0));
        assert!(near(rate.bps, 800_000), "{rate:?}");
    }
}

#[test]
fn pauses_between_short_spells_of_sending_are_no_part_of_the_rate() {
    let mut rates = LayerRates::new(LayerKind::Simulcast);
    for spell in 0..10 {
        send(&mut rates, layers(0, 0), 800_000, spell * 10_000, spell * 10_000 + 510);
    }
    let bps = rates.cumulative_bps(origin() + ms(100_000), layers(0, 0));
    assert!(near(bps, 800_000), "{bps}");
}

#[test]
fn a_spell_too_short_for_a_sample_is_better_than_nothing() {
    let mut rates = LayerRates::new(LayerKind::Simulcast);
    send(&mut rates, layers(0, 0), 800_000, 0, 300);
    assert_eq!(rates.cumulative(origin() + ms(300), layers(0, 0)).basis, Basis::Estimated);
    rates.handle_packet(origin() + ms(10_000), layers(0, 0), 1000);
    let rate = rates.cumulative(origin() + ms(10_000), layers(0, 0));
    assert!(rate.basis == Basis::Measured && near(rate.bps, 480_000), "{rate:?}");
}

#[test]
fn a_lasting_change_is_known_within_two_seconds() {
    let mut rates = LayerRates::new(LayerKind::Simulcast);
    send(&mut rates, layers(0, 0), 400_000, 0, 3000);
    send(&mut rates, layers(0, 0), 1_600_000, 3000, 5010);
    let bps = rates.cumulative_bps(origin() + ms(5010), layers(0, 0));
    assert!((1_300_000..=1_600_000).contains(&bps), "{bps}");
}

#[test]
fn a_camera_that_stops_is_dead_within_half_a_second() {
    let mut rates = LayerRates::new(LayerKind::Simulcast);
    assert!(!rates.is_live(origin(), 0), "never seen");
    assert_eq!(rates.seen().count(), 0);
    send(&mut rates, layers(0, 1), 400_000, 0, 1010);
    assert_eq!(rates.seen().collect::<Vec<_>>(), [layers(0, 1)]);
    assert!(rates.is_live(origin() + ms(1500), 0));
    assert!(!rates.is_live(origin() + ms(1501), 0));
    assert!(!rates.is_live(origin() + ms(1000), 1));
    assert!(!rates.is_live(origin() + ms(1000), 200));
}

#[test]
fn a_still_screen_lives_between_its_frames_and_its_silence_counts() {
    let mut rates = LayerRates::new(LayerKind::Simulcast);
    for second in 0..20 {
        let now = origin() + ms(second * 1000);
        rates.handle_packet(now, layers(0, 0), 1250);
        if second > 1 {
            assert!(rates.is_live(now + ms(999), 0), "at {second} s");
        }
    }
    let bps = rates.cumulative_bps(origin() + ms(19_500), layers(0, 0));
    assert!(near(bps, 10_000), "{bps}");
    assert!(!rates.is_live(origin() + ms(22_100), 0), "but it may die");
}

#[test]
fn layers_out_of_range_count_as_the_highest_and_time_may_run_backwards() {
    let mut rates = LayerRates::new(LayerKind::Svc);
    rates.handle_packet(origin() + ms(5000), layers(255, 255), 1000);
    rates.handle_packet(origin(), layers(255, 255), 1000);
    assert!(rates.is_live(origin() + ms(5000), Layers::MAX.spatial));
    assert!(rates.cumulative_bps(origin() + ms(9000), layers(255, 255)) > 0);
    assert!(rates.cumulative_bps(origin() + ms(9000), layers(0, 0)) < ASSUMED_BASE_BPS);
}

#[test]
fn a_packet_of_a_known_layer_allocates_nothing() {
    let mut rates = LayerRates::new(LayerKind::Svc);
    rates.handle_packet(origin(), layers(1, 1), 1200);
    let info = allocation_counter::measure(|| send(&mut rates, layers(1, 1), 800_000, 0, 3000));
    assert_eq!(info.count_total, 0);
}

/// What a ladder of all these layers would cost now.
fn costs(rates: &LayerRates, now: Instant, highest: Layers) -> Vec<(Layers, u64)> {
    let all = (0..=highest.spatial).flat_map(|spatial| (0..=highest.temporal).map(move |temporal| (spatial, temporal)));
    all.map(|(spatial, temporal)| (layers(spatial, temporal), rates.cumulative_bps(now, layers(spatial, temporal))))
        .collect()
}

fn steps(ladder: &Ladder) -> Vec<(Layers, u64)> {
    ladder.steps().map(|step| (step.layers, step.bps)).collect()
}

/// Harm prevented: with five hundred viewers of one producer their worker would do little else than add up its layers.
#[test]
fn a_ladder_holds_for_a_while_unless_layers_come_or_go() {
    let highest = layers(1, 1);
    let rising = || {
        let mut rates = LayerRates::new(LayerKind::Simulcast);
        send(&mut rates, layers(0, 0), 100_000, 0, 1000);
        send(&mut rates, layers(0, 0), 4_000_000, 1000, 1990);
        let made_at = origin() + ms(1990);
        let before = costs(&rates, made_at, highest);
        assert_eq!(steps(&rates.ladder(made_at, highest)), before);
        send(&mut rates, layers(0, 0), 4_000_000, 1990, 2080);
        let last = made_at + LADDER_HOLDS - ms(1);
        assert_ne!(costs(&rates, last, highest), before, "a sample has ended");
        assert_eq!(steps(&rates.ladder(last, highest)), before);
        (rates, last)
    };
    let (mut rates, last) = rising();
    let next = last + ms(1);
    assert_eq!(steps(&rates.ladder(next, highest)), costs(&rates, next, highest));
    let (mut rates, last) = rising();
    rates.expire_ladder();
    assert_eq!(steps(&rates.ladder(last, highest)), costs(&rates, last, highest));
    let (mut rates, last) = rising();
    send(&mut rates, layers(1, 0), 900_000, 2080, 2089);
    assert_eq!(steps(&rates.ladder(last, highest)), costs(&rates, last, highest), "a layer has appeared");
}

/// Not all who consume a producer can take all of its layers.
#[test]
fn each_is_given_the_part_of_the_ladder_that_it_can_climb() {
    let mut rates = LayerRates::new(LayerKind::Svc);
    send(&mut rates, layers(0, 0), 100_000, 0, 2000);
    let now = origin() + ms(2000);
    for highest in [layers(0, 0), layers(2, 1), layers(1, 2), layers(2, 2), layers(0, 2), layers(2, 0)] {
        assert_eq!(steps(&rates.ladder(now, highest)), costs(&rates, now, highest), "{highest:?}");
    }
    assert_eq!(steps(&rates.ladder(now, layers(200, 200))), costs(&rates, now, Layers::MAX));
}
