//! Bytes, counted by the allocator: what transports and consumers hold, and what those leave who go.

use std::time::Duration;

use sfu_core::worker::{ConsumerOptions, Core, WebRtcTransportOptions};
use simulation::peer::Peer;
use simulation::sink::Sink;
use simulation::vectors::chromium;
use simulation::{PeerOptions, SourceId, World, ms, s};

use crate::allocations::count;

/// Bytes of a transport whose peer is connected and neither sends nor gets anything.
const IDLE_TRANSPORT_MAX: i64 = 32 * 1024;

/// Bytes of a consumer, beside the packets that all consumers of a producer share.
const CONSUMER_MAX: i64 = 16 * 1024;

/// What the core holds more than at the beginning.
#[derive(Default)]
struct Meter {
    live_bytes: i64,
}

impl Meter {
    fn act<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let mut result = None;
        self.live_bytes += count(|| result = Some(act())).live_bytes;
        result.expect("it was done")
    }

    /// Lets time pass.
    fn run(&mut self, world: &mut World, time: Duration) {
        let end = world.now + time;
        while let Some(mut input) = world.next_input(end) {
            let (now, core) = (world.now, &mut world.core);
            self.act(|| {
                input.give(now, core);
                drop_events(core);
            });
            world.settle();
        }
    }

    /// A peer begins to connect.
    fn join(&mut self, world: &mut World) -> usize {
        let (now, router, options) = (world.now, world.router, PeerOptions::default());
        let core = &mut world.core;
        let info = self.act(|| core.create_transport(now, router, WebRtcTransportOptions::default(), None));
        let info = info.expect("a transport");
        let index = world.peers.len();
        let address = ([198, 51, (index >> 8) as u8, index as u8], 50_000).into();
        world.network.add_peer(options.up, options.down);
        world.network.set_home(address, index);
        let peer = Peer::new(now, &options, &info, address);
        let parameters = peer.dtls.parameters();
        world.peers.push(peer);
        let id = info.id;
        // What was returned is its owner's.
        self.act(|| drop(info));
        self.act(|| core.connect_transport(now, id, &parameters)).expect("it is open");
        world.settle();
        index
    }

    /// A peer leaves.
    fn leave(&mut self, world: &mut World, peer: usize) {
        let (now, transport) = (world.now, world.peers[peer].transport);
        let core = &mut world.core;
        self.act(|| {
            core.close_transport(now, transport);
            drop_events(core);
        });
        world.settle();
    }

    /// The peer gets a source.
    fn consume(&mut self, world: &mut World, peer: usize, source: SourceId) {
        let (now, transport) = (world.now, world.peers[peer].transport);
        let producer_id = world.source(source).producer;
        let core = &mut world.core;
        // The core drops what it is asked with: it is made where that counts.
        let options =
            || ConsumerOptions { producer_id, rtp_capabilities: chromium(), paused: false, preferred_layers: None };
        let info = self.act(|| core.consume(now, transport, options())).expect("a consumer");
        let mut sink = Sink::new(world.origin, info.clone());
        self.act(|| drop(info));
        sink.records = false;
        world.peers[peer].sinks.push(sink);
        world.settle();
    }
}

/// Events are their receiver's.
fn drop_events(core: &mut Core) {
    while core.poll_event().is_some() {}
}

/// Harm prevented: a room of a thousand does not fit into a small machine.
#[test]
fn transports_and_consumers_are_small() {
    const TRANSPORTS: i64 = 100;
    const CONSUMERS_OF_EACH: i64 = 10;
    let mut world = World::new(310);
    world.forget_packets();
    let (mut transports, mut consumers) = (Meter::default(), Meter::default());
    let alice = world.peer();
    let peers: Vec<usize> = (0..TRANSPORTS).map(|_| transports.join(&mut world)).collect();
    transports.run(&mut world, s(5));
    assert!(world.peers.iter().all(|peer| peer.is_connected()));
    let idle = transports.live_bytes / TRANSPORTS;
    assert!(idle <= IDLE_TRANSPORT_MAX, "{idle} bytes for each idle transport");

    // Sixty small packets a second: to spare the time of sealing a thousand times more.
    let source = world.produce(alice, "vp8");
    let layer = &mut world.source_mut(source).layers[0];
    (layer.packets, layer.bytes) = (2, 100);
    // Until the store has its size, which is what all share.
    world.run_for(s(12));
    for peer in peers {
        for _ in 0..CONSUMERS_OF_EACH {
            consumers.consume(&mut world, peer, source);
        }
    }
    let before = world.core.stats().packets_sent;
    consumers.run(&mut world, s(3));
    let sent = world.core.stats().packets_sent - before;
    assert!(sent as i64 > 150 * TRANSPORTS * CONSUMERS_OF_EACH, "{sent} packets sent");
    let each = consumers.live_bytes / (TRANSPORTS * CONSUMERS_OF_EACH);
    assert!(each <= CONSUMER_MAX, "{each} bytes for each consumer");
}

/// A room with a source and so many guests who get it, and what they take.
fn room(seed: u64, guests: usize) -> (World, SourceId, Meter) {
    let mut world = World::new(seed);
    world.forget_packets();
    let alice = world.peer();
    let source = world.produce(alice, "vp8");
    let mut room = Meter::default();
    let guests: Vec<usize> = (0..guests).map(|_| room.join(&mut world)).collect();
    room.run(&mut world, s(1));
    for guest in guests {
        room.consume(&mut world, guest, source);
    }
    room.run(&mut world, s(12));
    (world, source, room)
}

/// Harm prevented: a room that people come to and leave all day eats the machine.
#[test]
fn visitors_who_were_connected_and_watched_leave_nothing() {
    const AT_ONCE: usize = 10;
    let (mut world, source, mut meter) = room(311, 20);
    let mut after_each = Vec::new();
    for _ in 0..15 {
        let visitors: Vec<usize> = (0..AT_ONCE).map(|_| meter.join(&mut world)).collect();
        meter.run(&mut world, ms(500));
        for visitor in &visitors {
            meter.consume(&mut world, *visitor, source);
        }
        meter.run(&mut world, ms(300));
        for visitor in visitors {
            meter.leave(&mut world, visitor);
        }
        meter.run(&mut world, s(1));
        after_each.push(meter.live_bytes);
    }
    // Tables keep the size that they once needed: who comes first makes them as large as they have to be.
    let (start, end) = (after_each[2], after_each[after_each.len() - 1]);
    assert!((end - start).abs() * 20 <= start, "from {start} to {end} bytes");
}

/// Harm prevented: the same, but for the media, ten thousand times.
#[test]
fn ten_thousand_who_come_and_go_leave_nothing() {
    let (mut world, source, mut meter) = room(312, 5);
    let (now, router, producer_id) = (world.now, world.router, world.source(source).producer);
    let capabilities = chromium();
    let core = &mut world.core;
    let mut visit = |meter: &mut Meter| {
        meter.act(|| {
            let options = WebRtcTransportOptions::default();
            let transport = core.create_transport(now, router, options, None).expect("a transport").id;
            let rtp_capabilities = capabilities.clone();
            let options = ConsumerOptions { producer_id, rtp_capabilities, paused: false, preferred_layers: None };
            core.consume(now, transport, options).expect("a consumer");
            core.close_transport(now, transport);
            drop_events(core);
            while core.poll_closed_transport().is_some() {}
        });
    };
    visit(&mut meter);
    let start = meter.live_bytes;
    for _ in 0..10_000 {
        visit(&mut meter);
    }
    let end = meter.live_bytes;
    assert!((end - start).abs() * 20 <= start, "from {start} to {end} bytes");
}
