//! What the core wants sent, gathered over one batch turn in a single reusable slab.

use crate::transport::tuple::Tuple;

/// The largest datagram that is taken in or sent, in bytes. Ethernet's 1500 less nothing: a larger one is no media packet
/// of a browser (they stay below 1200) and is dropped where it arrives.
pub const MAX_DATAGRAM_BYTES: usize = 1500;

/// Room that a packet may need beyond [`MAX_DATAGRAM_BYTES`] while it is rewritten and sealed: two-byte extensions,
/// the original sequence number of a retransmission, an SRTP tag.
const HEADROOM_BYTES: usize = 256;

/// Datagrams that are joined at most: the kernel takes 64 in one call, and beyond 16 there is little to save.
pub const MAX_JOINED: usize = 16;

/// What is lost first when a socket takes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransmitClass {
    /// Pictures, first or again, and probes of the path.
    Video,
    /// Sound.
    Audio,
    /// What keeps associations and streams going: ICE, DTLS, RTCP.
    Control,
}

/// Datagrams waiting to be sent, in order. Nothing is allocated in steady state: the slab keeps its high-water size,
/// which is bounded by what one call of the core writes (see [`TransmitQueue::DRAIN_BYTES`]).
///
/// Datagrams of one destination that come one after the other and are equally long, but for a shorter last one, form a
/// [`Run`]: the kernel takes such a run as one (UDP GSO).
#[derive(Debug, Default)]
pub struct TransmitQueue {
    slab: Vec<u8>,
    used: usize,
    runs: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    tuple: Tuple,
    class: TransmitClass,
    start: usize,
    len: usize,
    segment_len: usize,
    count: usize,
}

/// Which run a datagram is of: how many there were with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunIndex(usize);

/// Datagrams of one destination, one behind the other.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Where they go.
    pub tuple: Tuple,
    /// What they are.
    pub class: TransmitClass,
    /// All of them.
    pub bytes: &'a [u8],
    /// Each one's length but the last one's, which may be less.
    pub segment_len: usize,
}

impl<'a> Run<'a> {
    /// Each of them.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.chunks(self.segment_len.max(1))
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.bytes.len().div_ceil(self.segment_len.max(1))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl TransmitQueue {
    /// Beyond this much waiting the core stops forwarding, and the shell drains the queue before anything else: what was just
    /// written is still in the processor's cache when it is sent.
    pub const DRAIN_BYTES: usize = 256 * 1024;

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
    pub fn commit(&mut self, tuple: Tuple, class: TransmitClass, len: usize) {
        self.commit_behind(None, &tuple, class, len);
    }

    /// The same where the datagram that was queued before for this tuple is known, if any was lately. Returns what to know this one
    /// by, until the queue is drained: so a picture's packets cost one comparison of tuples.
    #[inline(always)]
    pub(super) fn commit_behind(
        &mut self,
        before: Option<RunIndex>,
        tuple: &Tuple,
        class: TransmitClass,
        len: usize,
    ) -> Option<RunIndex> {
        debug_assert!(self.used + len <= self.slab.len());
        let latest = RunIndex(self.runs.len());
        match self.runs.last_mut() {
            Some(run) if run.takes(class, len) && (before == Some(latest) || run.tuple == *tuple) => {
                debug_assert_eq!(run.tuple, *tuple, "a run is of one destination");
                run.len += len;
                run.count += 1;
            }
            _ if len > 0 => {
                self.runs.push(Entry { tuple: *tuple, class, start: self.used, len, segment_len: len, count: 1 });
            }
            _ => {}
        }
        self.used += len;
        Some(RunIndex(self.runs.len()))
    }

    /// Queues a datagram that is already written elsewhere. Longer than a slot, it is dropped: nobody could receive it.
    pub fn push(&mut self, tuple: Tuple, datagram: &[u8]) {
        if let Some(slot) = self.slot().get_mut(..datagram.len()) {
            slot.copy_from_slice(datagram);
            self.commit(tuple, TransmitClass::Control, datagram.len());
        }
    }

    /// Bytes that wait.
    pub fn waiting_bytes(&self) -> usize {
        self.used
    }

    /// Whether more waits than should: the queue is to be drained.
    pub fn is_full(&self) -> bool {
        self.used > Self::DRAIN_BYTES
    }

    /// Whatever waits, in order.
    pub fn runs(&self) -> impl Iterator<Item = Run<'_>> {
        self.runs.iter().map(|&Entry { tuple, class, start, len, segment_len, .. }| Run {
            tuple,
            class,
            bytes: &self.slab[start..start + len],
            segment_len,
        })
    }

