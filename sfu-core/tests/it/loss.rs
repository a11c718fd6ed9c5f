//! Calls over paths that lose, reorder and repeat.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use simulation::source::video::{Video, VideoCodec};
use simulation::vectors::{capabilities, producer, without_rtx};
use simulation::{Depth, Direction, Kind, Link, Loss, PeerOptions, Rate, SourceId, World, ms, s};

fn sequence(datagram: &[u8]) -> u16 {
    u16::from_be_bytes([datagram[2], datagram[3]])
}

fn ssrc(datagram: &[u8]) -> u32 {
    u32::from_be_bytes(datagram[8..12].try_into().unwrap())
}

/// A publisher and a subscriber behind these links, both directions of each alike.
fn call_over(seed: u64, link: Link, case: &str) -> (World, SourceId, simulation::SinkId) {
    let mut world = World::new(seed);
    let alice = world.connected_peer(PeerOptions { up: link, down: link, ..PeerOptions::default() });
    let bob = world.connected_peer(PeerOptions { up: link, down: link, ..PeerOptions::default() });
    let source = world.produce(alice, case);
    world.run_for(ms(300));
    let sink = world.consume(bob, source);
    (world, source, sink)
}

/// Harm prevented: a Wi-Fi link that loses one packet in twenty shows frozen pictures.
#[test]
fn every_packet_arrives_though_each_link_loses_one_in_twenty() {
    for (seed, case) in [(1, "vp8"), (2, "vp8"), (3, "h264-cb"), (4, "opus")] {
        let (mut world, source, sink) = call_over(seed, Link::lossy(0.05), case);
        world.run_for(s(30));
        world.assert_complete_before(sink, source, world.now - s(3));
        assert!(world.sink(sink).given_up.is_empty(), "seed {seed}: {:?}", world.sink(sink).given_up);
        assert!(world.sink(sink).nacks_sent > 0 && !world.layer(source).heard.nacked.is_empty(), "nothing was lost");
    }
}

#[test]
fn every_packet_arrives_though_losses_come_in_bursts() {
    let loss = Loss::GilbertElliott { to_bad: 0.01, to_good: 0.2, in_good: 0.001, in_bad: 0.7 };
    for seed in 10..14 {
        let (mut world, source, sink) = call_over(seed, Link { loss, ..Link::CLEAN }, "vp8");
        world.run_for(s(30));
        world.assert_complete_before(sink, source, world.now - s(3));
        assert!(world.sink(sink).nacks_sent > 0, "nothing was lost");
    }
}

/// Harm prevented: a publisher whose uplink is lossy already would repeat a packet once for each of its viewers.
#[test]
fn a_packet_that_ten_subscribers_miss_is_asked_for_once_and_reaches_each() {
    let mut world = World::new(20);
    let alice = world.peer();
    let source = world.produce(alice, "vp8");
    let subscribers: Vec<_> = (0..10).map(|_| world.peer()).collect();
    let sinks: Vec<_> = subscribers.iter().map(|peer| world.consume(*peer, source)).collect();
    world.run_for(s(2));
    let dropped = Rc::new(RefCell::new(Vec::new()));
    let (noted, mut count) = (Rc::clone(&dropped), 0);
    let media = world.layer(source).ssrc;
    world.network.drop_if(move |datagram| {
        if datagram.direction != Direction::Up || datagram.kind() != Kind::Rtp || ssrc(&datagram.bytes) != media {
            return false;
        }
        count += 1;
        let lost = count % 50 == 0;
        if lost {
            noted.borrow_mut().push(sequence(&datagram.bytes));
        }
        lost
    });
    world.run_for(s(10));
    world.network.clear_rules();
    world.run_for(s(1));
    let mut asked: Vec<u16> = world.layer(source).heard.nacked.iter().map(|(_, sequence)| *sequence).collect();
    let mut dropped = dropped.borrow().clone();
    asked.sort_unstable();
    dropped.sort_unstable();
    assert!(dropped.len() > 5);
    assert_eq!(asked, dropped, "each lost packet is asked for once");
    for sink in sinks {
        world.assert_complete(sink, source);
    }
}

