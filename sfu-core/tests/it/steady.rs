//! What a forwarded packet allocates in steady state, on whatever way it leaves: nothing.

use std::time::Duration;

use simulation::source::video::{Audio, Video, VideoCodec};
use simulation::vectors::{chromium, with_red};
use simulation::{Depth, Direction, Input, Kind, SinkId, SourceId, World, ms, s};

use crate::allocations::count;

/// Allocations that all packets of a run together may cost: a queue of timers or arrivals, bounded by itself, or a buffer for a
/// packet that is larger than all before it, grows now and then.
const GROWTHS_MAX: u64 = 3;

/// What the core did with inputs of one kind, and what that allocated.
#[derive(Debug, Default, Clone, Copy)]
struct Spent {
    sent: u64,
    calls: u64,
    /// Inputs that allocated.
    allocating: u64,
}

/// Runs the world, and says what incoming media cost, and what the timeouts that sent media.
fn run(world: &mut World, time: Duration) -> (Spent, Spent) {
    let end = world.now + time;
    let (mut media, mut timeouts) = (Spent::default(), Spent::default());
    while let Some(mut input) = world.next_input(end) {
        let before = world.core.stats().packets_sent;
        let (now, core) = (world.now, &mut world.core);
        let calls = count(|| input.give(now, core)).calls;
        let sent = world.core.stats().packets_sent - before;
        let spent = match input.kind() {
            Some(Kind::Rtp) => &mut media,
            None if sent > 0 => &mut timeouts,
            _ => &mut Spent::default(),
        };
        spent.sent += sent;
        spent.calls += calls;
        spent.allocating += u64::from(calls > 0);
        world.settle();
    }
    (media, timeouts)
}

/// So many watch or hear one source, whose packets have the same few sizes all the time.
fn audience(world: &mut World, source: SourceId, count: usize) -> Vec<SinkId> {
    let known = world.source_mut(source);
    (known.variation, known.key_factor) = (0.0, 1.0);
    let consume = |world: &mut World| {
        let peer = world.peer();
        world.consume_as(peer, source, with_red(chromium()), false).expect("a consumer")
    };
    (0..count).map(|_| consume(world)).collect()
}

/// Harm prevented: an allocation for each consumer of a packet would be most of what forwarding costs.
#[test]
fn media_allocate_nothing_whatever_they_are_and_however_many_get_them() {
    let videos = [Video::simulcast(VideoCodec::Vp8, 2), Video::svc(VideoCodec::Vp9, "L3T3_KEY")];
    for video in videos.iter().map(Some).chain([None]) {
        for consumers in [1, 5] {
            let mut world = World::new(320);
            world.forget_packets();
            let alice = world.peer();
            let source = match video {
                Some(video) => world.publish(alice, video),
                None => world.publish_audio(alice, Audio { is_red: true, ..Audio::default() }),
            };
            audience(&mut world, source, consumers);
            // Until every store and history has its size: the lowest layer has thirty packets a second.
            world.run_for(s(40));
            let (media, _) = run(&mut world, s(5));
            assert!(media.sent >= 150 * consumers as u64, "{} packets sent", media.sent);
            assert!(media.calls <= GROWTHS_MAX, "{media:?} of {video:?} for {consumers} consumers");
        }
    }
}

/// Harm prevented: what waits for its turn on a thin path is copied.
#[test]
fn what_the_pacer_held_back_allocates_nothing() {
    const SECONDS: u64 = 5;
    let mut world = World::new(321);
    world.forget_packets();
    let alice = world.peer();
    let source = world.publish(alice, &Video::screen(VideoCodec::Vp8));
    let sinks = audience(&mut world, source, 2);
    for sink in &sinks {
        world.set_capacity(sink.peer, Direction::Down, Depth::Time(ms(300)), &[(s(0), 1_500_000)]);
    }
    world.run_for(s(25));
    let (media, timeouts) = run(&mut world, s(SECONDS));
    assert!(timeouts.sent > 300, "{timeouts:?}");
    assert!(media.calls <= GROWTHS_MAX, "{media:?}");
    // Each subscriber's path is shared out once a second and reported on as often, now and then when a packet's turn comes.
    assert!(timeouts.allocating <= 2 * sinks.len() as u64 * SECONDS, "{timeouts:?}");
}

/// Harm prevented: a lossy audience costs an allocation for each packet that it misses.
#[test]
fn an_answer_to_a_nack_allocates_no_more_than_reading_it() {
    let mut world = World::new(322);
    let alice = world.peer();
    let source = world.publish(alice, &Video::single(VideoCodec::Vp8));
    let sinks = audience(&mut world, source, 2);
    world.run_for(s(12));
    let mut nack = |sink: &SinkId, unsent: u64| {
        world.run_for(ms(33));
        let newest = *world.sink(*sink).packets.keys().next_back().expect("it gets something");
        let numbers: Vec<u16> = (0..3).map(|back| (newest + unsent - back) as u16).collect();
        let ssrc = world.sink(*sink).ssrc;
        let peer = &mut world.peers[sink.peer];
        peer.send_nack(ssrc, &numbers);
        let (tuple, bytes) = peer.outbox.pop().expect("a NACK");
        let mut input = Input::Datagram(tuple, bytes);
        let before = world.core.stats().packets_sent;
        let (now, core) = (world.now, &mut world.core);
        let calls = count(|| input.give(now, core)).calls;
        let sent = world.core.stats().packets_sent - before;
        world.settle();
        (sent, calls)
    };
    let mut grown = 0;
    for _ in 0..10 {
        for sink in &sinks {
            let (none, reading) = nack(sink, 20_000);
            let (sent, answering) = nack(sink, 0);
            assert_eq!((none, sent), (0, 3));
            grown += answering.saturating_sub(reading);
        }
    }
    assert!(grown <= GROWTHS_MAX, "{grown} allocations for 60 packets sent again");
}
