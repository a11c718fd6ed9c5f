//! Encodings whose timestamps and clocks have nothing in common.

use std::time::Duration;

use simulation::sink::playback::Shown;
use simulation::{Direction, Kind, Link, SourceId, World, ms, s};

use super::{Form, Scene, assert_watchable, forms};

/// Beyond what the fraction of an NTP second and the wire's clock round off.
const EXACT: Duration = ms(1);

/// How far a row of pictures is from the time line of the first, by what was captured.
fn worst_deviation(shown: &[Shown]) -> Duration {
    let first = shown[0];
    let off = shown.iter().map(|shown| {
        let ticks = shown.timestamp.wrapping_sub(first.timestamp) as i32;
        let told = f64::from(ticks) / 90_000.0;
        let real = shown.captured.as_secs_f64() - first.captured.as_secs_f64();
        (told - real).abs()
    });
    Duration::from_secs_f64(off.fold(0.0, f64::max))
}

/// Far apart, and two about to wrap.
fn set_bases(world: &mut World, source: SourceId) {
    for (layer, base) in [0x0000_1000, u32::MAX - 360_000, 0x7fff_ff00].into_iter().enumerate() {
        world.source_mut(source).layers[layer].timestamp_base = base;
    }
}

/// Wishes for one encoding after another.
fn switch(scene: &mut Scene) {
    for wish in [0, 2, 1, 2, 0, 1, 0, 2] {
        scene.prefer((wish, 2));
        scene.world.run_for(ms(1200));
    }
}

fn simulcasts() -> Vec<Form> {
    forms().into_iter().filter(Form::is_simulcast).collect()
}

/// Harm prevented: at each switch the picture stands still or hurries, and is out of step with the voice, by as much as the
/// network happened to delay one packet.
#[test]
fn with_sender_reports_a_switch_is_no_jump_however_late_packets_are() {
    let forms = [false, true].map(|on_branch| simulcasts().into_iter().map(move |form| (form, on_branch)));
    for (index, (form, on_branch)) in forms.into_iter().flatten().enumerate() {
        let mut scene = Scene::placed(4000 + index as u64, &form, on_branch, set_bases);
        scene.world.run_for(s(3));
        let jittery = Link { jitter: ms(80), ..Link::CLEAN };
        scene.set_paths(jittery, Link::CLEAN);
        let from = scene.world.now;
        switch(&mut scene);
        let shown = scene.world.playback(scene.sink).between(from, scene.world.now);
        let off = worst_deviation(shown);
        assert!(off <= EXACT, "{}: {off:?}", form.name);
        assert_watchable(&scene.world, scene.sink, form.name);
    }
}

/// Harm prevented: a viewer who switches in the first second is ahead of the sound, or behind it, for the rest of the call.
#[test]
fn before_the_first_report_a_switch_goes_by_the_time_that_passed() {
    for (index, form) in simulcasts().iter().enumerate() {
        let mut scene = Scene::prepared(4100 + index as u64, form, |world, source| {
            set_bases(world, source);
            world.network.drop_if(move |datagram| {
                datagram.peer == source.peer && datagram.direction == Direction::Up && datagram.kind() == Kind::Rtcp
            });
        });
        scene.world.run_for(s(1));
        let from = scene.world.now;
        switch(&mut scene);
        let shown = scene.world.playback(scene.sink).between(from, scene.world.now);
        let off = worst_deviation(shown);
        assert!(off <= ms(2), "{}: {off:?}", form.name);
        assert_watchable(&scene.world, scene.sink, form.name);
    }
}
