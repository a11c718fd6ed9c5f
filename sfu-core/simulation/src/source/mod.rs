//! What a peer publishes: frames on a schedule, key frames when asked, and what it hears about them.

pub mod descriptor;
pub mod encoder;
mod layer;
pub mod payloads;
pub mod video;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtc_rtp::header::{EXTENSION_PROFILE_TWO_BYTE, Header};
use sfu_core::ids::ProducerId;
use sfu_core::negotiation::ScalabilityMode;
use sfu_core::parameters::{HeaderExtensionUri, RtpParameters};

pub use self::layer::{Heard, KEY_FRAME_DELAY, KEY_FRAME_SPACING, Layer, Published};

use self::descriptor::DescriptorWriter;
use self::payloads::{Media, Style, payload, red};
use self::video::{Audio, Video};
use crate::truth::Stamp;

/// How long a packet is kept for repetition (libwebrtc).
const HISTORY: Duration = Duration::from_secs(1);
/// From one packet to the next in silence, with discontinuous transmission.
const DTX_INTERVAL: Duration = Duration::from_millis(400);
/// The level that means silence (RFC 6464).
const SILENCE: u8 = 127;
/// The ids of header extensions by their meaning.
pub type Ids = HashMap<HeaderExtensionUri, u8>;

/// A producer, as the peer has it.
pub struct Source {
    /// Its id.
    pub producer: ProducerId,
    /// What it sends.
    pub media: Media,
    /// RTP's.
    pub payload_type: u8,
    /// That of repetitions.
    pub rtx_payload_type: Option<u8>,
    /// That of Opus inside RED.
    pub inner_payload_type: Option<u8>,
    /// Ticks of the timestamp in a second.
    pub clock_rate: u32,
    /// Header extensions.
    pub ids: Ids,
    /// The media section.
    pub mid: String,
    /// Whether packets carry their MID, and their RID if they have one.
    pub names_itself: bool,
    /// The encodings, lowest first.
    pub layers: Vec<Layer>,
    /// From one frame to the next.
    pub frame_interval: Duration,
    /// How many times the mean a key frame has.
    pub key_factor: f64,
    /// How much frames differ in size.
    pub variation: f64,
    /// VP9 in flexible mode.
    pub is_flexible: bool,
    /// The probability that a picture comes without its uppermost spatial layer.
    pub left_out: f64,
    /// What is heard, if it is audio.
    pub audio: Audio,
    /// More header extensions for every packet.
    pub more_extensions: Vec<(u8, Bytes)>,
    /// Keeps everything it sent.
    pub records: bool,
    origin: Instant,
    started_at: Option<Instant>,
    next_frame_at: Option<Instant>,
    next_frame_id: u32,
    rng: StdRng,
}

/// A packet before it is stamped and sealed.
pub struct Outgoing {
    /// Without stamps.
    pub header: Header,
    /// All of it.
    pub payload: Bytes,
}

impl Source {
    /// As negotiated, not yet started, with frames all alike. `ssrcs` are those of each encoding and its repetitions;
    /// captures are counted from `origin`.
    ///
    /// # Panics
    /// There are no payloads for the codec.
    pub fn new(
        origin: Instant,
        seed: u64,
        producer: ProducerId,
        parameters: &RtpParameters,
        ssrcs: &[(u32, Option<u32>)],
    ) -> Self {
        let codec = &parameters.codecs[0];
        let media = Media::of(&codec.mime_type.to_string());
        let is_red = codec.mime_type.to_string() == "audio/red";
        let inner = parameters.codecs.iter().find(|codec| is_red && codec.mime_type.to_string() == "audio/opus");
        let rtx = parameters.codecs.iter().find(|codec| codec.mime_type.is_rtx());
        let ids: Ids = parameters.header_extensions.iter().map(|known| (known.uri.clone(), known.id)).collect();
        let mut rng = StdRng::seed_from_u64(seed);
        let layers = parameters.encodings.iter().zip(ssrcs).enumerate().map(|(index, (encoding, ssrcs))| {
            // H.264 has no field for layers.
            let mode = encoding.scalability_mode.as_deref().filter(|_| media.is_video() && media != Media::H264);
            let mode = ScalabilityMode::parse(mode);
            Layer::new(media, index, mode, *ssrcs, encoding.rid.clone(), rng.random())
        });
        let mut source = Self {
            producer,
            media,
            payload_type: codec.payload_type.0,
            rtx_payload_type: rtx.map(|codec| codec.payload_type.0),
            inner_payload_type: inner.map(|codec| codec.payload_type.0),
            clock_rate: codec.clock_rate,
            mid: parameters.mid.clone().unwrap_or_default(),
            names_itself: true,
            layers: layers.collect(),
            frame_interval: Duration::from_millis(if media.is_video() { 33 } else { 20 }),
            key_factor: 3.0,
            variation: 0.0,
            is_flexible: false,
            left_out: 0.0,
            audio: Audio { is_red, ..Audio::default() },
            more_extensions: Vec::new(),
            records: true,
            origin,
            started_at: None,
            next_frame_at: None,
            next_frame_id: 0,
            rng,
            ids,
        };
        source.make_writers();
        source
    }

