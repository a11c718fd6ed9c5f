//! Layers that stop and come back, and sources that are slow.

use std::time::Duration;

use simulation::source::video::{Video, VideoCodec};
use simulation::source::{KEY_FRAME_DELAY, KEY_FRAME_SPACING};
use simulation::{Link, World, ms, s};

use super::{Form, Scene, assert_watchable, current, forms, prefer, told, without_bandwidth_feedback};

/// How soon a layer that is silent is left.
const DEAD_AFTER: Duration = ms(500);
/// Until a key frame is there that is asked for now: two pictures beside what the encoder takes, and three ways.
const KEY_FRAME: Duration = ms(2 * 34 + 60 + 300);

fn simulcasts() -> Vec<Form> {
    forms().into_iter().filter(Form::is_simulcast).collect()
}

/// Harm prevented: a publisher whose processor or uplink gives up a layer freezes on every screen that shows it.
#[test]
fn an_encoding_that_stops_is_left_and_taken_again_when_it_is_back() {
    assert!(KEY_FRAME >= KEY_FRAME_SPACING.max(KEY_FRAME_DELAY) + 3 * Link::CLEAN.latency);
    for (form, top) in simulcasts().iter().flat_map(|form| [(form, 2), (form, 1)]) {
        let mut scene = Scene::new(2000, form);
        scene.prefer((top, form.highest.1));
        scene.world.run_for(s(1));
        let (sink, source) = (scene.sink, scene.source);
        let stopped = scene.world.now;
        scene.world.set_active(source, usize::from(top), false);
        scene.world.run_for(s(3));
        let what = format!("{}, encoding {top}", form.name);
        let below = (top - 1, form.highest.1);
        assert_eq!(current(&scene.world, sink), Some(below), "{what} stopped");
        let shown = scene.world.playback(sink).between(stopped + ms(200), scene.world.now)[0];
        assert_eq!(shown.layers.spatial, below.0, "{what}");
        let gap = shown.at - stopped;
        assert!(gap <= DEAD_AFTER + KEY_FRAME, "{what}: dark for {gap:?}");
        let back = scene.world.now;
        scene.world.set_active(source, usize::from(top), true);
        scene.world.run_for(s(3));
        assert_eq!(current(&scene.world, sink), Some((top, form.highest.1)), "{what} came back");
        let (at, _) = *told(&scene.world, sink).last().unwrap();
        assert!(at - back <= KEY_FRAME, "{what}: {:?} until it is taken again", at - back);
        assert!(told(&scene.world, sink).iter().filter(|(at, _)| *at >= stopped).count() == 2, "{what} flaps");
        assert!(scene.world.playback(sink).freezes(scene.world.now).len() <= 1, "{what}");
        assert_watchable(&scene.world, sink, &what);
    }
}

/// Harm prevented: an encoder that drops its upper layer for want of processor time freezes those who watched it.
#[test]
fn a_spatial_layer_that_stops_is_left_without_a_gap_and_taken_again() {
    for form in forms().iter().filter(|form| !form.is_simulcast() && form.highest.0 > 0) {
        let mut scene = Scene::new(2100, form);
        let (sink, source, top) = (scene.sink, scene.source, form.highest.0);
        let stopped = scene.world.now;
        scene.world.source_mut(source).set_spatial_layers(0, top);
        scene.world.run_for(s(3));
        assert_eq!(current(&scene.world, sink), Some((top - 1, form.highest.1)), "{} stopped", form.name);
        let shown = scene.world.playback(sink).frame_rate(stopped, scene.world.now);
        assert!(shown >= 29.0, "{}: {shown} pictures a second", form.name);
        scene.world.source_mut(source).set_spatial_layers(0, top + 1);
        scene.world.run_for(s(2));
        assert_eq!(current(&scene.world, sink), Some(form.highest), "{} came back", form.name);
        assert!(told(&scene.world, sink).iter().filter(|(at, _)| *at >= stopped).count() == 2, "{} flaps", form.name);
        assert!(scene.world.playback(sink).freezes(scene.world.now).is_empty(), "{}", form.name);
        assert_watchable(&scene.world, sink, form.name);
    }
}

/// Harm prevented: a shared screen of a frame a second is taken for dead between two frames; each switch costs a key frame of
/// hundreds of kilobytes.
#[test]
fn a_slow_screen_keeps_its_layers_and_is_asked_for_nothing() {
    for (codec, fps) in [(VideoCodec::Vp8, 1), (VideoCodec::Vp8, 2), (VideoCodec::H264, 1), (VideoCodec::Av1, 5)] {
        let mut screen = Video::simulcast(codec, 2);
        screen.interval = s(1) / fps;
        for encoding in &mut screen.encodings {
            encoding.mode = "L1T1".to_owned();
        }
        let mut world = World::new(2200);
        let (alice, bob) = (world.peer(), world.peer());
        let source = world.publish(alice, &screen);
        let sink = world.consume_as(bob, source, without_bandwidth_feedback(), false).unwrap();
        world.run_for(s(5));
        assert_eq!(current(&world, sink), Some((1, 0)), "{codec:?} at {fps}");
        let settled = world.now;
        world.run_for(s(60));
        let told = told(&world, sink);
        assert!(told.iter().all(|(at, _)| *at < settled), "{codec:?} at {fps} flaps: {told:?}");
        for layer in &world.source(source).layers {
            let asked = layer.heard.key_frame_requests();
            assert!(asked.iter().all(|at| *at < settled), "{codec:?} at {fps}: asked for {} key frames", asked.len());
        }
        let shown = world.playback(sink).between(settled, world.now).len();
        assert!(shown >= 60 * fps as usize - 1, "{codec:?} at {fps}: {shown} pictures");
        assert_watchable(&world, sink, "a screen");
    }
}

/// Harm prevented: thirty viewers who open the same picture make its sender send thirty key frames, and everybody's picture
/// worse.
#[test]
fn viewers_who_want_the_same_layer_at_once_cost_one_key_frame() {
    let form = &forms()[0];
    let mut world = World::new(2300);
    let alice = world.peer();
    let source = world.publish(alice, &form.video);
    let sinks: Vec<_> = (0..10)
        .map(|_| {
            let peer = world.peer();
            world.consume_as(peer, source, without_bandwidth_feedback(), false).unwrap()
        })
        .collect();
    world.run_for(s(3));
    let wished = world.now;
    for sink in &sinks {
        prefer(&mut world, *sink, (0, 2));
        world.run_for(ms(4));
    }
    world.run_for(s(2));
    let asked = |index: usize| {
        let requests = world.source(source).layers[index].heard.key_frame_requests();
        requests.into_iter().filter(|at| *at >= wished).count()
    };
    assert_eq!([asked(0), asked(1), asked(2)], [1, 0, 0]);
    for sink in sinks {
        assert_eq!(current(&world, sink), Some((0, 2)));
        assert_watchable(&world, sink, "one of many");
    }
}
