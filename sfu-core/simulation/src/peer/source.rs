//! What a peer publishes: frames on a schedule, key frames when asked, and what it hears about them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtp::header::Header;
use sfu_core::ids::ProducerId;
use sfu_core::parameters::{HeaderExtensionUri, RtpParameters};

use super::payloads::{Media, Place, payload};

/// How soon an encoder comes up with a key frame that it was asked for.
pub const KEY_FRAME_DELAY: Duration = Duration::from_millis(50);
/// The least time between two key frames (libwebrtc).
pub const KEY_FRAME_SPACING: Duration = Duration::from_millis(300);
/// How long a packet is kept for repetition (libwebrtc).
const HISTORY: Duration = Duration::from_secs(1);

/// The ids of header extensions by their meaning.
pub type Ids = HashMap<HeaderExtensionUri, u8>;

/// A packet as it was published.
#[derive(Debug, Clone)]
pub struct Published {
    pub extended: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Vec<u8>,
    pub starts_key_frame: bool,
    /// When it was captured.
    pub at: Instant,
}

/// What was said about one encoding.
#[derive(Debug, Default)]
pub struct Heard {
    pub pli: Vec<Instant>,
    pub fir: Vec<(Instant, u8)>,
    pub nacked: Vec<(Instant, u16)>,
    pub reports: Vec<(Instant, ReceptionReport)>,
}

impl Heard {
    pub fn key_frame_requests(&self) -> Vec<Instant> {
        let mut all: Vec<_> = self.pli.iter().copied().chain(self.fir.iter().map(|(at, _)| *at)).collect();
        all.sort();
        all
    }
}

/// One encoding.
pub struct Layer {
    pub ssrc: u32,
    pub rtx_ssrc: Option<u32>,
    pub rid: Option<String>,
    /// The number of the next packet; its low half goes on the wire.
    pub next: u64,
    pub next_rtx: u16,
    /// The timestamp of the source's first moment.
    pub timestamp_base: u32,
    pub is_active: bool,
    /// Packets of a frame, and bytes of a packet.
    pub packets: usize,
    pub bytes: usize,
    pub sent: Vec<Published>,
    pub heard: Heard,
    /// Reacts to requests for key frames.
    pub gives_key_frames: bool,
    key_frame_at: Option<Instant>,
    last_key_frame: Option<Instant>,
    frame: u64,
}

/// A producer, as the peer has it.
pub struct Source {
    pub producer: ProducerId,
    pub media: Media,
    pub payload_type: u8,
    pub rtx_payload_type: Option<u8>,
    pub clock_rate: u32,
    pub ids: Ids,
    pub mid: String,
    /// Whether packets carry their MID, and their RID if they have one.
    pub names_itself: bool,
    pub layers: Vec<Layer>,
    pub frame_interval: Duration,
    /// More header extensions for every packet.
    pub more_extensions: Vec<(u8, Bytes)>,
    started_at: Option<Instant>,
    next_frame_at: Option<Instant>,
}

/// A packet before it is stamped and sealed.
pub struct Outgoing {
    pub header: Header,
    pub payload: Bytes,
}

impl Source {
    /// As negotiated, not yet started. `timestamp_bases` and `first_sequences` are for each encoding.
    pub fn new(producer: ProducerId, parameters: &RtpParameters, ssrcs: &[(u32, Option<u32>)]) -> Self {
        let codec = &parameters.codecs[0];
        let media = Media::of(&codec.mime_type.to_string());
        let rtx = parameters.codecs.iter().find(|codec| codec.mime_type.is_rtx());
        let layers =
            parameters.encodings.iter().zip(ssrcs).enumerate().map(|(index, (encoding, (ssrc, rtx_ssrc)))| Layer {
                ssrc: *ssrc,
                rtx_ssrc: *rtx_ssrc,
                rid: encoding.rid.clone(),
                next: (1 << 16) + 1000 * (index as u64 + 1),
                next_rtx: 500,
                timestamp_base: 77_000 + 1_000_003 * (index as u32 + 1),
                is_active: true,
                packets: if media.is_video() { index + 2 } else { 1 },
                bytes: if media.is_video() { 900 } else { 90 },
                sent: Vec::new(),
                heard: Heard::default(),
                gives_key_frames: true,
                key_frame_at: None,
                last_key_frame: None,
                frame: 0,
            });
        Self {
            producer,
            media,
            payload_type: codec.payload_type.0,
            rtx_payload_type: rtx.map(|codec| codec.payload_type.0),
            clock_rate: codec.clock_rate,
            ids: parameters.header_extensions.iter().map(|known| (known.uri.clone(), known.id)).collect(),
            mid: parameters.mid.clone().unwrap_or_default(),
            names_itself: true,
            layers: layers.collect(),
            frame_interval: Duration::from_millis(if media.is_video() { 33 } else { 20 }),
            more_extensions: Vec::new(),
            started_at: None,
            next_frame_at: None,
        }
    }

    /// Sends from now on.
    pub fn start(&mut self, now: Instant) {
        self.started_at.get_or_insert(now);
        self.next_frame_at = Some(now);
    }

    /// Sends no more; goes on with [`Self::start`].
    pub fn stop(&mut self) {
        self.next_frame_at = None;
    }

    pub fn is_running(&self) -> bool {
        self.next_frame_at.is_some()
    }

    /// The only encoding.
    pub fn only(&self) -> &Layer {
        assert_eq!(self.layers.len(), 1);
        &self.layers[0]
    }