    /// Sends frames of these sizes, before anything was sent.
    pub fn set_video(&mut self, video: &Video) {
        self.frame_interval = video.interval;
        self.key_factor = video.key_factor;
        self.variation = video.variation;
        self.is_flexible = video.is_flexible;
        self.left_out = video.left_out;
        for (layer, encoding) in self.layers.iter_mut().zip(&video.encodings) {
            layer.bitrates.clone_from(&encoding.bitrates);
            layer.sizes.clone_from(&encoding.sizes);
        }
        self.make_writers();
    }

    fn make_writers(&mut self) {
        let described = self.media == Media::Av1 && self.ids.contains_key(&HeaderExtensionUri::DependencyDescriptor);
        for layer in &mut self.layers {
            layer.writer = described.then(|| DescriptorWriter::new(layer.encoder.mode, layer.sizes.clone()));
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

    /// Whether it sends.
    pub fn is_running(&self) -> bool {
        self.next_frame_at.is_some()
    }

    /// Switches an encoding off or on, as `RTCRtpSender.setParameters` does: on again it starts with a key frame.
    pub fn set_active(&mut self, encoding: usize, is_active: bool) {
        let layer = &mut self.layers[encoding];
        if is_active && !layer.is_active {
            layer.begins_anew();
        }
        layer.is_active = is_active;
    }

    /// Sends so many spatial layers of an encoding; more than before start with a key picture.
    pub fn set_spatial_layers(&mut self, encoding: usize, count: u8) {
        let layer = &mut self.layers[encoding];
        if layer.encoder.set_spatial_layers(count) {
            layer.begins_anew();
        }
    }

    /// The only encoding.
    ///
    /// # Panics
    /// There are several.
    pub fn only(&self) -> &Layer {
        assert_eq!(self.layers.len(), 1);
        &self.layers[0]
    }

    /// The encoding with this SSRC.
    pub fn layer_mut(&mut self, ssrc: u32) -> Option<&mut Layer> {
        self.layers.iter_mut().find(|layer| layer.ssrc == ssrc)
    }

    /// When the next frame is due.
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
        let is_silent = self.audio.uses_dtx && self.audio.level == SILENCE && !self.media.is_video();
        self.next_frame_at = Some(at + if is_silent { DTX_INTERVAL } else { self.frame_interval });
        let mut packets = Vec::new();
        for index in 0..self.layers.len() {
            if self.layers[index].is_active {
                let first = self.layers[index].sent.len();
                if self.media.is_video() {
                    self.push_picture(at, index);
                } else {
                    self.push_sound(at, index);
                }
                let layer = &self.layers[index];
                packets.extend(layer.sent[first..].iter().map(|published| self.packet(layer, published)));
                self.layers[index].forget(self.records);
            }
        }
        packets
    }

    fn push_picture(&mut self, at: Instant, index: usize) {
        let timestamp = self.timestamp(&self.layers[index], at);
        let left_out = u8::from(self.left_out > 0.0 && self.rng.random_bool(self.left_out));
        let layer = &mut self.layers[index];
        let is_key = layer.encoder.is_new() || layer.key_frame_at.is_some_and(|due| due <= at);
        if is_key {
            layer.key_frame_at = None;
            layer.last_key_frame = Some(at);
            layer.key_frames += 1;
        }
        let style = Style {
            has_layers: layer.encoder.mode.spatial_layers > 1 || layer.encoder.mode.temporal_layers > 1,
            temporal_layers: layer.encoder.mode.temporal_layers,
            spatial_layers: layer.encoder.mode.spatial_layers,
            is_flexible: self.is_flexible,
            picture_id_base: layer.picture_id_base,
        };
        let next_id = &mut self.next_frame_id;
        let new_id = || {
            *next_id += 1;
            *next_id
        };
        let frames = layer.encoder.encode(is_key, at - self.origin, left_out, new_id);
        let top = frames.len();
        for (place, mut frame) in frames.into_iter().enumerate() {
            frame.frame.encoding = index as u8;
            (frame.frame.width, frame.frame.height) = layer.sizes.get(place).copied().unwrap_or_default();
            let noise = 1.0 + self.variation * (self.rng.random::<f64>() * 2.0 - 1.0);
            let lens = layer.packet_lens(&frame, self.frame_interval, self.key_factor, noise);
            layer.push_frame(self.media, style, at, timestamp, &frame, &lens, place + 1 == top);
        }
    }

    fn push_sound(&mut self, at: Instant, index: usize) {
        let timestamp = self.timestamp(&self.layers[index], at);
        let layer = &mut self.layers[index];
        self.next_frame_id += 1;
        let id = self.next_frame_id;
        let frame = layer.encoder.encode(layer.encoder.is_new(), at - self.origin, 0, || id)[0].frame;
        let stamp = Stamp { ssrc: layer.ssrc, extended: layer.next, index: 0, count: 1, frame };
        let own = payload(vec![0x78], &stamp, self.audio.bytes);
        let (payload, own_from) = match self.inner_payload_type {
            Some(inner) => {
                let before = layer.before.as_ref().map(|(bytes, then)| (&bytes[..], timestamp.wrapping_sub(*then)));
                // An offset has 14 bits: after a silence there is nothing to repeat.
                let wrapped = red(inner, before.filter(|(_, ticks)| *ticks < 1 << 14), &own);
                layer.before = Some((own, timestamp));
                wrapped
            }
            None => (own, 0),
        };
        layer.push(Published {
            extended: layer.next,
            timestamp,
            marker: false,
            payload,
            own_from,
            starts_key_frame: false,
            at,
            level: Some(u8::from(self.audio.is_voice) << 7 | self.audio.level & 0x7f),
            descriptor: None,
        });
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
            set_extension(&mut header, *id, rid.as_bytes());
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
        if published.descriptor.as_ref().is_some_and(|descriptor| descriptor.len() > 16) {
            header.extension = true;
            header.extension_profile = EXTENSION_PROFILE_TWO_BYTE;
        }
        let mut set = |uri: HeaderExtensionUri, value: &[u8]| {
            if let Some(id) = self.ids.get(&uri) {
                set_extension(&mut header, *id, value);
            }
        };
        if self.names_itself {
            set(HeaderExtensionUri::Mid, self.mid.as_bytes());
            if let Some(rid) = &layer.rid {
                set(HeaderExtensionUri::RtpStreamId, rid.as_bytes());
            }
        }
        if let Some(level) = published.level {
            set(HeaderExtensionUri::SsrcAudioLevel, &[level]);
        }
        if let Some(descriptor) = &published.descriptor {
            set(HeaderExtensionUri::DependencyDescriptor, descriptor);
        }
        for (id, value) in &self.more_extensions {
            set_extension(&mut header, *id, value);
        }
        header
    }
}

fn set_extension(header: &mut Header, id: u8, value: &[u8]) {
    header.set_extension(id, Bytes::copy_from_slice(value)).expect("a value that the block's form can hold");
}
