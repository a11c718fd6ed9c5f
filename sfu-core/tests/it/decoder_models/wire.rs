//! A source and a sink with nothing between them but what a test does to the packets.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rtc_rtp::header::Header;
use sfu_core::ids::{ConsumerId, ProducerId, Ssrc};
use sfu_core::parameters::{ConsumerType, MediaKind, RtpParameters};
use sfu_core::worker::ConsumerInfo;
use simulation::sink::Sink;
use simulation::sink::playback::Playback;
use simulation::source::Source;
use simulation::source::video::Video;
use simulation::truth::{Frame, Stamp};
use simulation::{World, ms, vectors};

use Fate::{Drop, Forward, Lose};

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Forward,
    /// As a forwarder drops: the next packet has its number.
    Drop,
    /// As a network loses: its number is missing.
    Lose,
}

/// A packet on its way.
pub(super) struct Passing<'a> {
    pub(super) frame: Frame,
    pub(super) stamp: Stamp,
    pub(super) header: &'a mut Header,
    pub(super) payload: &'a mut Vec<u8>,
}

/// A source, a sink, and a clock.
pub(super) struct Wire {
    pub(super) now: Instant,
    pub(super) source: Source,
    pub(super) sink: Sink,
    pub(super) next: u16,
    pub(super) lost: Vec<(Header, Bytes)>,
    pub(super) asked: Vec<Instant>,
}

pub(super) const SSRC: u32 = 4242;

impl Wire {
    pub(super) fn new(video: &Video) -> Self {
        let mut wire = Self::of(MediaKind::Video, vectors::video_parameters(video));
        wire.source.set_video(video);
        wire
    }

    pub(super) fn of(kind: MediaKind, mut parameters: RtpParameters) -> Self {
        let mut rng = SmallRng::seed_from_u64(7);
        let origin = World::new(0).origin;
        parameters.mid = Some("m".to_owned());
        let ssrcs: Vec<_> = (0..parameters.encodings.len() as u32).map(|index| (100 + index, None)).collect();
        let producer_id = ProducerId::random(&mut rng);
        let mut source = Source::new(origin, 1, producer_id, &parameters, &ssrcs);
        source.start(origin);
        parameters.encodings.truncate(1);
        parameters.encodings[0].ssrc = Some(Ssrc(SSRC));
        let info = ConsumerInfo {
            id: ConsumerId::random(&mut rng),
            producer_id,
            kind,
            consumer_type: ConsumerType::Simple,
            rtp_parameters: parameters,
            producer_paused: false,
            preferred_layers: None,
        };
        let sink = Sink::new(origin, info);
        Self { now: origin, source, sink, next: 65_000, lost: Vec::new(), asked: Vec::new() }
    }

    /// Lets time pass, each packet being treated by `treat`.
    pub(super) fn run(&mut self, time: Duration, mut treat: impl FnMut(&mut Passing<'_>) -> Fate) {
        let end = self.now + time;
        while self.now < end {
            for packet in self.source.poll_frame(self.now) {
                let (mut header, mut payload) = (packet.header, packet.payload.to_vec());
                let stamp = Stamp::read(&payload).unwrap();
                let mut passing = Passing { frame: stamp.frame, stamp, header: &mut header, payload: &mut payload };
                let fate = treat(&mut passing);
                (header.ssrc, header.sequence_number) = (SSRC, self.next);
                match fate {
                    Forward => self.sink.handle(self.now, &header, payload.into()),
                    Drop => continue,
                    Lose => self.lost.push((header, payload.into())),
                }
                self.next = self.next.wrapping_add(1);
            }
            self.sink.poll_nack(self.now);
            if self.sink.poll_key_frame_request(self.now) {
                self.asked.push(self.now);
            }
            self.now += ms(1);
        }
    }

    /// What was lost comes after all.
    pub(super) fn repair(&mut self) {
        for (header, payload) in std::mem::take(&mut self.lost) {
            self.sink.handle(self.now, &header, payload);
        }
    }

    pub(super) fn ask_for_key_frame(&mut self) {
        let now = self.now;
        self.source.layers.iter_mut().for_each(|layer| layer.want_key_frame(now));
    }

    pub(super) fn playback(&self) -> &Playback {
        self.sink.playback()
    }

    /// Everything was decoded, and nothing is wrong.
    pub(super) fn assert_flawless(&self, what: &str) {
        let playback = self.playback();
        assert!(self.sink.faults.is_empty(), "{what}: {:?}", self.sink.faults);
        assert!(playback.undecodable.is_empty(), "{what}: {:?}", playback.undecodable[0]);
        assert!(playback.number_faults.is_empty(), "{what}: {:?}", playback.number_faults[0]);
        let others = [playback.lost, playback.before_key_frame, playback.picture_id_holes, playback.unreadable];
        assert_eq!(others, [0; 4], "{what}");
        assert!(playback.freezes(self.now).is_empty(), "{what}: {:?}", playback.freezes(self.now));
        assert!(self.asked.is_empty(), "{what} asked for key frames");
    }
}
