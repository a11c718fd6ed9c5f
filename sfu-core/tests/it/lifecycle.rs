//! Closing: what hangs on what, told once, and not to who asked.

use sfu_core::router::{ConsumerCloseReason, RouterEvent, TransportCloseReason};

use simulation::{SinkId, SourceId, World, ms, s};

/// Alice publishes sound and picture to Bob and Carol, and Carol sound to Alice.
fn room(seed: u64) -> (World, [usize; 3], [SourceId; 3], [SinkId; 5]) {
    let mut world = World::new(seed);
    let peers = [world.peer(), world.peer(), world.peer()];
    let [alice, bob, carol] = peers;
    let sources = [world.produce(alice, "opus"), world.produce(alice, "vp8"), world.produce(carol, "opus")];
    let sinks = [
        world.consume(bob, sources[0]),
        world.consume(bob, sources[1]),
        world.consume(carol, sources[0]),
        world.consume(carol, sources[1]),
        world.consume(alice, sources[2]),
    ];
    world.run_for(s(2));
    world.events.clear();
    (world, peers, sources, sinks)
}

/// What was told, but for scores, loudness and speakers, which come by themselves.
fn told(world: &World) -> Vec<RouterEvent> {
    use RouterEvent::{ActiveSpeaker, AudioLevels, ConsumerScore, ProducerScore};
    let comes_by_itself = |event: &&RouterEvent| {
        matches!(event, ProducerScore { .. } | ConsumerScore { .. } | AudioLevels { .. } | ActiveSpeaker { .. })
    };
    world.events.iter().map(|(_, _, event)| event).filter(|event| !comes_by_itself(event)).cloned().collect()
}

#[test]
fn a_producer_that_is_closed_takes_its_consumers_along() {
    let (mut world, _, sources, sinks) = room(60);
    let producer = world.source(sources[1]).producer;
    for _ in 0..2 {
        world.core.close_producer(world.now, producer);
        world.settle();
    }
    let mut closed: Vec<_> = [sinks[1], sinks[3]].iter().map(|sink| world.sink(*sink).info.id).collect();
    let mut events: Vec<_> = told(&world)
        .into_iter()
        .map(|event| match event {
            RouterEvent::ConsumerClosed { consumer_id, reason: ConsumerCloseReason::ProducerClosed } => consumer_id,
            other => panic!("{other:?}"),
        })
        .collect();
    closed.sort();
    events.sort();
    assert_eq!(events, closed);
    world.run_for(ms(50));
    let before = world.sink(sinks[1]).packets.len();
    let heard = world.sink(sinks[0]).packets.len();
    world.run_for(s(3));
    assert_eq!(world.sink(sinks[1]).packets.len(), before, "a closed producer's packets still flow");
    assert!(world.sink(sinks[0]).packets.len() > heard + 140, "another producer of the peer stopped");
    assert_eq!((world.core.stats().producers, world.core.stats().consumers), (2, 3));
    assert_eq!(told(&world).len(), 2, "nothing more is told");
    world.assert_sound();
}

#[test]
fn a_consumer_that_is_closed_gets_nothing_and_nobody_is_told() {
    let (mut world, _, sources, sinks) = room(61);
    world.core.close_consumer(world.now, world.peers[1].sinks[1].info.id);
    world.settle();
    world.run_for(ms(50));
    let before = world.sink(sinks[1]).packets.len();
    world.run_for(s(3));
    assert_eq!(world.sink(sinks[1]).packets.len(), before);
    assert_eq!(told(&world), []);
    world.assert_complete(sinks[3], sources[1]);
}

/// Harm prevented: somebody left, and their tile stays.
#[test]
fn a_transport_that_is_closed_takes_everything_along() {
    let (mut world, [alice, ..], sources, sinks) = room(62);
    let transport = world.peers[alice].transport;
    for _ in 0..2 {
        world.core.close_transport(world.now, transport);
        world.settle();
    }
    world.run_for(ms(100));
    let events = told(&world);
    let count = |expected: &dyn Fn(&RouterEvent) -> bool| events.iter().filter(|event| expected(event)).count();
    for source in &sources[..2] {
        let id = world.source(*source).producer;
        assert_eq!(count(&|e| matches!(e, RouterEvent::ProducerClosed { producer_id } if *producer_id == id)), 1);
    }
    for sink in sinks {
        let id = world.sink(sink).info.id;
        assert_eq!(count(&|e| matches!(e, RouterEvent::ConsumerClosed { consumer_id, .. } if *consumer_id == id)), 1);
    }
    assert_eq!(events.len(), 7, "and nothing else: {events:?}");
    assert!(world.peers[alice].dtls.is_closed, "the peer is not told");
    assert_eq!((world.core.stats().transports, world.core.stats().producers, world.core.stats().consumers), (2, 1, 0));
    assert_eq!(world.closed_transports, [transport]);
    let before = world.core.stats().packets_sent;
    world.run_for(s(3));
    assert_eq!(world.core.stats().packets_sent, before);
}

#[test]
fn a_peer_that_says_goodbye_closes_its_transport() {
    let (mut world, [alice, ..], _, sinks) = room(63);
    let now = world.now;
    world.peers[alice].dtls.close(now);
    while let Some(datagram) = world.peers[alice].dtls.poll_transmit() {
        let tuple = world.peers[alice].tuple;
        world.peers[alice].outbox.push((tuple, datagram));
    }
    world.peers[alice].ice.is_checking = false;
    for source in &mut world.peers[alice].sources {
        source.stop();
    }
    world.settle();
    world.run_for(s(2));
    let transport_id = world.peers[alice].transport;
    let closed = RouterEvent::TransportClosed { transport_id, reason: TransportCloseReason::DtlsClosedByPeer };
    let events = told(&world);
    assert_eq!(events.last(), Some(&closed), "after what hung on it: {events:?}");
    assert_eq!(events.iter().filter(|event| **event == closed).count(), 1);
    let id = world.sink(sinks[0]).info.id;
    assert!(
        events
            .iter()
            .any(|event| matches!(event, RouterEvent::ConsumerClosed { consumer_id, .. } if *consumer_id == id))
    );
}

#[test]
fn a_router_that_is_closed_leaves_nothing_and_tells_nobody() {
    let (mut world, ..) = room(64);
    let router = world.router;
    world.core.close_router(world.now, router);
    world.settle();
    let stats = world.core.stats();
    assert_eq!((stats.routers, stats.transports, stats.producers, stats.consumers), (0, 0, 0, 0));
    world.run_for(s(5));
    assert_eq!(told(&world), []);
    assert_eq!(world.closed_transports.len(), 3);
}
