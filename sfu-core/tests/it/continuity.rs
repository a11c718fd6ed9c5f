//! Streams that wrap, pause and resume are one stream to the receiver.

use sfu_core::router::RouterEvent;

use simulation::checks::Pair;
use simulation::{SinkId, SourceId, World, ms, s};

/// A receiver sees one stream: no number is missing, and timestamps are the source's, shifted by one constant.
fn assert_one_stream(world: &World, sink: SinkId, source: SourceId) {
    assert!(world.sink(sink).holes().is_empty(), "a pause is no loss");
    let pairs = world.pairs(sink, source);
    let shift = |pair: &Pair<'_>| pair.got.timestamp.wrapping_sub(pair.published.timestamp);
    let first = shift(&pairs[0]);
    assert!(pairs.iter().all(|pair| shift(pair) == first), "a timestamp jumps");
    assert!(pairs.is_sorted_by_key(|pair| pair.published.extended));
}

/// Harm prevented: after 22 minutes of sound, or 13 hours of picture, a call breaks.
#[test]
fn a_publishers_numbers_and_timestamps_may_wrap() {
    for (seed, case) in [(51, "vp8"), (41, "opus")] {
        let mut world = World::new(seed);
        let (alice, bob) = (world.peer(), world.peer());
        let source = world.produce(alice, case);
        let layer = &mut world.source_mut(source).layers[0];
        layer.next = (1 << 17) - 100;
        layer.next_rtx = u16::MAX - 3;
        layer.timestamp_base = u32::MAX - 90_000;
        let sink = world.consume(bob, source);
        *world.network.link(alice, simulation::Direction::Up) = simulation::Link::lossy(0.02);
        world.run_for(s(20));
        world.assert_complete_before(sink, source, world.now - s(2));
        assert!(world.layer(source).next > 1 << 17);
    }
}

#[test]
fn a_consumers_numbers_may_wrap_twice() {
    let mut world = World::new(42);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "opus");
    world.source_mut(source).frame_interval = std::time::Duration::from_micros(250);
    let sink = world.consume(bob, source);
    world.run_for(s(25));
    world.assert_complete(sink, source);
    let last = *world.sink(sink).packets.last_key_value().unwrap().0;
    assert!(last > 2 << 16, "{last}");
}

/// Harm prevented: somebody who paused a picture still pays for it, or sees it freeze when resumed.
#[test]
fn a_paused_consumer_gets_nothing_and_goes_on_with_a_key_frame() {
    let mut world = World::new(43);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(3));
    let consumer = world.sink(sink).info.id;
    world.core.pause_consumer(world.now, consumer).unwrap();
    world.run_for(ms(50));
    let before = world.sink(sink).packets.len();
    world.run_for(s(5));
    assert_eq!(world.sink(sink).packets.len(), before, "a packet leaked");
    let resumed = world.now;
    world.core.resume_consumer(world.now, consumer).unwrap();
    world.settle();
    world.run_for(s(3));
    let pairs = world.pairs(sink, source);
    assert!(pairs[before].published.starts_key_frame);
    assert!(pairs[before].got.at - resumed < ms(150), "{:?}", pairs[before].got.at - resumed);
    assert_one_stream(&world, sink, source);
}

#[test]
fn a_consumer_may_begin_paused() {
    let mut world = World::new(44);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let capabilities = simulation::vectors::capabilities("chromium-156");
    let sink = world.consume_as(bob, source, capabilities, true).unwrap();
    world.run_for(s(2));
    assert!(world.sink(sink).packets.is_empty());
    assert!(world.layer(source).heard.key_frame_requests().is_empty(), "for nobody");
    world.core.resume_consumer(world.now, world.peers[bob].sinks[0].info.id).unwrap();
    world.settle();
    world.run_for(s(2));
    world.assert_complete(sink, source);
}

/// Harm prevented: a muted camera's frames still reach others.
#[test]
fn a_paused_producer_reaches_nobody_and_goes_on_with_a_key_frame() {
    for (seed, case) in [(45, "vp8"), (46, "opus")] {
        let mut world = World::new(seed);
        let (alice, bob) = (world.peer(), world.peer());
        let source = world.produce(alice, case);
        let sink = world.consume(bob, source);
        world.run_for(s(3));
        world.events.clear();
        let (producer, consumer_id) = (world.source(source).producer, world.sink(sink).info.id);
        for _ in 0..2 {
            world.core.pause_producer(world.now, producer).unwrap();
        }
        world.settle();
        world.run_for(ms(50));
        let before = world.sink(sink).packets.len();
        world.run_for(s(5));
        assert_eq!(world.sink(sink).packets.len(), before, "a packet leaked");
        for _ in 0..2 {
            world.core.resume_producer(world.now, producer).unwrap();
        }
        world.settle();
        world.run_for(s(3));
        let told: Vec<_> = world.events.iter().map(|(_, _, event)| event.clone()).collect();
        let expected =
            [RouterEvent::ConsumerProducerPaused { consumer_id }, RouterEvent::ConsumerProducerResumed { consumer_id }];
        assert_eq!(told, expected, "each once");
        let pairs = world.pairs(sink, source);
        assert!(pairs.len() > before + 80);
        assert!(case == "opus" || pairs[before].published.starts_key_frame);
        assert_one_stream(&world, sink, source);
    }
}

/// Harm prevented: what the publisher lost before a pause is repaired after it, out of the picture's order.
#[test]
fn a_publisher_that_itself_sends_nothing_for_a_while_loses_nothing() {
    let mut world = World::new(47);
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(2));
    world.source_mut(source).stop();
    world.run_for(s(10));
    world.start(source);
    world.run_for(s(3));
    world.assert_complete(sink, source);
    assert_one_stream(&world, sink, source);
}

/// Harm prevented: a client that replaces its encoder draws new numbers, and everybody's picture stops. (SRTP itself follows
/// no jump of 2^15 or more: RFC 3711 section 3.3.1.)
#[test]
fn a_publisher_whose_numbers_start_anew_is_followed() {
    for (seed, jump) in [(48, 5_000), (49, 20_000), (50, 32_000)] {
        let mut world = World::new(seed);
        let (alice, bob) = (world.peer(), world.peer());
        let source = world.produce(alice, "vp8");
        let sink = world.consume(bob, source);
        world.run_for(s(3));
        let now = world.now;
        let layer = &mut world.source_mut(source).layers[0];
        layer.next += jump;
        layer.timestamp_base = layer.timestamp_base.wrapping_add(1_234_567_890);
        layer.want_key_frame(now);
        world.run_for(s(5));
        let pairs = world.pairs(sink, source);
        let after = pairs.iter().filter(|pair| pair.published.at > now + s(1)).count();
        let published = world.layer(source).sent.iter().filter(|packet| packet.at > now + s(1)).count();
        assert!(after + 10 > published, "jump by {jump}: {after} of {published}");
        assert!(world.sink(sink).holes().len() < 1000);
    }
}
