//! What a user would notice, asked of what a peer received.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::peer::payloads::starts_key_frame;
use super::peer::sink::Got;
use super::peer::source::Published;
use super::world::{SinkId, SourceId, World};

/// A received packet and the published one that it carries.
pub struct Pair<'a> {
    pub number: u64,
    pub got: &'a Got,
    pub layer: usize,
    pub published: &'a Published,
}

impl World {
    /// Every received packet with its origin, in order of sequence numbers. Each must be byte for byte a published one, with
    /// its marker, and what a receiver must never see must not have happened.
    pub fn pairs(&self, sink: SinkId, source: SourceId) -> Vec<Pair<'_>> {
        self.assert_sound();
        let layers = &self.source(source).layers;
        let published: HashMap<&[u8], (usize, &Published)> = layers
            .iter()
            .enumerate()
            .flat_map(|(layer, known)| known.sent.iter().map(move |packet| (&packet.payload[..], (layer, packet))))
            .collect();
        let pair = |(number, got): (&u64, &'_ Got)| {
            let Some((layer, packet)) = published.get(&got.payload[..]) else {
                panic!("packet {number} carries what nobody published: {:02x?}", got.payload)
            };
            assert_eq!(got.marker, packet.marker, "the marker of packet {number}");
            (*number, *layer, *packet)
        };
        self.sink(sink)
            .packets
            .iter()
            .map(|entry| {
                let (number, layer, published) = pair(entry);
                Pair { number, got: entry.1, layer, published }
            })
            .collect()
    }

    /// The same for a source of one encoding that was never paused or restarted: numbers and timestamps run in step with the
    /// source's, and it starts with a key frame.
    pub fn stream(&self, sink: SinkId, source: SourceId) -> Vec<Pair<'_>> {
        let pairs = self.pairs(sink, source);
        let first = pairs.first().expect("nothing came");
        if self.sink(sink).is_video() {
            assert!(first.published.starts_key_frame, "the first packet starts no key frame");
            assert!(starts_key_frame(self.source(source).media, &first.got.payload));
        }
        for pair in &pairs {
            assert_eq!(
                pair.number - first.number,
                pair.published.extended - first.published.extended,
                "number {} is out of step",
                pair.number
            );
            assert_eq!(
                pair.got.timestamp.wrapping_sub(first.got.timestamp),
                pair.published.timestamp.wrapping_sub(first.published.timestamp),
                "the timestamp of {} is out of step",
                pair.number
            );
        }
        pairs
    }

    /// Nothing is missing between the first packet received and the last one published half a second ago.
    pub fn assert_complete(&self, sink: SinkId, source: SourceId) {
        self.assert_complete_before(sink, source, self.now - Duration::from_millis(500));
    }

    pub fn assert_complete_before(&self, sink: SinkId, source: SourceId, end: Instant) {
        let pairs = self.stream(sink, source);
        let first = pairs[0].published.extended;
        let layer = self.layer(source);
        let expected: Vec<u64> =
            layer.sent.iter().filter(|p| p.extended >= first && p.at < end).map(|p| p.extended).collect();
        let got: std::collections::HashSet<u64> = pairs.iter().map(|pair| pair.published.extended).collect();
        let missing: Vec<_> = expected.iter().filter(|number| !got.contains(number)).collect();
        assert!(expected.len() > 10, "hardly anything was published");
        assert!(missing.is_empty(), "{} of {} are missing: {missing:?}", missing.len(), expected.len());
    }

    /// No peer saw what must never happen.
    pub fn assert_sound(&self) {
        for (index, peer) in self.peers.iter().enumerate() {
            assert!(peer.faults.is_empty(), "peer {index}: {:?}", peer.faults);
            for sink in &peer.sinks {
                assert!(sink.faults.is_empty(), "peer {index}: {:?}", &sink.faults[..sink.faults.len().min(5)]);
            }
        }
        assert!(self.network.faults.is_empty(), "{:?}", self.network.faults);
        assert_eq!(self.core.stats().faults, 0);
        assert!(self.network.strays.is_empty(), "the core sends to strangers: {:?}", self.network.strays[0].0);
    }
}
