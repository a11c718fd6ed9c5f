//! What subscribers say of what they get, and what a publisher is told.

use std::time::{Duration, Instant};

use sfu_core::congestion::transport_feedback::TransportFeedback;
use sfu_core::ids::Ssrc;
use simulation::source::video::{Video, VideoCodec};
use simulation::{Input, Kind, SinkId, World, ms, s};

use super::Body;
use super::forwarding::{SUBSCRIBERS, room, watched};

/// Packets that a NACK asks for: few enough that all leave at once.
const NACKED: u64 = 4;

/// Subscribers ask for packets again, one after another.
struct Nacks {
    world: World,
    sinks: Vec<SinkId>,
    next: usize,
    datagram: Option<Input>,
    sent_before: u64,
}

pub(super) fn nacks() -> Box<dyn Body> {
    let (mut world, publisher, subscribers) = room(SUBSCRIBERS);
    let source = world.publish(publisher, &Video::single(VideoCodec::Vp8));
    let sinks = watched(&mut world, &subscribers, source);
    Box::new(Nacks { world, sinks, next: 0, datagram: None, sent_before: 0 })
}

impl Body for Nacks {
    fn prepare(&mut self) {
        // Between two frames, when nothing waits for bandwidth.
        self.world.run_for(ms(33));
        let id = self.sinks[self.next % self.sinks.len()];
        self.next += 1;
        let sink = self.world.sink(id);
        let newest = *sink.packets.keys().next_back().expect("it gets something");
        let (ssrc, sequences) = (sink.ssrc, (0..NACKED).map(|back| (newest - back) as u16).collect::<Vec<_>>());
        let peer = &mut self.world.peers[id.peer];
        peer.send_nack(ssrc, &sequences);
        self.datagram = peer.outbox.pop().map(|(tuple, bytes)| Input::Datagram(tuple, bytes));
        self.sent_before = self.world.core.stats().packets_sent;
    }

    fn act(&mut self) {
        if let Some(input) = &mut self.datagram {
            input.give(self.world.now, &mut self.world.core);
        }
    }

    fn finish(&mut self) -> u64 {
        let sent = self.world.core.stats().packets_sent - self.sent_before;
        assert_eq!(sent, NACKED, "each packet is sent again at once");
        self.world.settle();
        sent
    }
}

/// Hands the core the subscribers' transport-wide feedback, ten to twenty a second from each.
struct Incoming {
    world: World,
    input: Option<Input>,
}

pub(super) fn incoming() -> Box<dyn Body> {
    let (mut world, publisher, subscribers) = room(SUBSCRIBERS);
    let source = world.publish(publisher, &Video::single(VideoCodec::Vp8));
    watched(&mut world, &subscribers, source);
    Box::new(Incoming { world, input: None })
}

impl Body for Incoming {
    fn prepare(&mut self) {
        let end = self.world.now + s(10);
        loop {
            let mut input = self.world.next_input(end).expect("feedback comes all the time");
            if input.kind() == Some(Kind::Rtcp) {
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
        self.world.settle();
        1
    }
}

/// Packets of one publisher, and what it is told of them.
struct Outgoing {
    feedback: TransportFeedback,
    now: Instant,
    number: u16,
}

/// Packets in a round, two milliseconds apart: of 5 Mbit/s.
const ROUND: u16 = 50;

pub(super) fn outgoing() -> Box<dyn Body> {
    let now = World::new(1).now;
    let mut outgoing = Outgoing { feedback: TransportFeedback::default(), now, number: 0 };
    // Until what is remembered has its length.
    for _ in 0..20 {
        outgoing.act();
    }
    Box::new(outgoing)
}

impl Body for Outgoing {
    fn prepare(&mut self) {}

    fn act(&mut self) {
        for _ in 0..ROUND {
            self.now += Duration::from_millis(2);
            // One in fifty is lost.
            if self.number % 50 != 7 {
                self.feedback.handle_packet(self.now, self.number);
            }
            self.number = self.number.wrapping_add(1);
            while let Some(message) = self.feedback.poll_feedback(self.now, Ssrc(1), Ssrc(2)) {
                std::hint::black_box(message);
            }
        }
    }

    fn finish(&mut self) -> u64 {
        u64::from(ROUND)
    }
}
