//! A path shared out among pictures: what is given to whom, and when.

use std::time::Duration;

use sfu_core::ids::ConsumerId;
use sfu_core::router::{RouterEvent, RouterOptions, SuspendReason};
use simulation::source::video::{Video, VideoCodec};
use simulation::{Link, PeerOptions, Rate, SinkId, SourceId, World, ms, s};

use crate::layers::{assert_watchable, current, without_bandwidth_feedback};

/// Two ways over clean paths, and what is carried out together.
const AT_ONCE: Duration = ms(100);

/// A viewer of so many cameras who reports nothing of the path, and is sent so many bits per second by configuration.
struct Share {
    world: World,
    sources: Vec<SourceId>,
    sinks: Vec<SinkId>,
}

impl Share {
    fn new(seed: u64, cameras: usize, bps: u64) -> Self {
        Self::in_room(seed, RouterOptions::default(), cameras, bps)
    }

    fn in_room(seed: u64, room: RouterOptions, cameras: usize, bps: u64) -> Self {
        let mut world = World::new(seed);
        let router = world.core.create_router(room);
        let options = PeerOptions { router: Some(router), ..PeerOptions::default() };
        let viewer = world.connected_peer(options.clone());
        let (transport, now) = (world.peers[viewer].transport, world.now);
        world.core.set_max_outgoing_bps(now, transport, Some(bps)).unwrap();
        let video = Video::simulcast(VideoCodec::Vp8, 3);
        let mut sources = Vec::new();
        for _ in 0..cameras {
            let peer = world.connected_peer(options.clone());
            sources.push(world.publish(peer, &video));
        }
        // What the layers cost is known.
        world.run_for(s(3));
        let consume = |source: &SourceId| {
            world.consume_as(viewer, *source, without_bandwidth_feedback(), false).expect("a consumer")
        };
        let sinks = sources.iter().map(consume).collect();
        world.run_for(s(3));
        Self { world, sources, sinks }
    }

    fn consumer(&self, index: usize) -> ConsumerId {
        self.world.sink(self.sinks[index]).info.id
    }

    fn spatial(&self, index: usize) -> Option<u8> {
        current(&self.world, self.sinks[index]).map(|(spatial, _)| spatial)
    }

    /// Whether each is suspended for want of bandwidth, as its owner was told last.
    fn suspended(&self) -> Vec<bool> {
        let last = |index| {
            let id = self.consumer(index);
            let mut news = self.world.events.iter().rev();
            let told = news.find_map(|(_, _, event)| match event {
                RouterEvent::ConsumerSuspended { consumer_id, reason } if *consumer_id == id => {
                    assert_eq!(*reason, SuspendReason::Bandwidth);
                    Some(true)
                }
                RouterEvent::ConsumerUnsuspended { consumer_id } if *consumer_id == id => Some(false),
                _ => None,
            });
            told.unwrap_or(false)
        };
        (0..self.sinks.len()).map(last).collect()
    }

    fn received(&self) -> Vec<u64> {
        self.sinks.iter().map(|sink| self.world.sink(*sink).packet_count as u64).collect()
    }

    /// When a key frame of a layer was asked for first since `from`.
    fn asked(&self, index: usize, layer: usize, from: std::time::Instant) -> Option<Duration> {
        let requests = self.world.source(self.sources[index]).layers[layer].heard.key_frame_requests();
        requests.into_iter().find(|at| *at >= from).map(|at| at - from)
    }
}

/// Harm prevented: who closes a tile waits to see the others better, or never does.
#[test]
fn what_one_gives_up_the_others_get_at_once() {
    type Free = fn(&mut Share);
    let ways: [(&str, Free); 4] = [
        ("paused by its owner", |share| share.world.core.pause_consumer(share.world.now, share.consumer(0)).unwrap()),
        ("closed", |share| share.world.core.close_consumer(share.world.now, share.consumer(0))),
        ("its producer paused", |share| {
            let producer = share.world.source(share.sources[0]).producer;
            share.world.core.pause_producer(share.world.now, producer).unwrap();
        }),
        ("the other is more important", |share| {
            share.world.core.set_consumer_priority(share.world.now, share.consumer(1), 2).unwrap();
        }),
    ];
    for (name, free) in ways {
        // At whatever moment: the path is also shared out by itself now and then.
        for (seed, offset) in [(7000, 0), (7001, 310), (7002, 620)] {
            let mut share = Share::new(seed, 2, 1_700_000);
            share.world.run_for(ms(offset));
            assert_eq!(share.spatial(1), Some(1), "{name}: room for one of them at the largest size");
            let freed = share.world.now;
            free(&mut share);
            share.world.settle();
            share.world.run_for(s(2));
            let asked = share.asked(1, 2, freed);
            assert!(asked.is_some_and(|asked| asked <= AT_ONCE), "{name}: {asked:?}");
            assert_eq!(share.spatial(1), Some(2), "{name}");
            assert_watchable(&share.world, share.sinks[1], name);
        }
    }
}