/// Harm prevented: one viewer's bad link costs the publisher bandwidth.
#[test]
fn what_a_subscriber_loses_is_answered_without_its_publisher() {
    let mut world = World::new(21);
    let alice = world.peer();
    let bob = world.peer();
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(1));
    *world.network.link(bob, Direction::Down) = Link::lossy(0.1);
    world.run_for(s(20));
    world.assert_complete_before(sink, source, world.now - s(3));
    assert!(world.sink(sink).nacks_sent > 20);
    assert!(world.layer(source).heard.nacked.is_empty());
    let repairs = world.stream(sink, source).iter().filter(|pair| pair.got.is_repair).count();
    assert!(repairs > 20, "{repairs}");
}

/// Harm prevented: without RTX a repeat goes out under its old number, and anything new in it would break the encryption of
/// both (the network checks each number).
#[test]
fn without_rtx_a_lost_packet_is_repeated_byte_for_byte() {
    let mut world = World::new(22);
    let alice = world.connected_peer(PeerOptions { up: Link::lossy(0.05), ..PeerOptions::default() });
    let bob = world.connected_peer(PeerOptions { down: Link::lossy(0.05), ..PeerOptions::default() });
    let (kind, parameters) = producer("vp8");
    let source = world.produce_with(alice, kind, without_rtx(parameters)).unwrap();
    world.start(source);
    let sink = world.consume_as(bob, source, capabilities("no-rtx"), false).unwrap();
    assert_eq!(world.sink(sink).rtx_ssrc, None);
    world.run_for(s(20));
    world.assert_complete_before(sink, source, world.now - s(3));
    assert!(world.network.repeated > 20, "{}", world.network.repeated);
}

/// Harm prevented: a path that reorders is taken for one that loses, and everything is sent twice.
#[test]
fn reordering_loses_nothing_and_asks_for_little() {
    let link = Link { reordering: 0.1, jitter: ms(3), ..Link::CLEAN };
    let (mut world, source, sink) = call_over(23, link, "vp8");
    world.run_for(s(20));
    world.assert_complete(sink, source);
    let sent = world.layer(source).sent.len();
    let asked = world.layer(source).heard.nacked.len();
    assert!(asked * 20 < sent, "{asked} of {sent} packets were asked for though none was lost");
}

#[test]
fn a_packet_that_comes_twice_is_forwarded_once() {
    let link = Link { duplication: 0.2, ..Link::CLEAN };
    let mut world = World::new(24);
    let alice = world.connected_peer(PeerOptions { up: link, ..PeerOptions::default() });
    let bob = world.peer();
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(10));
    world.assert_complete(sink, source);
    assert_eq!((world.sink(sink).duplicates, world.network.repeated), (0, 0));
}

/// Harm prevented: after a tunnel the picture stays frozen.
#[test]
fn a_call_goes_on_after_the_path_was_down() {
    for (seed, outage) in [(25, ms(400)), (26, s(4)), (27, s(20))] {
        let mut world = World::new(seed);
        let (alice, bob) = (world.peer(), world.peer());
        let source = world.produce(alice, "vp8");
        let sink = world.consume(bob, source);
        world.run_for(s(3));
        for direction in [Direction::Up, Direction::Down] {
            world.network.link(alice, direction).is_partitioned = true;
        }
        world.run_for(outage);
        for direction in [Direction::Up, Direction::Down] {
            world.network.link(alice, direction).is_partitioned = false;
        }
        let back = world.now;
        world.run_for(s(5));
        let fresh = world.pairs(sink, source).iter().filter(|pair| pair.published.at > back + ms(100)).count();
        let published = world.layer(source).sent.iter().filter(|packet| packet.at > back + ms(100)).count();
        assert!(fresh + 20 > published, "seed {seed}: {fresh} of {published} after the outage");
        if outage > s(3) {
            let key = world.pairs(sink, source).iter().any(|p| p.published.at > back && p.published.starts_key_frame);
            assert!(key, "seed {seed}: what was lost cannot be repaired, and nobody asked for a key frame");
        }
    }
}

