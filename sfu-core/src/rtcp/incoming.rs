//! Reading a decrypted RTCP datagram from a peer.

use bytes::Buf;
use rtc_rtcp::goodbye::Goodbye;
use rtc_rtcp::header::{
    FORMAT_FIR, FORMAT_PLI, FORMAT_REMB, FORMAT_TCC, FORMAT_TLN, HEADER_LENGTH, Header, PacketType, RTP_VERSION,
};
use rtc_rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc_shared::marshal::{Marshal, Unmarshal};

use super::ntp::NtpTime;
use super::transport_cc::TransportCc;
use crate::ids::Ssrc;

/// Packets read from one datagram; what follows them is ignored. A browser's compound has about ten, and each
/// packet may cost a look-up by SSRC.
pub const MAX_PACKETS_PER_DATAGRAM: usize = 64;

/// Sequence numbers that one datagram's NACKs may ask for; the rest is ignored. A history holds no more packets.
pub const MAX_NACKED_PER_DATAGRAM: usize = 1024;

/// Packets that one transport-wide feedback may speak of; a longer one is refused. Ten thousand packets a second,
/// reported every 250 ms, are 2 500; forty bytes could claim 65 535, each of which is to be looked up.
pub const MAX_FEEDBACK_STATUSES: u16 = 8192;

/// Something that a peer said.
#[derive(Debug, Clone, PartialEq)]
pub enum RtcpEvent<'a> {
    /// A sender's clock mapping (RFC 3550 section 6.4.1). Its report blocks follow as `ReceptionReport` events.
    SenderReport {
        /// The sender.
        ssrc: Ssrc,
        /// Its wall clock.
        ntp: NtpTime,
        /// The RTP timestamp of the same moment.
        rtp_timestamp: u32,
        /// Packets that it has sent.
        packet_count: u32,
        /// Payload bytes of these.
        octet_count: u32,
    },
    /// A block of a sender or receiver report (section 6.4.2): how a stream of ours arrives.
    ReceptionReport(ReceptionReport),
    /// A request for lost packets (RFC 4585 section 6.2.1).
    Nack {
        /// Our stream.
        media_ssrc: Ssrc,
        /// The lost packets, in the order that they were named.
        sequences: Vec<u16>,
    },
    /// A request for a key frame (RFC 4585 section 6.3.1).
    Pli {
        /// Our stream.
        media_ssrc: Ssrc,
    },
    /// A request for a key frame (RFC 5104 section 4.3.1).
    Fir {
        /// Our stream.
        media_ssrc: Ssrc,
        /// The command's number; the same one again is a repetition.
        sequence: u8,
    },
    /// The peer's estimate of what it can receive (draft-alvestrand-rmcat-remb-03).
    Remb {
        /// Bits per second.
        bitrate_bps: u64,
        /// The streams that share it.
        ssrcs: Vec<Ssrc>,
    },
    /// When our packets arrived (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    TransportFeedback(TransportCc<&'a [u8]>),
    /// Streams of the peer that end (RFC 3550 section 6.6).
    Bye {
        /// The streams.
        ssrcs: Vec<Ssrc>,
    },
}

/// What is wrong with a datagram; the peer is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RtcpViolation {
    /// A packet's header is cut short or not of version 2. The rest of the datagram is lost.
    #[error("the peer sent RTCP with a bad header")]
    BadHeader,
    /// A packet claims to be longer than the datagram. The rest of the datagram is lost.
    #[error("the peer sent RTCP that claims more bytes than it has")]
    BadLength,
    /// A packet's padding is longer than the packet, or of no length.
    #[error("the peer sent RTCP with bad padding")]
    BadPadding,
    /// A packet's body does not parse. The packets after it are read.
    #[error("the peer sent an RTCP packet of type {packet_type:?} with a bad body")]
    BadBody {
        /// Its type.
        packet_type: PacketType,
    },
    /// More than [`MAX_PACKETS_PER_DATAGRAM`]. The rest of the datagram is lost.
    #[error("the peer sent too many RTCP packets in one datagram")]
    TooManyPackets,
    /// Feedback about more than [`MAX_FEEDBACK_STATUSES`] packets.
    #[error("the peer sent transport-wide feedback about {statuses} packets")]
    OversizedFeedback {
        /// As claimed.
        statuses: u16,
    },
}

