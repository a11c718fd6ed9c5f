//! DTLS handshakes wait for their turn: one datagram of a handshake may cost as much as forwarding a hundred packets, and a crowd
//! that joins must not delay those who talk. Media goes between any two.

use std::collections::VecDeque;
use std::time::Instant;

use super::core::{Core, TransportKey};
use crate::transport::tuple::Tuple;

/// Datagrams of handshakes that wait for a worker at most: two flights of five hundred peers who join in one moment. What is beyond
/// is dropped, and sent again by its peer's timer.
pub const MAX_WAITING_HANDSHAKES: usize = 4096;

/// Those of one peer at most: more than any flight has. So nobody makes all others wait.
pub const MAX_WAITING_HANDSHAKES_PER_TRANSPORT: u8 = 16;

/// What waits, in the order of its coming.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    transport: TransportKey,
    tuple: Tuple,
    datagram: Vec<u8>,
}

impl Core {
    /// Takes a datagram of DTLS from a validated tuple: what belongs to a handshake waits.
    pub(super) fn handle_dtls(&mut self, now: Instant, key: TransportKey, tuple: Tuple, datagram: &[u8]) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.counters.handle_received(datagram.len());
        if transport.srtp.is_some() {
            transport.dtls.handle_datagram(now, datagram);
            return self.after_dtls(now, key);
        }
        let is_room = self.handshakes.waiting.len() < MAX_WAITING_HANDSHAKES
            && transport.waiting_handshakes < MAX_WAITING_HANDSHAKES_PER_TRANSPORT;
        if is_room {
            transport.waiting_handshakes += 1;
            self.handshakes.waiting.push_back(Waiting { transport: key, tuple, datagram: datagram.to_vec() });
        } else {
            self.stats.packets_refused += 1;
        }
    }

    /// Whose handshake is to be gone on with by [`Self::handle_handshake`], if anybody's is.
    pub fn next_handshake(&self) -> Option<Tuple> {
        self.handshakes.waiting.front().map(|waiting| waiting.tuple)
    }

    /// Goes on with one peer's handshake, by one datagram.
    pub fn handle_handshake(&mut self, now: Instant) {
        let Some(Waiting { transport: key, datagram, .. }) = self.handshakes.waiting.pop_front() else { return };
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.waiting_handshakes = transport.waiting_handshakes.saturating_sub(1);
        transport.dtls.handle_datagram(now, &datagram);
        self.after_dtls(now, key);
    }
}
