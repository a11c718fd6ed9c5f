//! One encoding of a source: its packets, and what was said about them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc_rtcp::reception_report::ReceptionReport;
use sfu_core::negotiation::ScalabilityMode;

use super::descriptor::DescriptorWriter;
use super::encoder::{Encoder, LayerFrame, Pattern};
use super::payloads::{Media, Style, head, payload};
use crate::truth::Stamp;

/// How soon an encoder comes up with a key frame that it was asked for.
pub const KEY_FRAME_DELAY: Duration = Duration::from_millis(50);
/// The least time between two key frames (libwebrtc).
pub const KEY_FRAME_SPACING: Duration = Duration::from_millis(300);
/// Payload bytes of a video packet at most.
const PACKET_BYTES: usize = 1150;
/// Packets kept of an encoding that records nothing, a second's at least.
const KEPT_PACKETS: usize = 4096;

/// A packet as it was published.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its sequence number, unwrapped.
    pub extended: u64,
    /// RTP's.
    pub timestamp: u32,
    /// RTP's.
    pub marker: bool,
    /// All of it.
    pub payload: Vec<u8>,
    /// In RED, where this packet's own block begins.
    pub own_from: usize,
    /// Whether a decoder can start with it.
    pub starts_key_frame: bool,
    /// When it was captured.
    pub at: Instant,
    /// The audio level byte (RFC 6464).
    pub level: Option<u8>,
    /// The dependency descriptor.
    pub descriptor: Option<Bytes>,
}

/// What was said about one encoding.
#[derive(Debug, Default)]
pub struct Heard {
    /// Picture loss indications.
    pub pli: Vec<Instant>,
    /// Full intra requests, with their numbers.
    pub fir: Vec<(Instant, u8)>,
    /// Sequence numbers asked for again.
    pub nacked: Vec<(Instant, u16)>,
    /// Receiver reports.
    pub reports: Vec<(Instant, ReceptionReport)>,
}

impl Heard {
    /// Requests for key frames of either kind, in order.
    pub fn key_frame_requests(&self) -> Vec<Instant> {
        let mut all: Vec<_> = self.pli.iter().copied().chain(self.fir.iter().map(|(at, _)| *at)).collect();
        all.sort();
        all
    }
}

/// One encoding.
pub struct Layer {
    /// Its SSRC.
    pub ssrc: u32,
    /// That of its repetitions.
    pub rtx_ssrc: Option<u32>,
    /// Its name.
    pub rid: Option<String>,
    /// The number of the next packet; its low half goes on the wire.
    pub next: u64,
    /// The same for repetitions.
    pub next_rtx: u16,
    /// The timestamp of the source's first moment.
    pub timestamp_base: u32,
    /// Whether it is sent. See [`super::Source::set_active`].
    pub is_active: bool,
    /// Packets of a frame while `bitrates` is empty; a key frame has three times as many.
    pub packets: usize,
    /// Bytes of such a packet.
    pub bytes: usize,
    /// Bit/s of each spatial layer, lowest first. Empty: frames are all alike.
    pub bitrates: Vec<u64>,
    /// Pixels of each spatial layer, lowest first.
    pub sizes: Vec<(u16, u16)>,
    /// What was sent; the latest alone if the source does not record.
    pub sent: Vec<Published>,
    /// What was said about it.
    pub heard: Heard,
    /// Reacts to requests for key frames.
    pub gives_key_frames: bool,
    /// Key pictures sent.
    pub key_frames: usize,
    /// The first picture's id.
    pub picture_id_base: u16,
    pub(super) encoder: Encoder,
    pub(super) writer: Option<DescriptorWriter>,
    totals: (u32, u32),
    pub(super) key_frame_at: Option<Instant>,
    pub(super) last_key_frame: Option<Instant>,
    pub(super) before: Option<(Vec<u8>, u32)>,
}

