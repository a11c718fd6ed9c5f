//! What a peer receives of one consumer, checked as it comes.

pub mod decoder;
pub mod playback;
pub mod reception;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtp::header::Header;
use sfu_core::parameters::{HeaderExtensionUri, MediaKind};
use sfu_core::worker::ConsumerInfo;

use self::decoder::{Arrival, Decoder, Gaps};
use self::playback::{Playback, Verdict};
use self::reception::Reception;
use crate::source::Ids;
use crate::source::payloads::{Media, unwrap_red};

/// A gap is reported after this long, and again every [`NACK_REPEAT`].
const NACK_WAIT: Duration = Duration::from_millis(15);
const NACK_REPEAT: Duration = Duration::from_millis(100);
/// A packet missing for longer is given up.
const GIVE_UP: Duration = Duration::from_millis(1900);
/// Numbers given up that are remembered, and packets kept by a sink that records nothing.
const REMEMBERED: usize = 4096;

/// A packet as it came.
#[derive(Debug, Clone)]
pub struct Got {
    /// When.
    pub at: Instant,
    /// RTP's.
    pub timestamp: u32,
    /// RTP's.
    pub marker: bool,
    /// Without padding, RTX or RED.
    pub payload: Bytes,
    /// Whether it came late to fill a gap.
    pub is_repair: bool,
    /// Header extensions.
    pub extensions: Vec<(u8, Bytes)>,
}

/// A consumer, as its peer has it.
pub struct Sink {
    /// What the core said of it.
    pub info: ConsumerInfo,
    /// Its SSRC.
    pub ssrc: u32,
    /// That of repetitions.
    pub rtx_ssrc: Option<u32>,
    ids: Ids,
    clock_rate: u32,
    red_payload_type: Option<u8>,
    /// By unwrapped sequence number; the latest alone if the sink does not record.
    pub packets: BTreeMap<u64, Got>,
    /// Packets received first of their number.
    pub packet_count: usize,
    /// Payload bytes of those.
    pub payload_bytes: u64,
    /// Packets received again.
    pub duplicates: usize,
    /// Packets of nothing but padding.
    pub paddings: usize,
    /// Sender reports.
    pub reports: Vec<(Instant, SenderReport)>,
    /// Whether gaps are reported.
    pub sends_nack: bool,
    /// Messages.
    pub nacks_sent: usize,
    /// Messages.
    pub plis_sent: usize,
    /// Whether key frames are asked for when pictures cannot be decoded.
    pub sends_pli: bool,
    /// Numbers that never came.
    pub given_up: Vec<u64>,
    /// Keeps everything it gets.
    pub records: bool,
    given_up_told: usize,
    lost: BTreeSet<u64>,
    /// Numbers of padding.
    empty: BTreeSet<u64>,
    missing: BTreeMap<u64, Missing>,
    newest: Option<u64>,
    reception: Reception,
    decoder: Option<Decoder>,
    /// What no receiver should see.
    pub faults: Vec<String>,
}

struct Missing {
    since: Instant,
    due_at: Instant,
}

impl Sink {
    /// A sink of what the core will send. Captures are counted from `origin`.
    ///
    /// # Panics
    /// There is no encoding with an SSRC, or nobody to read the codec.
    pub fn new(origin: Instant, info: ConsumerInfo) -> Self {
        let encoding = &info.rtp_parameters.encodings[0];
        let codec = &info.rtp_parameters.codecs[0];
        let is_video = info.kind == MediaKind::Video;
        let red = info.rtp_parameters.codecs.iter().find(|codec| codec.mime_type.to_string() == "audio/red");
        Self {
            ssrc: encoding.ssrc.expect("a consumer's SSRC").0,
            rtx_ssrc: encoding.rtx.map(|rtx| rtx.ssrc.0),
            ids: info.rtp_parameters.header_extensions.iter().map(|known| (known.uri.clone(), known.id)).collect(),
            clock_rate: codec.clock_rate,
            red_payload_type: red.map(|codec| codec.payload_type.0),
            sends_nack: codec.rtcp_feedback.iter().any(|feedback| feedback.is("nack", "")),
            decoder: is_video.then(|| Decoder::new(Media::of(&codec.mime_type.to_string()), origin)),
            info,
            packets: BTreeMap::new(),
            packet_count: 0,
            payload_bytes: 0,
            duplicates: 0,
            paddings: 0,
            reports: Vec::new(),
            nacks_sent: 0,
            plis_sent: 0,
            sends_pli: true,
            given_up: Vec::new(),
            records: true,
            given_up_told: 0,
            lost: BTreeSet::new(),
            empty: BTreeSet::new(),
            missing: BTreeMap::new(),
            newest: None,
            reception: Reception::default(),
            faults: Vec::new(),
        }
    }

