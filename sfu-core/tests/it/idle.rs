//! What transports cost that nothing happens on.

use std::time::Duration;

use simulation::source::video::{Audio, Video, VideoCodec};
use simulation::{Input, PeerOptions, World, s};

/// How often the core is woken by its own timers in this time.
fn wake_ups(world: &mut World, time: Duration) -> usize {
    let end = world.now + time;
    let mut wake_ups = 0;
    while let Some(mut input) = world.next_input(end) {
        wake_ups += usize::from(matches!(input, Input::Timeout));
        input.give(world.now, &mut world.core);
        world.settle();
    }
    wake_ups
}

/// What a transport with nothing to carry may wake its worker for, each minute: its peer's consent, which is looked at when it
/// would have run out (30 s).
const IDLE_MAX: usize = 3;

/// The same of one with a camera and a voice that are silent, either way: their reports, about one a second for video and one in
/// five seconds for audio.
const SILENT_MAX: usize = 200;

/// The same while they are sent: feedback to the publisher, twenty times a second, sharing out the path to a subscriber, and reports.
const BUSY_MAX: usize = 700;

/// Harm prevented: a server full of people who only listen spends its time on waking up.
#[test]
fn a_transport_without_media_wakes_nobody_but_for_consent() {
    let mut world = World::new(300);
    for _ in 0..10 {
        world.add_peer(PeerOptions::default());
    }
    world.run_for(s(40));
    let wake_ups = wake_ups(&mut world, s(120));
    assert!(wake_ups <= 10 * 2 * IDLE_MAX, "{wake_ups} for 10 transports in two minutes");
}

/// Harm prevented: what is due once and never done wakes the worker a thousand times a second, for as long as somebody is there.
#[test]
fn a_transport_is_woken_for_what_there_is_to_do_and_no_oftener() {
    let mut world = World::new(301);
    let alice = world.peer();
    let camera = world.publish(alice, &Video::simulcast(VideoCodec::Vp8, 3));
    let voice = world.publish_audio(alice, Audio::default());
    for _ in 0..5 {
        let peer = world.peer();
        world.consume(peer, camera);
        world.consume(peer, voice);
    }
    world.run_for(s(10));
    let busy = wake_ups(&mut world, s(20));
    assert!(busy <= 6 * BUSY_MAX / 3, "{busy} for 6 transports in 20 seconds");

    world.source_mut(camera).stop();
    world.source_mut(voice).stop();
    for source in [camera, voice] {
        let (now, id) = (world.now, world.source(source).producer);
        world.core.pause_producer(now, id).expect("it is open");
    }
    world.settle();
    world.run_for(s(20));
    let silent = wake_ups(&mut world, s(60));
    assert!(silent <= 6 * SILENT_MAX, "{silent} for 6 transports in a minute");
}