/// Reads a datagram, compound or of reduced size (RFC 5506), and calls `on_event` for each thing said, in order.
///
/// Types and formats that are of no use here (SDES, APP, XR, …) are skipped. A packet that does not parse is skipped
/// too and the first violation returned; what was said before and, if the lengths are sound, after it stands.
pub fn read_datagram<'a>(datagram: &'a [u8], mut on_event: impl FnMut(RtcpEvent<'a>)) -> Result<(), RtcpViolation> {
    let mut rest = datagram;
    let mut nack_budget = MAX_NACKED_PER_DATAGRAM;
    let mut first_violation = None;
    for _ in 0..MAX_PACKETS_PER_DATAGRAM {
        if rest.is_empty() && !datagram.is_empty() {
            return first_violation.map_or(Ok(()), Err);
        }
        let (header, body) = match split_packet(&mut rest) {
            Ok(packet) => packet,
            Err(violation) => return Err(first_violation.unwrap_or(violation)),
        };
        let read = strip_padding(header, body).and_then(|packet| read_packet(&packet, &mut nack_budget, &mut on_event));
        if let Err(violation) = read {
            first_violation.get_or_insert(violation);
        }
    }
    if rest.is_empty() { first_violation.map_or(Ok(()), Err) } else { Err(RtcpViolation::TooManyPackets) }
}

/// A packet without padding, its header made to fit.
struct RawPacket<'a> {
    header: Header,
    body: &'a [u8],
}

impl RawPacket<'_> {
    fn parse<T: Unmarshal>(&self) -> Result<T, RtcpViolation> {
        let mut header = [0; HEADER_LENGTH];
        self.header.marshal_to(&mut header).map_err(|_| RtcpViolation::BadHeader)?;
        T::unmarshal(&mut header.as_slice().chain(self.body)).map_err(|_| self.bad_body())
    }

    fn bad_body(&self) -> RtcpViolation {
        RtcpViolation::BadBody { packet_type: self.header.packet_type }
    }

    /// Bytes of the body, or `BadBody`.
    fn bytes<const N: usize>(&self, at: usize) -> Result<[u8; N], RtcpViolation> {
        self.body.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| self.bad_body())
    }
}

fn split_packet<'a>(rest: &mut &'a [u8]) -> Result<(Header, &'a [u8]), RtcpViolation> {
    let &[first, packet_type, high, low] = rest.first_chunk::<HEADER_LENGTH>().ok_or(RtcpViolation::BadHeader)?;
    if first >> 6 != RTP_VERSION {
        return Err(RtcpViolation::BadHeader);
    }
    let header = Header {
        padding: first & 0x20 != 0,
        count: first & 0x1f,
        packet_type: packet_type.into(),
        length: u16::from_be_bytes([high, low]),
    };
    let behind = rest.get(HEADER_LENGTH..).unwrap_or_default();
    let (body, after) = behind.split_at_checked(usize::from(header.length) * 4).ok_or(RtcpViolation::BadLength)?;
    *rest = after;
    Ok((header, body))
}

/// The parsers of `rtc-rtcp` read padding as content (a padded NACK asks for packets that nobody lost), so that they
/// are shown none, but for the one to three bytes that align transport-wide feedback or BYE: these the parsers skip.
/// Such alignment counts as padding, and occurs in the middle of a compound, in what libwebrtc and `rtc-rtcp` send.
fn strip_padding(mut header: Header, body: &[u8]) -> Result<RawPacket<'_>, RtcpViolation> {
    let mut kept = body;
    if header.padding {
        let padding = usize::from(body.last().copied().unwrap_or_default());
        if padding == 0 || padding > body.len() {
            return Err(RtcpViolation::BadPadding);
        }
        kept = body.get(..body.len() - padding / 4 * 4).unwrap_or_default();
        header.length = (kept.len() / 4) as u16;
    }
    Ok(RawPacket { header, body: kept })
}