    /// What was decoded of a video.
    ///
    /// # Panics
    /// It is audio.
    pub fn playback(&self) -> &Playback {
        &self.decoder.as_ref().expect("a video").playback
    }

    /// What the viewer saw from one moment until before another.
    ///
    /// # Panics
    /// It is audio.
    pub fn verdict(&self, from: Instant, to: Instant) -> Verdict {
        self.playback().verdict(from, to)
    }

    /// Whether it is a picture.
    pub fn is_video(&self) -> bool {
        self.info.kind == MediaKind::Video
    }

    /// Ticks of the timestamp in a second.
    pub fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// A header extension's id.
    pub fn id(&self, uri: &HeaderExtensionUri) -> Option<u8> {
        self.ids.get(uri).copied()
    }

    /// Takes an opened packet of either SSRC.
    pub fn handle(&mut self, now: Instant, header: &Header, payload: Bytes) {
        self.check(header);
        let is_rtx = Some(header.ssrc) == self.rtx_ssrc;
        let (sequence, payload) = if is_rtx {
            if payload.is_empty() {
                self.paddings += 1;
                return;
            }
            if payload.len() < 2 {
                return self.faults.push("an RTX packet without an original sequence number".to_owned());
            }
            (u16::from_be_bytes([payload[0], payload[1]]), payload.slice(2..))
        } else {
            (header.sequence_number, payload)
        };
        let extended = self.extend(sequence);
        if !is_rtx {
            self.reception.handle(now, extended, header.timestamp, self.clock_rate);
        }
        let was_missing = self.missing.contains_key(&extended);
        self.note_gap(now, extended);
        if payload.is_empty() {
            self.paddings += 1;
            remember(&mut self.empty, extended);
            return;
        }
        let payload = match self.red_payload_type.filter(|red| *red == header.payload_type) {
            Some(_) => match unwrap_red(&payload) {
                Some((inner, start)) => {
                    self.check_payload_type(inner, false);
                    payload.slice(start..)
                }
                None => return self.faults.push(format!("number {extended} is malformed RED")),
            },
            None => payload,
        };
        let extensions = header.extensions.iter().map(|known| (known.id, known.payload.clone())).collect();
        let got = Got {
            at: now,
            timestamp: header.timestamp,
            marker: header.marker,
            payload,
            is_repair: is_rtx || was_missing,
            extensions,
        };
        match self.packets.get(&extended) {
            Some(known) => {
                self.duplicates += 1;
                if (known.timestamp, known.marker, &known.payload) != (got.timestamp, got.marker, &got.payload) {
                    self.faults.push(format!("two packets with the number {extended}"));
                }
            }
            None => self.take(now, extended, got),
        }
        self.advance(now);
    }

    /// A packet that is the first of its number.
    fn take(&mut self, now: Instant, extended: u64, got: Got) {
        self.packet_count += 1;
        self.payload_bytes += got.payload.len() as u64;
        if let Some(decoder) = &mut self.decoder {
            let id = self.ids.get(&HeaderExtensionUri::DependencyDescriptor);
            let descriptor = got.extensions.iter().find(|(known, _)| Some(known) == id).map(|(_, value)| &value[..]);
            let (timestamp, marker, payload) = (got.timestamp, got.marker, &got.payload[..]);
            decoder.handle(now, &Arrival { number: extended, timestamp, marker, payload, descriptor });
        }
        self.packets.insert(extended, got);
        if !self.records && self.packets.len() > REMEMBERED {
            self.packets.pop_first();
        }
    }

    fn advance(&mut self, now: Instant) {
        let Some(decoder) = &mut self.decoder else { return };
        // Without repetitions nothing that is missing will come.
        let awaited = self.missing.keys().next().copied().filter(|_| self.sends_nack);
        if !self.sends_nack {
            let lost = std::mem::take(&mut self.missing);
            lost.into_keys().for_each(|number| remember(&mut self.lost, number));
        }
        decoder.advance(now, &Gaps { awaited, lost: &self.lost });
        // Nothing before a key picture is of use: it is asked for no more (as libwebrtc does).
        let started = decoder.started_number();
        let useful = self.missing.split_off(&started);
        let useless = std::mem::replace(&mut self.missing, useful);
        if !useless.is_empty() {
            useless.into_keys().for_each(|number| remember(&mut self.lost, number));
            let awaited = self.missing.keys().next().copied();
            decoder.advance(now, &Gaps { awaited, lost: &self.lost });
        }
        self.faults.append(&mut decoder.faults);
    }