    /// Empties the queue.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.used = 0;
    }

    /// Hands every waiting datagram to `send`, in order, and empties the queue.
    pub fn drain(&mut self, mut send: impl FnMut(Tuple, &[u8])) {
        for run in self.runs() {
            run.datagrams().for_each(|datagram| send(run.tuple, datagram));
        }
        self.clear();
    }
}

impl Entry {
    /// Whether a datagram of the same destination goes on a run: only the last of one may be shorter.
    fn takes(&self, class: TransmitClass, len: usize) -> bool {
        self.count < MAX_JOINED
            && self.len == self.count * self.segment_len
            && (1..=self.segment_len).contains(&len)
            && self.class == class
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tuple::Protocol;

    fn tuple(port: u16) -> Tuple {
        Tuple { protocol: Protocol::Udp, local: ([127, 0, 0, 1], 4000).into(), remote: ([127, 0, 0, 1], port).into() }
    }

    fn commit(queue: &mut TransmitQueue, port: u16, len: usize) {
        queue.slot()[..len].fill(len as u8);
        queue.commit(tuple(port), TransmitClass::Video, len);
    }

    fn runs(queue: &TransmitQueue) -> Vec<(u16, Vec<usize>)> {
        queue.runs().map(|run| (run.tuple.remote.port(), run.datagrams().map(<[u8]>::len).collect())).collect()
    }

    #[test]
    fn datagrams_leave_in_order_and_once() {
        let mut queue = TransmitQueue::default();
        queue.push(tuple(1), b"one");
        queue.slot()[..5].copy_from_slice(b"two!!");
        queue.commit(tuple(2), TransmitClass::Audio, 3);
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

    /// Harm prevented: the kernel cuts a run into equal pieces, so a wrong one comes out as other datagrams than went in.
    #[test]
    fn equal_datagrams_of_one_destination_are_joined_and_a_shorter_one_ends_them() {
        let mut queue = TransmitQueue::default();
        for (port, len) in [(1, 100), (1, 100), (1, 60), (1, 60), (2, 60), (2, 61), (1, 61)] {
            commit(&mut queue, port, len);
        }
        assert_eq!(runs(&queue), [(1, vec![100, 100, 60]), (1, vec![60]), (2, vec![60]), (2, vec![61]), (1, vec![61])]);
        let mut sent = 0;
        queue.drain(|_, datagram| {
            assert!(datagram.iter().all(|byte| usize::from(*byte) == datagram.len()));
            sent += 1;
        });
        assert_eq!(sent, 7);
    }

    #[test]
    fn no_more_are_joined_than_the_limit_says() {
        let mut queue = TransmitQueue::default();
        (0..=MAX_JOINED).for_each(|_| commit(&mut queue, 1, 100));
        assert_eq!(runs(&queue), [(1, vec![100; MAX_JOINED]), (1, vec![100])]);
    }

    /// Harm prevented: sound is lost with the pictures that it was joined to.
    #[test]
    fn what_is_lost_first_is_not_joined_to_what_is_lost_last() {
        let mut queue = TransmitQueue::default();
        commit(&mut queue, 1, 100);
        queue.push(tuple(1), &[0; 50]);
        assert_eq!(runs(&queue), [(1, vec![100]), (1, vec![50])]);
    }
}
