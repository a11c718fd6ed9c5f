//! A publisher's packets, to nobody and to many.

use simulation::source::video::{Audio, Video, VideoCodec};
use simulation::{Input, Kind, SinkId, SourceId, World, s};

use super::Body;
use sfu_core::parameters::ConsumerLayers;
use sfu_core::worker::Joining;

/// Subscribers, each on a transport of its own.
pub(super) const SUBSCRIBERS: usize = 20;

/// A publisher and its subscribers, connected.
pub(super) fn room(subscribers: usize) -> (World, usize, Vec<usize>) {
    let mut world = World::new(1);
    world.forget_packets();
    let publisher = world.add_peer(Default::default());
    let subscribers: Vec<usize> = (0..subscribers).map(|_| world.add_peer(Default::default())).collect();
    world.run_for(s(1));
    assert!(world.peers.iter().all(|peer| peer.is_connected()), "everybody connects within a second");
    (world, publisher, subscribers)
}

/// All of them subscribe; long enough ago that bandwidth is known and every store has its size.
pub(super) fn watched(world: &mut World, subscribers: &[usize], source: SourceId) -> Vec<SinkId> {
    let sinks = subscribers.iter().map(|peer| world.consume(*peer, source)).collect();
    world.run_for(s(3));
    sinks
}

/// Hands the core the publisher's media packets.
struct Forwarding {
    world: World,
    /// Of this SSRC alone.
    ssrc: Option<u32>,
    /// A packet that nobody is sent is a unit for each of so many.
    unsent: u64,
    input: Option<Input>,
    sent_before: u64,
}

impl Forwarding {
    fn new(world: World) -> Self {
        Self { world, ssrc: None, unsent: 0, input: None, sent_before: 0 }
    }

    fn is_measured(&self, input: &Input) -> bool {
        let Input::Datagram(_, bytes) = input else { return false };
        Kind::of(bytes) == Kind::Rtp && self.ssrc.is_none_or(|ssrc| bytes.get(8..12) == Some(&ssrc.to_be_bytes()))
    }
}

impl Body for Forwarding {
    fn prepare(&mut self) {
        let end = self.world.now + s(10);
        loop {
            let mut input = self.world.next_input(end).expect("media comes all the time");
            if self.is_measured(&input) {
                self.sent_before = self.world.core.stats().packets_sent;
                self.input = Some(input);
                return;
            }
            input.give(self.world.now, &mut self.world.core);
            self.world.settle();
        }
    }

    fn act(&mut self) {
        if let Some(input) = &mut self.input {
            input.give(self.world.now, &mut self.world.core);
        }
    }

    fn finish(&mut self) -> u64 {
        let sent = self.world.core.stats().packets_sent - self.sent_before;
        self.world.settle();
        sent.max(self.unsent)
    }
}

/// Hands the core whole pictures, as a worker does whose socket joins packets.
struct Pictures {
    forwarding: Forwarding,
    packets: Vec<Input>,
}

impl Body for Pictures {
    fn prepare(&mut self) {
        self.packets.clear();
        let mut is_last = false;
        while !is_last {
            self.forwarding.prepare();
            let packet = self.forwarding.input.take();
            is_last =
                matches!(&packet, Some(Input::Datagram(_, bytes)) if bytes.get(1).is_some_and(|byte| byte & 0x80 != 0));
            self.packets.extend(packet);
        }
    }

    fn act(&mut self) {
        let World { now, core, .. } = &mut self.forwarding.world;
        for packet in &mut self.packets {
            if let Input::Datagram(tuple, bytes) = packet {
                core.handle_datagram(*now, *tuple, bytes);
            }
        }
        core.forward_gathered(*now);
    }

    fn finish(&mut self) -> u64 {
        self.forwarding.finish()
    }
}

pub(super) fn receive() -> Box<dyn Body> {
    let (mut world, publisher, _) = room(0);
    let source = world.publish(publisher, &Video::single(VideoCodec::Vp8));
    watched(&mut world, &[], source);
    Box::new(Forwarding { unsent: 1, ..Forwarding::new(world) })
}

pub(super) fn video() -> Box<dyn Body> {
    forwarding(&Video::single(VideoCodec::Vp8))
}

pub(super) fn simulcast() -> Box<dyn Body> {
    forwarding(&Video::simulcast(VideoCodec::Vp8, 3))
}

pub(super) fn svc() -> Box<dyn Body> {
    forwarding(&Video::svc(VideoCodec::Vp9, "L3T3_KEY"))
}

pub(super) fn pictures() -> Box<dyn Body> {
    let mut forwarding = watched_video(&Video::single(VideoCodec::Vp8));
    forwarding.world.core.set_joining(Joining { pads: true, ..Joining::default() });
    Box::new(Pictures { forwarding, packets: Vec::new() })
}

fn forwarding(video: &Video) -> Box<dyn Body> {
    Box::new(watched_video(video))
}

fn watched_video(video: &Video) -> Forwarding {
    let (mut world, publisher, subscribers) = room(SUBSCRIBERS);
    let source = world.publish(publisher, video);
    watched(&mut world, &subscribers, source);
    let mut forwarding = Forwarding::new(world);
    // Of a simulcast the encoding that is sent on.
    forwarding.ssrc = forwarding.world.source(source).layers.last().map(|layer| layer.ssrc);
    forwarding
}

pub(super) fn audio() -> Box<dyn Body> {
    let (mut world, publisher, subscribers) = room(SUBSCRIBERS);
    let source = world.publish_audio(publisher, Audio::default());
    watched(&mut world, &subscribers, source);
    Box::new(Forwarding::new(world))
}

/// The largest size, of which nobody wants anything but the smallest.
pub(super) fn other_layer() -> Box<dyn Body> {
    let (mut world, publisher, subscribers) = room(SUBSCRIBERS);
    let source = world.publish(publisher, &Video::simulcast(VideoCodec::Vp8, 3));
    for sink in watched(&mut world, &subscribers, source) {
        let (now, id) = (world.now, world.sink(sink).info.id);
        let layers = ConsumerLayers { spatial_layer: 0, temporal_layer: None };
        world.core.set_preferred_layers(now, id, layers).expect("it is open");
    }
    world.run_for(s(1));
    let ssrc = world.source(source).layers.last().map(|layer| layer.ssrc);
    Box::new(Forwarding { ssrc, unsent: SUBSCRIBERS as u64, ..Forwarding::new(world) })
}
