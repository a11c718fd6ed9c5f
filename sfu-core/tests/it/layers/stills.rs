//! Pictures after which nothing moves.

use std::collections::BTreeMap;
use std::time::Duration;

use sfu_core::consumer::MAX_HOLD;
use simulation::source::video::{Video, VideoCodec};
use simulation::{Direction, Kind, Link, SinkId, SourceId, World, ms, s};

use super::{assert_watchable, current, without_bandwidth_feedback};

/// Both ways of the path, and what timers are off by.
const PATH: Duration = ms(45);

/// A shared screen of three spatial layers, each picture's layers one packet each.
fn screen(codec: VideoCodec, mode: &str) -> Video {
    let mut video = Video { interval: ms(200), variation: 0.0, left_out: 0.0, ..Video::svc(codec, mode) };
    video.encodings[0].bitrates = vec![20_000; 3];
    video
}

fn watched(seed: u64, video: &Video) -> (World, SourceId, SinkId) {
    let mut world = World::new(seed);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.publish_screen(alice, video);
    let sink = world.consume_as(bob, source, without_bandwidth_feedback(), false).unwrap();
    world.run_for(s(3));
    assert_eq!(current(&world, sink).map(|(spatial, _)| spatial), Some(2));
    (world, source, sink)
}

/// Lets the source send one picture more, and then stop.
fn stop_after_a_picture(world: &mut World, source: SourceId) {
    let sent = world.layer(source).sent.len();
    world.run_until("a picture", s(1), |world| world.layer(source).sent.len() > sent);
    world.source_mut(source).stop();
}

const MODES: [(VideoCodec, &str); 4] = [
    (VideoCodec::Vp9, "L3T3"),
    (VideoCodec::Vp9, "L3T3_KEY"),
    (VideoCodec::Av1, "L3T3"),
    (VideoCodec::Av1, "L3T3_KEY"),
];

/// Harm prevented: somebody shows a page, and the viewers look at the one before for as long as nothing moves.
#[test]
fn the_last_picture_of_a_still_screen_is_shown_though_a_layer_is_absent() {
    for (seed, (codec, mode)) in (700..).zip(MODES) {
        let what = format!("{codec:?} {mode}");
        let (mut world, source, sink) = watched(seed, &screen(codec, mode));
        world.source_mut(source).left_out = 1.0;
        stop_after_a_picture(&mut world, source);
        let (stopped, shown) = (world.now, world.playback(sink).shown.len());
        world.run_for(s(1));
        let last = world.playback(sink).shown.last().unwrap();
        assert!(last.at > stopped && last.at <= stopped + PATH + MAX_HOLD, "{what}: {:?}", last.at - stopped);
        assert_eq!((world.playback(sink).shown.len(), last.layers.spatial), (shown + 1, 1), "{what}");
        // Nothing was missing: the next picture goes on with all layers, without a key frame.
        let keys = world.layer(source).key_frames;
        world.source_mut(source).left_out = 0.0;
        world.start(source);
        world.run_for(s(2));
        assert_eq!(world.layer(source).key_frames, keys, "{what}");
        assert_eq!(world.playback(sink).shown.last().unwrap().layers.spatial, 2, "{what}");
        assert_watchable(&world, sink, &what);
    }
}

/// The same when the layer was sent and lost. What repairs it comes too late, and nothing that needs it may be sent.
#[test]
fn the_last_picture_of_a_still_screen_is_shown_though_a_layer_is_lost() {
    for (seed, (codec, mode)) in (710..).zip(MODES) {
        for kept in [1, 2] {
            let what = format!("{codec:?} {mode}, {kept} layers kept");
            let (mut world, source, sink) = watched(seed, &screen(codec, mode));
            let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
            let media = world.layer(source).ssrc;
            world.network.drop_if(move |datagram| {
                let bytes = &datagram.bytes;
                if datagram.direction != Direction::Up
                    || datagram.kind() != Kind::Rtp
                    || bytes[8..12] != media.to_be_bytes()
                {
                    return false;
                }
                let count = seen.entry(u32::from_be_bytes(bytes[4..8].try_into().unwrap())).or_default();
                *count += 1;
                *count > kept
            });
            stop_after_a_picture(&mut world, source);
            let stopped = world.now;
            world.network.clear_rules();
            world.run_for(s(1));
            let last = world.playback(sink).shown.last().unwrap();
            assert!(last.at > stopped && last.at <= stopped + PATH + MAX_HOLD, "{what}: {:?}", stopped - last.at);
            assert_eq!(usize::from(last.layers.spatial), kept - 1, "{what}");
            world.start(source);
            world.run_for(s(3));
            assert_eq!(world.playback(sink).shown.last().unwrap().layers.spatial, 2, "{what}");
            assert_watchable(&world, sink, &what);
        }
    }
}

/// Harm prevented: on a path that halts now and then the rest of a picture comes behind its end, and viewers get what they
/// cannot decode.
#[test]
fn layers_that_come_behind_their_pictures_end_do_no_harm() {
    for (seed, (codec, mode)) in (720..).zip(MODES.into_iter().cycle().take(8)) {
        let what = format!("{codec:?} {mode}, seed {seed}");
        let (mut world, source, sink) = watched(seed, &screen(codec, mode));
        *world.network.link(source.peer, Direction::Up) =
            Link { reordering: 0.1, reordering_delay: MAX_HOLD + ms(40), ..Link::CLEAN };
        world.run_for(s(30));
        assert_watchable(&world, sink, &what);
        *world.network.link(source.peer, Direction::Up) = Link::CLEAN;
        world.run_for(s(3));
        assert_watchable(&world, sink, &what);
        assert_eq!(world.playback(sink).shown.last().unwrap().layers.spatial, 2, "{what}");
    }
}