fn read_packet<'a>(
    packet: &RawPacket<'a>,
    nack_budget: &mut usize,
    on_event: &mut impl FnMut(RtcpEvent<'a>),
) -> Result<(), RtcpViolation> {
    match (packet.header.packet_type, packet.header.count) {
        (PacketType::SenderReport, _) => {
            let SenderReport { ssrc, ntp_time, rtp_time, packet_count, octet_count, reports, .. } = packet.parse()?;
            on_event(RtcpEvent::SenderReport {
                ssrc: Ssrc(ssrc),
                ntp: NtpTime(ntp_time),
                rtp_timestamp: rtp_time,
                packet_count,
                octet_count,
            });
            reports.into_iter().map(RtcpEvent::ReceptionReport).for_each(on_event);
        }
        (PacketType::ReceiverReport, _) => {
            let ReceiverReport { reports, .. } = packet.parse()?;
            reports.into_iter().map(RtcpEvent::ReceptionReport).for_each(on_event);
        }
        (PacketType::Goodbye, _) => {
            let Goodbye { sources, .. } = packet.parse()?;
            on_event(RtcpEvent::Bye { ssrcs: sources.into_iter().map(Ssrc).collect() });
        }
        (PacketType::TransportSpecificFeedback, FORMAT_TLN) => {
            let TransportLayerNack { media_ssrc, nacks, .. } = packet.parse()?;
            let sequences: Vec<u16> = nacks.into_iter().flatten().take(*nack_budget).collect();
            *nack_budget -= sequences.len();
            if !sequences.is_empty() {
                on_event(RtcpEvent::Nack { media_ssrc: Ssrc(media_ssrc), sequences });
            }
        }
        (PacketType::TransportSpecificFeedback, FORMAT_TCC) => {
            let feedback = TransportCc::read(packet.body).ok_or_else(|| packet.bad_body())?;
            let statuses = feedback.status_count();
            if statuses > MAX_FEEDBACK_STATUSES {
                return Err(RtcpViolation::OversizedFeedback { statuses });
            }
            if !feedback.is_whole() {
                return Err(packet.bad_body());
            }
            on_event(RtcpEvent::TransportFeedback(feedback));
        }
        (PacketType::PayloadSpecificFeedback, FORMAT_PLI) => {
            let PictureLossIndication { media_ssrc, .. } = packet.parse()?;
            on_event(RtcpEvent::Pli { media_ssrc: Ssrc(media_ssrc) });
        }
        (PacketType::PayloadSpecificFeedback, FORMAT_FIR) => {
            let FullIntraRequest { fir, .. } = packet.parse()?;
            fir.into_iter()
                .map(|FirEntry { ssrc, sequence_number }| RtcpEvent::Fir {
                    media_ssrc: Ssrc(ssrc),
                    sequence: sequence_number,
                })
                .for_each(on_event);
        }
        (PacketType::PayloadSpecificFeedback, FORMAT_REMB) => {
            // Format 15 is any application's (RFC 4585 section 6.4).
            if &packet.bytes::<4>(REMB_IDENTIFIER_OFFSET)? != b"REMB" {
                return Ok(());
            }
            let ReceiverEstimatedMaximumBitrate { ssrcs, .. } = packet.parse()?;
            let bitrate_bps = remb_bitrate(packet.bytes(REMB_BITRATE_OFFSET)?);
            on_event(RtcpEvent::Remb { bitrate_bps, ssrcs: ssrcs.into_iter().map(Ssrc).collect() });
        }
        _ => {}
    }
    Ok(())
}

/// Offsets within a body, after the header.
const REMB_IDENTIFIER_OFFSET: usize = 8;
const REMB_BITRATE_OFFSET: usize = 13;

/// The exponent and mantissa of REMB. `rtc-rtcp` reads a mantissa of zero, "stop sending", as a huge rate.
fn remb_bitrate(field: [u8; 3]) -> u64 {
    let [first, second, third] = field;
    let mantissa = u64::from(first & 3) << 16 | u64::from(second) << 8 | u64::from(third);
    let shifted = u128::from(mantissa) << (first >> 2);
    u64::try_from(shifted).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
