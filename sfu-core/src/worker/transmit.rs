//! What the core wants sent, gathered over one batch turn in a single reusable slab.

use crate::transport::tuple::Tuple;

/// The largest datagram that is taken in or sent, in bytes. Ethernet's 1500 less nothing: a larger one is no media packet
/// of a browser (they stay below 1200) and is dropped where it arrives.
pub const MAX_DATAGRAM_BYTES: usize = 1500;

/// Room that a packet may need beyond [`MAX_DATAGRAM_BYTES`] while it is rewritten and sealed: two-byte extensions,
/// the original sequence number of a retransmission, an SRTP tag.
const HEADROOM_BYTES: usize = 256;

/// Datagrams waiting to be sent, in order. Nothing is allocated in steady state: the slab keeps its high-water size,
/// which is bounded by the largest batch (the shell drains the queue after every inbound datagram that filled more than
/// [`TransmitQueue::DRAIN_BYTES`]).
#[derive(Debug, Default)]
pub struct TransmitQueue {
    slab: Vec<u8>,
    used: usize,
    entries: Vec<Transmit>,
}

#[derive(Debug, Clone, Copy)]
struct Transmit {
    tuple: Tuple,
    start: usize,
    len: usize,
}

impl TransmitQueue {
    /// Beyond this much waiting the shell drains the queue before it reads another datagram.
    pub const DRAIN_BYTES: usize = 512 * 1024;

    /// A slot at the end of the slab to write a packet into: at least [`MAX_DATAGRAM_BYTES`] long. What it holds is
    /// unspecified; it becomes a datagram by [`Self::commit`].
    pub fn slot(&mut self) -> &mut [u8] {
        let end = self.used + MAX_DATAGRAM_BYTES + HEADROOM_BYTES;
        if self.slab.len() < end {
            self.slab.resize(end, 0);
        }
        &mut self.slab[self.used..end]
    }

    /// Queues the first `len` bytes of the slot for `tuple`.
    pub fn commit(&mut self, tuple: Tuple, len: usize) {
        debug_assert!(self.used + len <= self.slab.len());
        self.entries.push(Transmit { tuple, start: self.used, len });
        self.used += len;
    }

    /// Queues a datagram that is already written elsewhere. Longer than a slot, it is dropped: nobody could receive it.
    pub fn push(&mut self, tuple: Tuple, datagram: &[u8]) {
        if let Some(slot) = self.slot().get_mut(..datagram.len()) {
            slot.copy_from_slice(datagram);
            self.commit(tuple, datagram.len());
        }
    }

    /// Bytes that wait.
    pub fn waiting_bytes(&self) -> usize {
        self.used
    }

    /// Hands every waiting datagram to `send`, in order, and empties the queue.
    pub fn drain(&mut self, mut send: impl FnMut(Tuple, &[u8])) {
        for entry in &self.entries {
            send(entry.tuple, &self.slab[entry.start..entry.start + entry.len]);
        }
        self.entries.clear();
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tuple::Protocol;

    fn tuple(port: u16) -> Tuple {
        Tuple { protocol: Protocol::Udp, local: ([127, 0, 0, 1], 4000).into(), remote: ([127, 0, 0, 1], port).into() }
    }

    #[test]
    fn datagrams_leave_in_order_and_once() {
        let mut queue = TransmitQueue::default();
        queue.push(tuple(1), b"one");
        queue.slot()[..5].copy_from_slice(b"two!!");
        queue.commit(tuple(2), 3);
        assert_eq!(queue.waiting_bytes(), 6);
        let mut sent = Vec::new();
        queue.drain(|to, bytes| sent.push((to.remote.port(), bytes.to_vec())));
        assert_eq!(sent, [(1, b"one".to_vec()), (2, b"two".to_vec())]);
        queue.drain(|_, _| panic!("nothing is sent twice"));
    }

    #[test]
    fn an_oversized_datagram_is_dropped_and_leaves_the_others_alone() {
        let mut queue = TransmitQueue::default();
        queue.push(tuple(1), &[0; 70_000]);
        queue.push(tuple(2), b"x");
        let mut ports = Vec::new();
        queue.drain(|to, _| ports.push(to.remote.port()));
        assert_eq!(ports, [2]);
    }
}
