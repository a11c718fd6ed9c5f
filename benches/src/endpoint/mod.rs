//! One transport of one peer: what it sends, takes and answers. Sockets and time are given to it.

pub mod feedback;
pub mod publisher;
pub mod rtcp;
pub mod subscriber;
pub mod tally;
pub mod wire;

use std::time::Instant;

pub use publisher::Publisher;
pub use subscriber::{Stream, Subscriber};
pub use wire::{Reception, Wire};

use crate::rtp::Datagram;
use crate::stats::Recorder;

/// What a transport is used for.
#[derive(Debug)]
pub enum Role {
    /// To the server.
    Publisher(Publisher),
    /// From the server.
    Subscriber(Subscriber),
}

/// A transport and its media.
#[derive(Debug)]
pub struct Endpoint {
    /// The way to the server.
    pub wire: Wire,
    /// Its media.
    pub role: Role,
}

impl Endpoint {
    /// Takes a datagram, which arrived at `arrived_ns` of the wall clock.
    pub fn handle(&mut self, now: Instant, arrived_ns: u64, datagram: &mut [u8], recorder: &mut Recorder) {
        recorder.totals.datagrams_in += 1;
        recorder.totals.bytes_in += datagram.len() as u64;
        match (Datagram::of(datagram), &mut self.role) {
            (Datagram::Rtp, Role::Subscriber(subscriber)) => {
                subscriber.handle_rtp(now, arrived_ns, datagram, &self.wire, recorder);
            }
            (Datagram::Rtcp, role) => {
                let Ok(len) = self.wire.keys.receive.open_rtcp(datagram) else {
                    recorder.totals.not_opened += 1;
                    return;
                };
                let compound = datagram.get(..len).unwrap_or_default();
                match role {
                    Role::Publisher(publisher) => publisher.handle_rtcp(compound, &mut self.wire, recorder),
                    Role::Subscriber(subscriber) => subscriber.handle_rtcp(now, compound),
                }
            }
            // Answers to consent, the end of a handshake, media for somebody who receives none: nothing to do.
            (Datagram::Rtp | Datagram::Stun | Datagram::Dtls | Datagram::Unknown, _) => {}
        }
    }

    /// All datagrams of a turn were handled: what cannot wait is sent.
    pub fn handle_turn_end(&mut self, now: Instant, recorder: &mut Recorder) {
        if let Role::Subscriber(subscriber) = &mut self.role {
            subscriber.handle_turn_end(now, &mut self.wire, recorder);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, recorder: &mut Recorder) {
        self.wire.handle_timeout(now, recorder);
        match &mut self.role {
            Role::Publisher(publisher) => publisher.handle_timeout(now, &mut self.wire, recorder),
            Role::Subscriber(subscriber) => subscriber.handle_timeout(now, &mut self.wire, recorder),
        }
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Instant {
        let media = match &self.role {
            Role::Publisher(publisher) => publisher.poll_timeout(),
            Role::Subscriber(subscriber) => subscriber.poll_timeout(),
        };
        media.min(self.wire.poll_timeout())
    }
}