/// Harm prevented: a viewer of the speaker alone sees a small picture, for the rest is kept free for cameras that do not come.
#[test]
fn cameras_that_the_room_does_not_forward_take_no_share() {
    let room = RouterOptions { last_n: Some(1), ..RouterOptions::default() };
    let share = Share::in_room(7010, room, 3, 1_700_000);
    assert_eq!([0, 1, 2].map(|index| current(&share.world, share.sinks[index])), [Some((2, 2)), None, None]);
}

/// Harm prevented: a picture that is said to be paused fills a path that has no room for it.
#[test]
fn what_does_not_fit_is_said_to_be_paused_and_is() {
    let mut share = Share::new(7020, 3, 160_000);
    assert_eq!(share.suspended(), [false, false, true], "room for two, the older ones");
    let before = share.received();
    share.world.run_for(s(5));
    let after = share.received();
    let flows: Vec<bool> = before.iter().zip(&after).map(|(before, after)| after > before).collect();
    assert_eq!(flows, [true, true, false]);
    // Who matters more is seen in the place of another, who is told.
    let now = share.world.now;
    share.world.core.set_consumer_priority(now, share.consumer(2), 200).unwrap();
    share.world.settle();
    share.world.run_for(s(5));
    assert_eq!(share.suspended(), [false, true, false]);
    let before = share.received();
    share.world.run_for(s(5));
    assert_eq!(share.received()[1], before[1], "paused");
    assert!(share.received()[2] > before[2]);
}

/// Harm prevented: a client that sets no priority, and says so with 0, is seen last by everybody.
#[test]
fn priority_0_is_the_default() {
    let mut share = Share::new(7030, 3, 160_000);
    let now = share.world.now;
    share.world.core.set_consumer_priority(now, share.consumer(0), 0).unwrap();
    share.world.run_for(s(3));
    assert_eq!(share.suspended(), [false, false, true]);
}

/// Harm prevented: shared text is a blur that moves smoothly; or a face is sharp and jerks.
#[test]
fn on_a_path_that_carries_only_part_a_screen_stays_sharp_and_a_camera_fluent() {
    // What may be sent of one of them, by configuration, and what a path carries for both.
    let forms = [
        ("VP8 simulcast", Video::simulcast(VideoCodec::Vp8, 3), 850_000, 1_450_000),
        ("VP9 L3T3", Video::svc(VideoCodec::Vp9, "L3T3"), 1_200_000, 2_100_000),
        ("AV1 L3T3_KEY", Video::svc(VideoCodec::Av1, "L3T3_KEY"), 1_200_000, 2_100_000),
    ];
    for (name, video, one_bps, both_bps) in forms {
        let mut world = World::new(7040);
        let alice = world.peer();
        let (camera, screen) = (world.publish(alice, &video), world.publish_screen(alice, &video));
        world.run_for(s(3));
        let alone = [camera, screen].map(|source| {
            let viewer = world.peer();
            let (transport, now) = (world.peers[viewer].transport, world.now);
            world.core.set_max_outgoing_bps(now, transport, Some(one_bps)).unwrap();
            world.consume_as(viewer, source, without_bandwidth_feedback(), false).unwrap()
        });
        let down = Link { rate: Some(Rate::new(both_bps, 200)), ..Link::CLEAN };
        let viewer = world.connected_peer(PeerOptions { down, ..PeerOptions::default() });
        let together = [camera, screen].map(|source| world.consume(viewer, source));
        world.run_for(s(12));
        let sizes: Vec<_> = video.encodings.iter().flat_map(|encoding| encoding.sizes.clone()).collect();
        for (what, sinks) in [("alone", alone), ("together", together)] {
            let [camera, screen] = sinks.map(|sink| world.verdict_since(sink, world.now - s(4)));
            assert_eq!(screen.size, Some(sizes[2]), "{name}, {what}: a screen is sharp");
            assert!((5.0..=16.0).contains(&screen.frame_rate), "{name}, {what}: it jerks: {}", screen.frame_rate);
            assert_eq!(camera.size, Some(sizes[1]), "{name}, {what}: a camera is smaller");
            assert!(camera.frame_rate >= 28.0, "{name}, {what}: it is fluent: {}", camera.frame_rate);
            for sink in sinks {
                assert_watchable(&world, sink, name);
            }
        }
    }
}
