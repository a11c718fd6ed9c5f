//! Which producer a packet belongs to, and the SRTP state of each source.

use crate::ids::Ssrc;
use crate::srtp::OpenStream;
use crate::worker::ProducerKey;

/// Sources of one transport: two for each encoding that it takes (`worker::limits::MAX_ENCODINGS_PER_TRANSPORT`). At the limit
/// packets of new sources are refused.
pub(crate) const MAX_INBOUND_STREAMS: usize = 256;

/// A source that belongs to a producer.
#[derive(Debug)]
pub(crate) struct InboundStream {
    pub(crate) ssrc: Ssrc,
    /// Decryption state. Made only for sources that signalling named, or whose first packet was authentic and carried a
    /// MID or RID of ours: a stranger cannot make us keep any.
    pub(crate) open: OpenStream,
    pub(crate) producer: ProducerKey,
    /// Index of the encoding in its producer.
    pub(crate) encoding: usize,
    /// Whether it carries retransmissions (RFC 4588) of that encoding.
    pub(crate) is_rtx: bool,
}

/// The sources of a transport, ordered by SSRC: found by a handful of comparisons, whatever numbers a stranger picks.
#[derive(Debug, Default)]
pub(crate) struct InboundStreams {
    streams: Vec<InboundStream>,
}

impl InboundStreams {
    pub(crate) fn get_mut(&mut self, ssrc: Ssrc) -> Option<&mut InboundStream> {
        let index = self.streams.binary_search_by_key(&ssrc, |stream| stream.ssrc).ok()?;
        self.streams.get_mut(index)
    }

    pub(crate) fn contains(&self, ssrc: Ssrc) -> bool {
        self.streams.binary_search_by_key(&ssrc, |stream| stream.ssrc).is_ok()
    }

    /// Adds a source; `false` when the SSRC is taken or the limit is reached.
    pub(crate) fn insert(&mut self, stream: InboundStream) -> bool {
        match self.streams.binary_search_by_key(&stream.ssrc, |stream| stream.ssrc) {
            Err(index) if self.streams.len() < MAX_INBOUND_STREAMS => {
                self.streams.insert(index, stream);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn forget(&mut self, producer: ProducerKey) {
        self.streams.retain(|stream| stream.producer != producer);
    }
}

#[cfg(test)]
mod tests {
    use slotmap::SlotMap;

    use super::*;

    fn stream(ssrc: u32, producer: ProducerKey) -> InboundStream {
        InboundStream { ssrc: Ssrc(ssrc), open: OpenStream::new(Ssrc(ssrc)), producer, encoding: 0, is_rtx: false }
    }

    #[test]
    fn a_source_is_found_whatever_the_order_of_coming() {
        let mut keys = SlotMap::<ProducerKey, ()>::with_key();
        let (one, two) = (keys.insert(()), keys.insert(()));
        let mut streams = InboundStreams::default();
        for ssrc in [7, 3, u32::MAX, 0] {
            assert!(streams.insert(stream(ssrc, one)));
        }
        assert!(!streams.insert(stream(3, two)), "an SSRC has one owner");
        assert!(streams.insert(stream(5, two)));
        assert_eq!(streams.get_mut(Ssrc(u32::MAX)).unwrap().producer, one);
        streams.forget(one);
        assert!(!streams.contains(Ssrc(3)));
        assert!(streams.contains(Ssrc(5)), "another producer's source stays");
    }

    #[test]
    fn at_the_limit_new_sources_are_refused_and_known_ones_stay() {
        let producer = SlotMap::<ProducerKey, ()>::with_key().insert(());
        let mut streams = InboundStreams::default();
        for ssrc in 0..MAX_INBOUND_STREAMS as u32 {
            assert!(streams.insert(stream(ssrc, producer)));
        }
        assert!(!streams.insert(stream(9999, producer)));
        assert!(streams.contains(Ssrc(0)));
    }
}
