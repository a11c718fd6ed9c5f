//! What a peer receives of one consumer, checked as it comes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtp::header::Header;
use sfu_core::parameters::{HeaderExtensionUri, MediaKind};
use sfu_core::worker::ConsumerInfo;

use super::source::Ids;

/// A gap is reported after this long, and again every [`NACK_REPEAT`].
const NACK_WAIT: Duration = Duration::from_millis(15);
const NACK_REPEAT: Duration = Duration::from_millis(100);
/// A packet missing for longer is given up.
const GIVE_UP: Duration = Duration::from_millis(1900);

/// A packet as it came.
#[derive(Debug, Clone)]
pub struct Got {
    pub at: Instant,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Bytes,
    pub is_repair: bool,
    pub extensions: Vec<(u8, Bytes)>,
}

/// A consumer, as its peer has it.
pub struct Sink {
    pub info: ConsumerInfo,
    pub ssrc: u32,
    pub rtx_ssrc: Option<u32>,
    ids: Ids,
    clock_rate: u32,
    /// By unwrapped sequence number.
    pub packets: BTreeMap<u64, Got>,
    pub duplicates: usize,
    pub reports: Vec<(Instant, SenderReport)>,
    /// Whether gaps are reported.
    pub sends_nack: bool,
    pub nacks_sent: usize,
    /// Numbers that never came.
    pub given_up: Vec<u64>,
    given_up_told: usize,
    missing: BTreeMap<u64, Missing>,
    newest: Option<u64>,
    /// What no receiver should see.
    pub faults: Vec<String>,
}

struct Missing {
    since: Instant,
    due_at: Instant,
}

impl Sink {
    pub fn new(info: ConsumerInfo) -> Self {
        let encoding = &info.rtp_parameters.encodings[0];
        let codec = &info.rtp_parameters.codecs[0];
        Self {
            ssrc: encoding.ssrc.unwrap().0,
            rtx_ssrc: encoding.rtx.map(|rtx| rtx.ssrc.0),
            ids: info.rtp_parameters.header_extensions.iter().map(|known| (known.uri.clone(), known.id)).collect(),
            clock_rate: codec.clock_rate,
            sends_nack: codec.rtcp_feedback.iter().any(|feedback| feedback.is("nack", "")),
            info,
            packets: BTreeMap::new(),
            duplicates: 0,
            reports: Vec::new(),
            nacks_sent: 0,
            given_up: Vec::new(),
            given_up_told: 0,
            missing: BTreeMap::new(),
            newest: None,
            faults: Vec::new(),
        }
    }

    pub fn is_video(&self) -> bool {
        self.info.kind == MediaKind::Video
    }

    pub fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    pub fn id(&self, uri: &HeaderExtensionUri) -> Option<u8> {
        self.ids.get(uri).copied()
    }

    /// Takes an opened packet of either SSRC.
    pub fn handle(&mut self, now: Instant, header: &Header, payload: Bytes) {
        self.check(header);
        let is_rtx = Some(header.ssrc) == self.rtx_ssrc;
        let (sequence, payload) = if is_rtx {
            if payload.len() < 2 {
                return self.faults.push("an RTX packet without an original sequence number".to_owned());
            }
            (u16::from_be_bytes([payload[0], payload[1]]), payload.slice(2..))
        } else {
            (header.sequence_number, payload)
        };
        let extended = self.extend(sequence);
        let extensions = header.extensions.iter().map(|known| (known.id, known.payload.clone())).collect();
        let got = Got {
            at: now,
            timestamp: header.timestamp,
            marker: header.marker,
            payload,
            is_repair: is_rtx || self.missing.contains_key(&extended),
            extensions,
        };
        self.note_gap(now, extended);
        match self.packets.get(&extended) {
            Some(known) => {
                self.duplicates += 1;
                if (known.timestamp, known.marker, &known.payload) != (got.timestamp, got.marker, &got.payload) {
                    self.faults.push(format!("two packets with the number {extended}"));
                }
            }
            None => drop(self.packets.insert(extended, got)),
        }
    }

    /// The numbers missing between the first and the newest packet.
    pub fn holes(&self) -> Vec<u64> {
        let (Some((first, _)), Some((last, _))) = (self.packets.first_key_value(), self.packets.last_key_value())
        else {
            return Vec::new();
        };
        (*first..*last).filter(|number| !self.packets.contains_key(number)).collect()
    }

    /// Whether a packet was given up since this was asked last, without which pictures cannot be decoded.
    pub fn poll_broken(&mut self) -> bool {
        let broken = self.is_video() && self.given_up.len() > self.given_up_told;
        self.given_up_told = self.given_up.len();
        broken
    }

    /// The sequence numbers to ask for now.
    pub fn poll_nack(&mut self, now: Instant) -> Vec<u16> {
        if !self.sends_nack {
            return Vec::new();
        }
        let given_up =
            self.missing.iter().filter(|(_, missing)| now - missing.since > GIVE_UP).map(|(number, _)| *number);
        self.given_up.extend(given_up.collect::<Vec<_>>());
        self.missing.retain(|_, missing| now - missing.since <= GIVE_UP);
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

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.missing.values().map(|missing| missing.due_at).min().filter(|_| self.sends_nack)
    }

    /// Our report on the stream.
    pub fn reception_report(&self, now: Instant) -> Option<ReceptionReport> {
        let newest = self.newest?;
        let (last_sender_report, delay) = match self.reports.last() {
            Some((at, report)) => {
                ((report.ntp_time >> 16) as u32, ((now - *at).as_nanos() * 65_536 / 1_000_000_000) as u32)
            }
            None => (0, 0),
        };
        Some(ReceptionReport {
            ssrc: self.ssrc,
            fraction_lost: 0,
            total_lost: self.missing.len() as u32,
            last_sequence_number: newest as u32,
            jitter: 0,
            last_sender_report,
            delay,
        })
    }

    fn check(&mut self, header: &Header) {
        let is_rtx = Some(header.ssrc) == self.rtx_ssrc;
        let codec = self.info.rtp_parameters.codecs.iter().find(|codec| codec.payload_type.0 == header.payload_type);
        if codec.is_none_or(|codec| codec.mime_type.is_rtx() != is_rtx) {
            self.faults.push(format!("payload type {} was not negotiated", header.payload_type));
        }
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
