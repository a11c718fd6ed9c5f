//! Publishers with several encodings.

use std::time::{Duration, Instant};

use crate::allocations::count;
use simulation::vectors::producer;
use simulation::{Direction, Kind, Link, PeerOptions, SinkId, SourceId, World, ms, s};

fn room(seed: u64, case: &str) -> (World, SourceId, SinkId) {
    let mut world = World::new(seed);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, case);
    world.run_for(ms(500));
    let sink = world.consume(bob, source);
    (world, source, sink)
}

/// The layers of what was received in a time, each once, in order of reception.
fn layers(world: &World, sink: SinkId, source: SourceId, from: Instant, to: Instant) -> Vec<usize> {
    let pairs = world.pairs(sink, source);
    let mut layers: Vec<_> =
        pairs.iter().filter(|pair| (from..to).contains(&pair.got.at)).map(|pair| pair.layer).collect();
    layers.dedup();
    layers
}

/// One picture after the other: numbers without a hole, each change of layer on a key frame, and timestamps that run as
/// the capture did.
fn assert_watchable(world: &World, sink: SinkId, source: SourceId, tolerance: Duration) {
    assert!(world.sink(sink).holes().is_empty());
    let pairs = world.pairs(sink, source);
    for two in pairs.windows(2) {
        let [a, b] = two else { unreachable!() };
        assert!(a.layer == b.layer || b.published.starts_key_frame, "layer {} begins in the middle", b.layer);
        let ticks = i64::from(b.got.timestamp.wrapping_sub(a.got.timestamp) as i32);
        let captured = if b.published.at >= a.published.at {
            (b.published.at - a.published.at).as_millis() as i64
        } else {
            -((a.published.at - b.published.at).as_millis() as i64)
        };
        let off = (ticks / 90 - captured).unsigned_abs();
        assert!(off <= tolerance.as_millis() as u64, "{} ms between frames {captured} ms apart", ticks / 90);
        assert!(a.layer == b.layer || ticks > 0, "two frames with one timestamp");
    }
}

/// Harm prevented: everybody sees a thumbnail though the publisher sends more, or nothing as its SSRCs are not signalled.
#[test]
fn the_best_encoding_is_forwarded_its_source_being_learnt_by_mid_and_rid() {
    for case in ["vp8-simulcast3", "vp8-simulcast2", "h264-simulcast3"] {
        let (mut world, source, sink) = room(90, case);
        // By then it is known that the path carries it.
        world.run_for(s(2));
        let from = world.now;
        world.run_for(s(4));
        let top = world.source(source).layers.len() - 1;
        assert_eq!(layers(&world, sink, source, from, world.now), [top], "{case}");
        let pairs = world.pairs(sink, source);
        assert!(pairs[0].published.starts_key_frame);
        assert!(pairs.len() > 100 * (top + 2), "{case}: {}", pairs.len());
        assert_watchable(&world, sink, source, ms(40));
    }
}

/// Harm prevented: a publisher whose processor or uplink gives up the top layer freezes on every screen.
#[test]
fn a_dead_layer_is_left_within_a_second_and_taken_again_when_it_lives() {
    let (mut world, source, sink) = room(91, "vp8-simulcast3");
    world.run_for(s(3));
    let died = world.now;
    world.source_mut(source).layers[2].is_active = false;
    world.run_for(s(4));
    let pairs = world.pairs(sink, source);
    let first = pairs.iter().find(|pair| pair.layer == 1).expect("the second layer never came").got.at - died;
    assert!(first < s(1), "{first:?}");
    assert_eq!(layers(&world, sink, source, died + s(1), world.now), [1]);
    let lives = world.now;
    world.source_mut(source).layers[2].is_active = true;
    world.run_for(s(4));
    assert_eq!(layers(&world, sink, source, lives + ms(100), world.now), [1, 2]);
    assert_watchable(&world, sink, source, ms(40));
}

#[test]
fn the_lowest_layer_alone_is_enough() {
    let (mut world, source, sink) = room(92, "vp8-simulcast3");
    world.run_for(s(2));
    let died = world.now;
    for layer in &mut world.source_mut(source).layers[1..] {
        layer.is_active = false;
    }
    world.run_for(s(4));
    assert_eq!(layers(&world, sink, source, died + s(1), world.now), [0]);
    assert_watchable(&world, sink, source, ms(40));
}