impl Layer {
    pub(super) fn new(
        media: Media,
        index: usize,
        mode: ScalabilityMode,
        (ssrc, rtx_ssrc): (u32, Option<u32>),
        rid: Option<String>,
        picture_id_base: u16,
    ) -> Self {
        let pattern = if media == Media::Vp8 { Pattern::Vp8 } else { Pattern::Standard };
        Self {
            ssrc,
            rtx_ssrc,
            rid,
            next: (1 << 16) + 1000 * (index as u64 + 1),
            next_rtx: 500,
            timestamp_base: 77_000 + 1_000_003 * (index as u32 + 1),
            is_active: true,
            packets: index + 2,
            bytes: 900,
            bitrates: Vec::new(),
            sizes: (0..mode.spatial_layers).map(|spatial| (320 << spatial.min(3), 180 << spatial.min(3))).collect(),
            sent: Vec::new(),
            heard: Heard::default(),
            gives_key_frames: true,
            key_frames: 0,
            picture_id_base,
            encoder: Encoder::new(mode, pattern),
            writer: None,
            totals: (0, 0),
            key_frame_at: None,
            last_key_frame: None,
            before: None,
        }
    }

    /// Somebody asks for a key frame.
    pub fn want_key_frame(&mut self, now: Instant) {
        if self.gives_key_frames && self.key_frame_at.is_none() {
            let earliest = self.last_key_frame.map_or(now, |at| at + KEY_FRAME_SPACING);
            self.key_frame_at = Some((now + KEY_FRAME_DELAY).max(earliest));
        }
    }

    /// Packets and payload bytes so far, for sender reports.
    pub fn totals(&self) -> (u32, u32) {
        self.totals
    }

    /// Spatial layers that are sent now.
    pub fn spatial_layers(&self) -> u8 {
        self.encoder.spatial_layers()
    }

    /// The next picture is a key picture, whenever the last was.
    pub(super) fn begins_anew(&mut self) {
        self.key_frame_at = self.last_key_frame;
    }

    /// The payload bytes of a frame's packets.
    pub(super) fn packet_lens(
        &mut self,
        frame: &LayerFrame,
        interval: Duration,
        key_factor: f64,
        noise: f64,
    ) -> Vec<usize> {
        let Some(&bps) = self.bitrates.get(usize::from(frame.frame.layers.spatial)) else {
            return vec![self.bytes; if frame.frame.is_key { 3 * self.packets } else { self.packets }];
        };
        let bytes = self.encoder.frame_bytes(&frame.frame, bps, interval, key_factor, noise);
        let count = bytes.div_ceil(PACKET_BYTES);
        // Equal but for a byte, the shorter ones first, as libwebrtc splits frames.
        (0..count).map(|index| (bytes + index) / count).collect()
    }

    #[expect(clippy::too_many_arguments, reason = "a frame in its place")]
    pub(super) fn push_frame(
        &mut self,
        media: Media,
        style: Style,
        at: Instant,
        timestamp: u32,
        frame: &LayerFrame,
        lens: &[usize],
        ends_picture: bool,
    ) {
        let descriptors = self.writer.as_mut().map(|writer| writer.write(frame));
        let count = lens.len();
        for (index, len) in lens.iter().enumerate() {
            let stamp = Stamp {
                ssrc: self.ssrc,
                extended: self.next,
                index: index as u16,
                count: count as u16,
                frame: frame.frame,
            };
            let head = head(media, style, frame, &self.sizes, index, count);
            let descriptor = descriptors.as_ref().map(|known| Bytes::copy_from_slice(known.of(index, count)));
            self.push(Published {
                extended: self.next,
                timestamp,
                marker: ends_picture && index + 1 == count,
                payload: payload(head, &stamp, *len),
                own_from: 0,
                starts_key_frame: frame.frame.is_key && frame.frame.layers.spatial == 0 && index == 0,
                at,
                level: None,
                descriptor,
            });
        }
    }

    pub(super) fn push(&mut self, published: Published) {
        self.totals.0 = self.totals.0.wrapping_add(1);
        self.totals.1 = self.totals.1.wrapping_add(published.payload.len() as u32);
        self.next += 1;
        self.sent.push(published);
    }

    pub(super) fn forget(&mut self, records: bool) {
        if !records && self.sent.len() > 2 * KEPT_PACKETS {
            self.sent.drain(..KEPT_PACKETS);
        }
    }
}
