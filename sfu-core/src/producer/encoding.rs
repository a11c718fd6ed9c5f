//! One encoding of a producer, and its packets once they come.

use std::time::Instant;

use rand::RngCore;

use super::key_frame_requester::KeyFrameRequester;
use super::nack::NackGenerator;
use super::packet_store::{AUDIO_STORE_PACKETS, PacketStore, VIDEO_STORE_PACKETS};
use super::payloads::MediaPayload;
use super::receive_stream::ReceiveStream;
use crate::ids::Ssrc;
use crate::parameters::{MediaKind, RtpEncodingParameters};
use crate::rtcp::schedule::{AUDIO_REPORT_INTERVAL, ReportSchedule, VIDEO_REPORT_INTERVAL};
use crate::rtp::codecs::FrameReader;

/// One encoding: named by signalling, filled in by what comes.
#[derive(Debug)]
pub(crate) struct Encoding {
    pub(crate) rid: Option<String>,
    /// From signalling, or learnt from the first packet with the RID.
    pub(crate) ssrc: Option<Ssrc>,
    pub(crate) rtx_ssrc: Option<Ssrc>,
    /// There from the first packet on.
    pub(crate) stream: Option<SourceStream>,
    pub(crate) key_frames: KeyFrameRequester,
    /// PLIs and FIRs sent: they may be before the first packet comes.
    pub(crate) plis_sent: u64,
    pub(crate) firs_sent: u64,
    /// The source sends nothing, or little, while it is silent (RFC 7587 section 3.1.3).
    has_dtx: bool,
}

/// An encoding's packets as they are received.
#[derive(Debug)]
pub(crate) struct SourceStream {
    pub(crate) receive: ReceiveStream,
    /// Retransmissions, counted by themselves.
    pub(crate) rtx: Option<ReceiveStream>,
    /// `None` when the peer did not negotiate NACK.
    pub(crate) nack: Option<NackGenerator>,
    pub(crate) frames: FrameReader,
    /// Packets for the consumers' retransmissions.
    pub(crate) store: PacketStore,
    pub(crate) reports: ReportSchedule,
    /// Packets expected and lost as they were last told to the bandwidth estimate.
    loss_told: (u64, i64),
}

impl Encoding {
    /// `has_dtx`: by its codec; the encoding may say so too.
    pub(crate) fn new(encoding: &RtpEncodingParameters, has_dtx: bool) -> Self {
        Self {
            rid: encoding.rid.clone(),
            ssrc: encoding.ssrc,
            rtx_ssrc: encoding.rtx.map(|rtx| rtx.ssrc),
            stream: None,
            key_frames: KeyFrameRequester::default(),
            plis_sent: 0,
            firs_sent: 0,
            has_dtx: has_dtx || encoding.dtx == Some(true),
        }
    }

    /// The same as another worker knows it, before it has heard any of its packets.
    pub(crate) fn without_stream(&self) -> Self {
        Self {
            rid: self.rid.clone(),
            ssrc: self.ssrc,
            rtx_ssrc: self.rtx_ssrc,
            stream: None,
            key_frames: KeyFrameRequester::default(),
            plis_sent: self.plis_sent,
            firs_sent: self.firs_sent,
            has_dtx: self.has_dtx,
        }
    }

    pub(crate) fn has_rid(&self, rid: &[u8]) -> bool {
        self.rid.as_ref().is_some_and(|known| known.as_bytes() == rid)
    }

    /// The stream, made with the first packet: its payload type says what clock it has.
    pub(crate) fn stream(
        &mut self,
        now: Instant,
        kind: MediaKind,
        media: MediaPayload,
        rng: &mut impl RngCore,
    ) -> Option<&mut SourceStream> {
        let ssrc = self.ssrc?;
        let has_dtx = self.has_dtx;
        Some(self.stream.get_or_insert_with(|| {
            let (packets, interval) = match kind {
                MediaKind::Audio => (AUDIO_STORE_PACKETS, AUDIO_REPORT_INTERVAL),
                MediaKind::Video => (VIDEO_STORE_PACKETS, VIDEO_REPORT_INTERVAL),
            };
            let receive = ReceiveStream::new(ssrc, media.clock_rate_hz);
            SourceStream {
                receive: if has_dtx { receive.with_silences() } else { receive },
                rtx: None,
                nack: media.nack.then(NackGenerator::default),
                frames: FrameReader::default(),
                store: PacketStore::new(packets),
                reports: ReportSchedule::new(interval, now, rng),
                loss_told: (0, 0),
            }
        }))
    }
}

impl SourceStream {
    /// What receives `ssrc`, which is the encoding's own or its retransmissions'.
    pub(crate) fn receiver_of(&mut self, ssrc: Ssrc) -> &mut ReceiveStream {
        match &mut self.rtx {
            Some(rtx) if rtx.ssrc() == ssrc => rtx,
            _ => &mut self.receive,
        }
    }

    /// Packets expected and lost since this was asked last.
    pub(crate) fn loss_since_last_time(&mut self) -> (u64, u64) {
        let stats = self.receive.stats();
        let expected = stats.packets_received.saturating_add_signed(stats.packets_lost);
        let (expected_before, lost_before) = std::mem::replace(&mut self.loss_told, (expected, stats.packets_lost));
        let lost = u64::try_from(stats.packets_lost - lost_before).unwrap_or(0);
        (expected.saturating_sub(expected_before), lost)
    }

    /// The retransmissions' own statistics, made with the first of them.
    pub(crate) fn rtx(&mut self, ssrc: Ssrc, clock_rate_hz: u32) -> &mut ReceiveStream {
        self.rtx.get_or_insert_with(|| ReceiveStream::new(ssrc, clock_rate_hz))
    }
}