/// Harm prevented: with RIDs the retransmissions of three layers come under three unknown SSRCs.
#[test]
fn what_is_lost_of_a_layer_is_repaired_by_a_stream_known_by_its_repaired_rid() {
    let mut world = World::new(93);
    let alice = world.connected_peer(PeerOptions { up: Link::lossy(0.03), ..PeerOptions::default() });
    let bob = world.peer();
    let source = world.produce(alice, "vp8-simulcast3");
    world.run_for(s(1));
    let sink = world.consume(bob, source);
    world.run_for(s(20));
    let end = world.now - s(2);
    let mut pairs = world.pairs(sink, source);
    pairs.retain(|pair| pair.layer == 2);
    let (first, top) = (pairs[0].published.extended, &world.source(source).layers[2]);
    let got: std::collections::HashSet<u64> = pairs.iter().map(|pair| pair.published.extended).collect();
    let missing: Vec<_> = top
        .sent
        .iter()
        .filter(|packet| packet.extended >= first && packet.at < end && !got.contains(&packet.extended))
        .map(|packet| packet.extended)
        .collect();
    assert!(missing.is_empty(), "{missing:?} of {}", top.sent.len());
    assert!(top.heard.nacked.len() > 10);
}

/// Harm prevented: any SSRC that a peer makes up costs memory for ever, or ends in somebody's stream.
#[test]
fn streams_that_belong_to_no_producer_are_dropped() {
    let (mut world, source, sink) = room(94, "vp8");
    world.run_for(s(1));
    let alice = source.peer;
    let refused = world.core.stats().packets_refused;
    let now = world.now;
    let mut live_bytes = 0;
    for ssrc in 0..500 {
        let layer = &world.peers[alice].sources[0].layers[0];
        let published = layer.sent.last().unwrap().clone();
        let mut packet = world.peers[alice].sources[0].packet(layer, &published);
        packet.header.ssrc = 5_000_000 + ssrc;
        if ssrc % 2 == 0 {
            let mid = world.peers[alice].sources[0].ids[&sfu_core::parameters::HeaderExtensionUri::Mid];
            packet.header.set_extension(mid, bytes::Bytes::from_static(b"nobody")).unwrap();
        }
        let mut datagram = world.peers[alice].seal_rtp(now, 0, packet).unwrap();
        let (core, tuple) = (&mut world.core, world.peers[alice].tuple);
        let counted = count(|| core.handle_datagram(now, tuple, &mut datagram));
        // The feedback on the path covers them, and is the same for any SSRC.
        live_bytes += if ssrc < 100 { 0 } else { counted.live_bytes };
        world.settle();
        world.run_for(ms(10));
    }
    assert!(live_bytes <= 0, "{live_bytes} bytes for what belongs to nobody");
    world.run_for(s(2));
    assert_eq!(world.core.stats().packets_refused, refused + 500);
    world.assert_complete(sink, source);
}

/// Harm prevented: a publisher's first packets carry no MID yet for a receiver; a lost first packet must not matter.
#[test]
fn a_layer_is_learnt_though_its_first_packets_are_lost() {
    let mut world = World::new(95);
    let (alice, bob) = (world.peer(), world.peer());
    world.network.drop_nth(alice, Direction::Up, Kind::Rtp, &(0..30).collect::<Vec<_>>());
    let source = world.produce(alice, "vp8-simulcast3");
    world.run_for(s(1));
    let sink = world.consume(bob, source);
    world.run_for(s(3));
    assert!(world.pairs(sink, source).len() > 200);
    assert_watchable(&world, sink, source, ms(40));
}

/// Harm prevented: clients that signal no SSRC (RFC 8843 lets them) are heard as nobody, or one as the other.
#[test]
fn two_sources_without_signalled_ssrcs_are_told_apart_by_mid() {
    let mut world = World::new(96);
    let (alice, bob) = (world.peer(), world.peer());
    let (kind, mut parameters) = producer("vp8");
    parameters.encodings[0].ssrc = None;
    parameters.encodings[0].rtx = None;
    let sources = [0, 1].map(|_| world.produce_with(alice, kind, parameters.clone()).unwrap());
    for source in sources {
        world.start(source);
    }
    *world.network.link(alice, Direction::Up) = Link::lossy(0.03);
    let sinks = sources.map(|source| world.consume(bob, source));
    world.run_for(s(10));
    for (sink, source) in sinks.into_iter().zip(sources) {
        world.assert_complete_before(sink, source, world.now - s(2));
    }
}
