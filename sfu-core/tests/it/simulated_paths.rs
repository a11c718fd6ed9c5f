//! The simulation's own paths and peers, with the core between them.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use simulation::source::video::{Audio, Video, VideoCodec};
use simulation::vectors::capabilities;
use simulation::{BandwidthFeedback, Depth, Direction, Kind, Link, PeerOptions, Rate, World, ms, s};

#[test]
fn whatever_chromium_publishes_is_decoded_by_who_consumes_it() {
    let mut videos: Vec<Video> = VideoCodec::ALL.map(Video::single).into_iter().collect();
    videos.extend(VideoCodec::ALL.map(|codec| Video::simulcast(codec, 3)));
    videos.extend(VideoCodec::ALL.map(Video::screen));
    for mode in ["L1T3", "L3T3", "L3T3_KEY"] {
        videos.extend([VideoCodec::Vp9, VideoCodec::Av1].map(|codec| Video::svc(codec, mode)));
    }
    let mut world = World::new(200);
    let alice = world.peer();
    for video in videos {
        let bob = world.peer();
        let source = world.publish(alice, &video);
        world.run_for(ms(300));
        let sink = world.consume(bob, source);
        world.run_for(s(4));
        world.assert_decodable(sink);
        let verdict = world.verdict_since(sink, world.now - s(2));
        let expected = 1.0 / video.interval.as_secs_f64();
        assert!((verdict.frame_rate - expected).abs() < 1.5, "{video:?}: {}", verdict.frame_rate);
        assert_eq!(verdict.size, video.encodings.last().unwrap().sizes.last().copied(), "{video:?}");
        assert_eq!(verdict.freezes, 0, "{video:?}");
        assert!(verdict.delay_p95 < ms(60), "{video:?}: {:?}", verdict.delay_p95);
        world.source_mut(source).stop();
    }
}

#[test]
fn a_link_carries_what_its_schedule_says() {
    let mut world = World::new(201);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.publish(alice, &Video::single(VideoCodec::Vp8));
    // Nothing adapts to the path: it is the path that is tested.
    let sink = world.consume_as(bob, source, capabilities("no-bwe"), false).unwrap();
    world.sink_mut(sink).sends_nack = false;
    let steps = [(s(0), 3_000_000), (s(5), 500_000), (s(10), 3_000_000)];
    world.set_capacity(bob, Direction::Down, Depth::Time(ms(300)), &steps);
    let start = world.now;
    world.run_for(s(15));
    let stats = world.network.stats(bob, Direction::Down);
    let at = |from: u64, to: u64| (start + s(from), start + s(to));
    let (from, to) = at(1, 5);
    assert!(stats.delivered_bps(from, to) > 1_000_000.0);
    assert!(stats.wait_percentile(0.95, from, to) < ms(60), "{:?}", stats.wait_percentile(0.95, from, to));
    assert_eq!(stats.overflows(from, to), 0);
    let (from, to) = at(6, 10);
    let thin = stats.delivered_bps(from, to);
    assert!((450_000.0..=505_000.0).contains(&thin), "{thin}");
    assert!((ms(250)..ms(350)).contains(&stats.wait_percentile(0.95, from, to)));
    assert!(stats.overflows(from, to) > 100);
    let (from, to) = at(11, 15);
    assert_eq!(stats.overflows(from, to), 0);
    assert_eq!(stats.offered.packets, {
        stats.delivered.packets + stats.lost_in_queue.packets + stats.lost_otherwise.packets
    });
}

#[test]
fn two_peers_behind_one_thin_place_share_it() {
    let mut world = World::new(202);
    let alice = world.peer();
    let source = world.publish(alice, &Video::single(VideoCodec::Vp8));
    let peers = [world.peer(), world.peer()];
    for peer in peers {
        world.consume_as(peer, source, capabilities("no-bwe"), false).unwrap();
    }
    let links = peers.map(|peer| (peer, Direction::Down));
    let shared = world.network.share(Rate::new(1_500_000, 200), &links);
    let start = world.now;
    world.network.schedule_shared(shared, &[(start + s(10), 6_000_000)]);
    world.run_for(s(20));
    let carried = |from: u64, to: u64| {
        peers.map(|peer| world.network.stats(peer, Direction::Down).delivered_bps(start + s(from), start + s(to)))
    };
    let [one, two] = carried(2, 10);
    assert!((1_300_000.0..1_510_000.0).contains(&(one + two)), "{one} and {two}");
    assert!(one > 300_000.0 && two > 300_000.0);
    let [one, two] = carried(12, 20);
    assert!(one > 1_100_000.0 && two > 1_100_000.0, "{one} and {two}");
}