/// Harm prevented: a key frame overflows the queue of a home uplink, and the picture is broken until somebody asks again.
#[test]
fn what_a_short_queue_drops_of_a_burst_is_repaired() {
    let link = Link { rate: Some(Rate { bits_per_second: 900_000, depth: Depth::Bytes(6_000) }), ..Link::CLEAN };
    let mut world = World::new(28);
    let alice = world.connected_peer(PeerOptions { up: link, ..PeerOptions::default() });
    let bob = world.peer();
    let source = world.produce(alice, "vp8");
    let layer = &mut world.source_mut(source).layers[0];
    (layer.packets, layer.bytes) = (3, 900);
    let sink = world.consume(bob, source);
    for _ in 0..10 {
        world.run_for(s(2));
        world.peers[bob].send_pli(sink.index);
        world.settle();
    }
    world.run_for(s(2));
    world.assert_complete_before(sink, source, world.now - s(1));
    let asked = world.layer(source).heard.nacked.len();
    assert!(asked >= 10, "the queue never overflowed: {asked}");
}

/// A camera with a key frame a second, two viewers, and these packets of the camera lost on the way up.
fn key_frames_without(lost: &BTreeSet<u64>) -> (World, SourceId, Vec<simulation::SinkId>) {
    let mut world = World::new(29);
    let thin = Link::thin(4_000_000, 500);
    let alice = world.connected_peer(PeerOptions { up: thin, ..PeerOptions::default() });
    let source = world.publish(alice, &Video::single(VideoCodec::Vp8));
    let viewers = [world.peer(), world.peer()];
    let sinks = viewers.iter().map(|peer| world.consume(*peer, source)).collect();
    let media = world.layer(source).ssrc;
    let lost: BTreeSet<u16> = lost.iter().map(|number| *number as u16).collect();
    world.network.drop_if(move |datagram| {
        datagram.direction == Direction::Up
            && datagram.kind() == Kind::Rtp
            && ssrc(&datagram.bytes) == media
            && lost.contains(&sequence(&datagram.bytes))
    });
    for _ in 0..12 {
        world.run_for(s(1));
        let now = world.now;
        world.source_mut(source).layers[0].want_key_frame(now);
    }
    world.run_for(s(1));
    (world, source, sinks)
}

/// Harm prevented: viewers have the packets before a hole; if nobody fills it they ask in vain, those that play in order stand
/// still, and their reports blame their own path.
#[test]
fn what_is_lost_just_before_a_key_frame_reaches_each_viewer() {
    let (world, source, sinks) = key_frames_without(&BTreeSet::new());
    let sent = &world.layer(source).sent;
    let starts: Vec<u64> = sent.iter().filter(|packet| packet.starts_key_frame).map(|packet| packet.extended).collect();
    let freezes: Vec<usize> = sinks.iter().map(|sink| world.playback(*sink).freezes(world.now).len()).collect();
    for count in [1, 2, 4] {
        let lost: BTreeSet<u64> = starts[3..].iter().flat_map(|start| start - count..*start).collect();
        let (world, source, sinks) = key_frames_without(&lost);
        let heard = &world.layer(source).heard;
        let asked: BTreeSet<u64> = heard.nacked.iter().map(|(_, number)| (1 << 16) | u64::from(*number)).collect();
        assert_eq!(asked, lost, "what is lost is asked for, and nothing else");
        assert!(heard.nacked.len() <= 2 * lost.len(), "{} requests for {} packets", heard.nacked.len(), lost.len());
        for (sink, freezes) in sinks.iter().zip(&freezes) {
            world.assert_complete(*sink, source);
            assert_eq!((world.sink(*sink).holes(), world.sink(*sink).plis_sent), (Vec::new(), 0));
            assert_eq!(world.playback(*sink).freezes(world.now).len(), *freezes);
        }
    }
}