    pub fn layer_mut(&mut self, ssrc: u32) -> Option<&mut Layer> {
        self.layers.iter_mut().find(|layer| layer.ssrc == ssrc)
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_frame_at
    }

    /// The RTP timestamp of a moment in one encoding.
    pub fn timestamp(&self, layer: &Layer, at: Instant) -> u32 {
        let elapsed = at - self.started_at.unwrap_or(at);
        let ticks = elapsed.as_nanos() * u128::from(self.clock_rate) / 1_000_000_000;
        layer.timestamp_base.wrapping_add(ticks as u32)
    }

    /// The packets of the frame that is due.
    pub fn poll_frame(&mut self, now: Instant) -> Vec<Outgoing> {
        let Some(at) = self.next_frame_at.filter(|at| *at <= now) else { return Vec::new() };
        self.next_frame_at = Some(at + self.frame_interval);
        let mut packets = Vec::new();
        for index in 0..self.layers.len() {
            if self.layers[index].is_active {
                self.push_frame(at, index, &mut packets);
            }
        }
        packets
    }

    fn push_frame(&mut self, at: Instant, index: usize, packets: &mut Vec<Outgoing>) {
        let timestamp = self.timestamp(&self.layers[index], at);
        let is_video = self.media.is_video();
        let layer = &mut self.layers[index];
        let is_key = is_video && (layer.frame == 0 || layer.key_frame_at.is_some_and(|due| due <= at));
        if is_key {
            layer.key_frame_at = None;
            layer.last_key_frame = Some(at);
        }
        let count = if is_key { layer.packets * 3 } else { layer.packets };
        let first = layer.sent.len();
        for packet in 0..count {
            let place =
                Place { ssrc: layer.ssrc, extended: layer.next, frame: layer.frame, index: packet, count, is_key };
            layer.sent.push(Published {
                extended: layer.next,
                timestamp,
                marker: is_video && packet + 1 == count,
                payload: payload(self.media, place, layer.bytes),
                starts_key_frame: is_key && packet == 0,
                at,
            });
            layer.next += 1;
        }
        layer.frame += 1;
        let layer = &self.layers[index];
        packets.extend(layer.sent[first..].iter().map(|published| self.packet(layer, published)));
    }

    /// A published packet in its stream.
    pub fn packet(&self, layer: &Layer, published: &Published) -> Outgoing {
        let header = self.header(layer, published, layer.ssrc, self.payload_type, published.extended as u16);
        Outgoing { header, payload: published.payload.clone().into() }
    }

    /// A packet again (RFC 4588), or as it was when there is no RTX.
    pub fn retransmission(&mut self, now: Instant, ssrc: u32, sequence: u16) -> Option<Outgoing> {
        let index = self.layers.iter().position(|layer| layer.ssrc == ssrc)?;
        let layer = &self.layers[index];
        let mut kept = layer.sent.iter().rev().take_while(|published| now - published.at < HISTORY);
        let published = kept.find(|published| published.extended as u16 == sequence)?;
        let (Some(rtx_ssrc), Some(payload_type)) = (layer.rtx_ssrc, self.rtx_payload_type) else {
            return Some(self.packet(layer, published));
        };
        let mut header = self.header(layer, published, rtx_ssrc, payload_type, layer.next_rtx);
        if let (Some(rid), Some(id)) = (&layer.rid, self.ids.get(&HeaderExtensionUri::RepairedRtpStreamId))
            && self.names_itself
        {
            header.extensions.retain(|known| Some(&known.id) != self.ids.get(&HeaderExtensionUri::RtpStreamId));
            header.set_extension(*id, rid.clone().into_bytes().into()).unwrap();
        }
        let payload = [&sequence.to_be_bytes()[..], &published.payload].concat();
        self.layers[index].next_rtx = self.layers[index].next_rtx.wrapping_add(1);
        Some(Outgoing { header, payload: payload.into() })
    }

    fn header(&self, layer: &Layer, published: &Published, ssrc: u32, payload_type: u8, sequence: u16) -> Header {
        let mut header = Header {
            version: 2,
            marker: published.marker,
            payload_type,
            sequence_number: sequence,
            timestamp: published.timestamp,
            ssrc,
            ..Header::default()
        };
        let mut set = |uri: HeaderExtensionUri, value: &[u8]| {
            if let Some(id) = self.ids.get(&uri) {
                header.set_extension(*id, Bytes::copy_from_slice(value)).unwrap();
            }
        };
        if self.names_itself {
            set(HeaderExtensionUri::Mid, self.mid.as_bytes());
            if let Some(rid) = &layer.rid {
                set(HeaderExtensionUri::RtpStreamId, rid.as_bytes());
            }
        }
        if !self.media.is_video() {
            set(HeaderExtensionUri::SsrcAudioLevel, &[0x80 | (published.extended % 100) as u8]);
        }
        for (id, value) in &self.more_extensions {
            header.set_extension(*id, value.clone()).unwrap();
        }
        header
    }
}

impl Layer {
    /// Somebody asks for a key frame.
    pub fn want_key_frame(&mut self, now: Instant) {
        if self.gives_key_frames && self.key_frame_at.is_none() {
            let earliest = self.last_key_frame.map_or(now, |at| at + KEY_FRAME_SPACING);
            self.key_frame_at = Some((now + KEY_FRAME_DELAY).max(earliest));
        }
    }

    /// Packets and payload bytes so far, for sender reports.
    pub fn totals(&self) -> (u32, u32) {
        (self.sent.len() as u32, self.sent.iter().map(|packet| packet.payload.len() as u32).sum())
    }
}
