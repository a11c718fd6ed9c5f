//! What a user would notice, asked of what a peer received.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::sink::Got;
use super::source::payloads::{starts_key_frame, without_numbers};
use super::source::{Published, Source};
use super::world::{SinkId, SourceId, World};

/// A received packet and the published one that it carries.
pub struct Pair<'a> {
    /// Its sequence number, unwrapped.
    pub number: u64,
    /// As it came.
    pub got: &'a Got,
    /// The encoding that it is of.
    pub layer: usize,
    /// As it was sent.
    pub published: &'a Published,
}

impl World {
    /// Every received packet with its origin, in order of sequence numbers. Each must be a published one, byte for byte but for
    /// the numbers that a forwarder may write anew, with its marker (which it may also have as the last of several spatial
    /// layers), and what a receiver must never see must not have happened.
    ///
    /// # Panics
    /// It is not so.
    pub fn pairs(&self, sink: SinkId, source: SourceId) -> Vec<Pair<'_>> {
        self.assert_sound();
        let Source { media, layers, .. } = self.source(source);
        let published: HashMap<Vec<u8>, (usize, &Published)> = layers
            .iter()
            .enumerate()
            .flat_map(|(layer, known)| known.sent.iter().map(move |packet| (layer, packet)))
            .map(|(layer, packet)| (without_numbers(*media, &packet.payload[packet.own_from..]), (layer, packet)))
            .collect();
        let pair = |(&number, got): (&u64, &'_ Got)| {
            let Some((layer, packet)) = published.get(&without_numbers(*media, &got.payload)) else {
                panic!("packet {number} carries what nobody published: {:02x?}", got.payload)
            };
            let may_gain = layers[*layer].sizes.len() > 1;
            assert!(got.marker == packet.marker || got.marker && may_gain, "the marker of packet {number}");
            (*layer, *packet)
        };
        let packets = self.sink(sink).packets.iter();
        packets
            .map(|entry| {
                let (layer, published) = pair(entry);
                Pair { number: *entry.0, got: entry.1, layer, published }
            })
            .collect()
    }

    /// No frame came that could not be decoded through no loss, its numbers lead where the encoder's did, and pictures were
    /// decoded.
    ///
    /// # Panics
    /// It is not so.
    pub fn assert_decodable(&self, sink: SinkId) {
        self.assert_sound();
        let playback = self.sink(sink).playback();
        assert!(!playback.shown.is_empty(), "nothing was decoded");
        let undecodable = &playback.undecodable;
        assert!(undecodable.is_empty(), "{} pictures, first {:?}", undecodable.len(), undecodable[0]);
        assert_eq!(playback.before_key_frame, 0, "pictures before the first key picture");
        assert_eq!(playback.picture_id_holes, 0, "holes in picture ids");
        assert!(
            playback.number_faults.is_empty(),
            "{:?}",
            &playback.number_faults[..playback.number_faults.len().min(5)]
        );
    }

    /// The same for a source of one encoding that was never paused or restarted: numbers and timestamps run in step with the
    /// source's, and it starts with a key frame.
    ///
    /// # Panics
    /// It is not so.
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
    ///
    /// # Panics
    /// Something is.
    pub fn assert_complete(&self, sink: SinkId, source: SourceId) {
        self.assert_complete_before(sink, source, self.now - Duration::from_millis(500));
    }

    /// The same up to the last one published before `end`.
    ///
    /// # Panics
    /// Something is missing.
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
    ///
    /// # Panics
    /// One did.
    pub fn assert_sound(&self) {
        for (index, peer) in self.peers.iter().enumerate() {
            assert!(peer.faults.is_empty(), "peer {index}: {:?}", peer.faults);
            for sink in &peer.sinks {
                assert!(sink.faults.is_empty(), "peer {index}: {:?}", &sink.faults[..sink.faults.len().min(5)]);
            }
        }
        assert!(self.network.faults.is_empty(), "{:?}", self.network.faults);
        let branch = self.branch.as_ref().map(|branch| branch.core.stats());
        assert_eq!((self.core.stats().faults, branch.map_or(0, |stats| stats.faults)), (0, 0));
        assert!(self.network.strays.is_empty(), "the core sends to strangers: {:?}", self.network.strays[0].0);
    }
}