#[test]
fn jitter_delays_and_reorders_only_where_it_is_said_to() {
    for reorders in [false, true] {
        let link = Link { jitter: ms(30), jitter_reorders: reorders, ..Link::CLEAN };
        let mut world = World::new(203);
        let (alice, bob) = (world.peer(), world.connected_peer(PeerOptions { down: link, ..PeerOptions::default() }));
        let source = world.publish(alice, &Video::single(VideoCodec::Vp8));
        let sink = world.consume(bob, source);
        world.run_for(s(5));
        world.assert_decodable(sink);
        let repaired = world.sink(sink).packets.values().filter(|got| got.is_repair).count();
        assert_eq!(repaired > 20, reorders, "{repaired}");
    }
}

#[test]
fn an_outage_is_a_freeze_and_nothing_else() {
    let mut world = World::new(204);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.publish(alice, &Video::single(VideoCodec::Vp8));
    let sink = world.consume(bob, source);
    world.run_for(s(3));
    let cut = world.now;
    world.cut_off(bob, ms(600));
    world.run_for(s(5));
    world.assert_decodable(sink);
    let verdict = world.verdict_since(sink, cut);
    assert_eq!((verdict.freezes, verdict.undecodable), (1, 0));
    assert!((ms(600)..ms(900)).contains(&verdict.frozen), "{:?}", verdict.frozen);
}

/// Harm prevented: the estimator is tested with feedback that no browser sends.
#[test]
fn receivers_report_their_path_as_often_as_libwebrtc_does() {
    for (bandwidth, expected) in [
        (BandwidthFeedback::TransportWide, 190..=215),
        (BandwidthFeedback::Remb, 9..=25),
        (BandwidthFeedback::Nothing, 0..=0),
    ] {
        let mut world = World::new(205);
        let (alice, bob) = (world.peer(), world.connected_peer(PeerOptions { bandwidth, ..PeerOptions::default() }));
        let source = world.publish(alice, &Video::single(VideoCodec::Vp8));
        let sink = world.consume(bob, source);
        world.run_for(s(2));
        let count = Rc::new(Cell::new(0));
        let counted = Rc::clone(&count);
        world.network.drop_if(move |datagram| {
            if (datagram.peer, datagram.direction, datagram.kind()) == (bob, Direction::Up, Kind::Rtcp) {
                counted.set(counted.get() + 1);
            }
            false
        });
        let refused = world.core.stats().packets_refused;
        world.run_for(s(10));
        // The receiver report of each second is one datagram of its own.
        let messages = count.get() - 10;
        assert!(expected.contains(&messages), "{bandwidth:?}: {messages}");
        assert_eq!(world.core.stats().packets_refused, refused);
        world.assert_decodable(sink);
    }
}

#[test]
fn a_publisher_learns_its_round_trip() {
    let mut world = World::new(206);
    let up = Link { latency: ms(70), ..Link::CLEAN };
    let alice = world.connected_peer(PeerOptions { up, ..PeerOptions::default() });
    world.publish_audio(alice, Audio::default());
    world.run_for(s(5));
    let rtt = world.peers[alice].rtt.expect("a report");
    assert!(rtt.abs_diff(ms(90)) < ms(2), "{rtt:?}");
}

#[test]
fn silence_is_sent_seldom_and_told_by_its_level() {
    let mut world = World::new(207);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.publish_audio(alice, Audio { uses_dtx: true, ..Audio::default() });
    let sink = world.consume(bob, source);
    world.run_for(s(4));
    let speaking = world.sink(sink).packet_count;
    world.source_mut(source).audio.level = 127;
    world.run_for(s(4));
    let silent = world.sink(sink).packet_count - speaking;
    assert!((190..=201).contains(&speaking) && (9..=12).contains(&silent), "{speaking}, {silent}");
    world.assert_complete(sink, source);
}

/// Harm prevented: a test of an hour takes one, and the memory of the machine.
#[test]
fn long_calls_keep_little() {
    let mut world = World::new(208);
    world.forget_packets();
    let (alice, bob) = (world.peer(), world.peer());
    let video = Video { interval: Duration::from_millis(100), ..Video::single(VideoCodec::Vp8) };
    let source = world.publish(alice, &video);
    world.source_mut(source).layers[0].bitrates = vec![80_000];
    let sink = world.consume(bob, source);
    world.run_for(s(20 * 60));
    assert!(world.layer(source).sent.len() < 10_000);
    assert!(world.sink(sink).packets.len() < 5_000);
    let verdict = world.verdict_since(sink, world.now - s(1000));
    assert!((verdict.decoded as i64 - 10_000).abs() < 5, "{}", verdict.decoded);
    world.assert_decodable(sink);
}