    /// Whether a key frame is to be asked for now: a packet was given up, or nothing can be decoded.
    pub fn poll_key_frame_request(&mut self, now: Instant) -> bool {
        let is_broken = self.poll_broken();
        let is_stuck = self.decoder.as_mut().is_some_and(|decoder| decoder.poll_key_frame_request(now));
        let asks = (is_broken || is_stuck) && self.sends_pli;
        self.plis_sent += usize::from(asks);
        asks
    }

    /// The numbers missing between the first and the newest packet.
    pub fn holes(&self) -> Vec<u64> {
        let (Some((first, _)), Some((last, _))) = (self.packets.first_key_value(), self.packets.last_key_value())
        else {
            return Vec::new();
        };
        (*first..*last).filter(|number| !self.packets.contains_key(number) && !self.empty.contains(number)).collect()
    }

    /// Whether a packet was given up since this was asked last, behind the latest key picture: before it nothing is missed.
    fn poll_broken(&mut self) -> bool {
        let given_up = &self.given_up[self.given_up_told..];
        let needed_from = self.decoder.as_ref().map(Decoder::started_number);
        let is_broken = needed_from.is_some_and(|from| given_up.iter().any(|number| *number >= from));
        self.given_up_told = self.given_up.len();
        is_broken
    }

    /// The sequence numbers to ask for now.
    pub fn poll_nack(&mut self, now: Instant) -> Vec<u16> {
        if !self.sends_nack {
            return Vec::new();
        }
        let late = self.missing.iter().filter(|(_, missing)| now - missing.since > GIVE_UP);
        let given_up: Vec<u64> = late.map(|(number, _)| *number).collect();
        if !given_up.is_empty() {
            self.missing.retain(|_, missing| now - missing.since <= GIVE_UP);
            given_up.iter().for_each(|number| remember(&mut self.lost, *number));
            self.given_up.extend(given_up);
            self.advance(now);
        }
        let due = self.missing.iter_mut().filter(|(_, missing)| missing.due_at <= now);
        let sequences: Vec<u16> = due
            .map(|(number, missing)| {
                missing.due_at = now + NACK_REPEAT;
                *number as u16
            })
            .collect();
        self.nacks_sent += usize::from(!sequences.is_empty());
        sequences
    }

    /// When there is something to ask for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let nack = self.missing.values().map(|missing| missing.due_at).min().filter(|_| self.sends_nack);
        let stall = self.decoder.as_ref().and_then(Decoder::poll_timeout);
        nack.into_iter().chain(stall).min()
    }

    /// Our report on the stream.
    pub fn reception_report(&mut self, now: Instant) -> Option<ReceptionReport> {
        self.reception.report(now, self.ssrc, self.reports.last())
    }

    /// Of a packet, or of a block in RED.
    fn check_payload_type(&mut self, payload_type: u8, is_rtx: bool) {
        let codec = self.info.rtp_parameters.codecs.iter().find(|codec| codec.payload_type.0 == payload_type);
        if codec.is_none_or(|codec| codec.mime_type.is_rtx() != is_rtx) {
            self.faults.push(format!("payload type {payload_type} was not negotiated"));
        }
    }

    fn check(&mut self, header: &Header) {
        let is_rtx = Some(header.ssrc) == self.rtx_ssrc;
        self.check_payload_type(header.payload_type, is_rtx);
        for extension in &header.extensions {
            if !self.ids.values().any(|id| *id == extension.id) {
                self.faults.push(format!("header extension {} was not negotiated", extension.id));
            }
        }
        if let Some(id) = self.ids.get(&HeaderExtensionUri::Mid) {
            let mid = header.get_extension(*id);
            if mid.as_deref() != self.info.rtp_parameters.mid.as_deref().map(str::as_bytes) {
                self.faults.push(format!("the MID is {mid:?}"));
            }
        }
    }

    fn extend(&self, sequence: u16) -> u64 {
        let Some(newest) = self.newest else { return (1 << 16) + u64::from(sequence) };
        let distance = sequence.wrapping_sub(newest as u16) as i16;
        newest.wrapping_add_signed(i64::from(distance))
    }

    fn note_gap(&mut self, now: Instant, extended: u64) {
        self.missing.remove(&extended);
        let Some(newest) = self.newest else {
            self.newest = Some(extended);
            return;
        };
        if extended <= newest {
            return;
        }
        if extended - newest > 5000 {
            self.faults.push(format!("sequence numbers jump by {}", extended - newest));
        } else {
            let missing = || Missing { since: now, due_at: now + NACK_WAIT };
            self.missing.extend((newest + 1..extended).map(|number| (number, missing())));
        }
        self.newest = Some(extended);
    }
}

/// Keeps the highest numbers.
fn remember(numbers: &mut BTreeSet<u64>, number: u64) {
    numbers.insert(number);
    if numbers.len() > REMEMBERED {
        numbers.pop_first();
    }
}
