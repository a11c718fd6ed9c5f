//! Putting RTCP packets together into datagrams (RFC 3550 section 6.1).

use std::collections::VecDeque;

use bytes::Bytes;
use rtc_rtcp::Packet;
use rtc_rtcp::header::COUNT_MAX;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem};
use rtc_shared::marshal::MarshalSize;

use crate::ids::Ssrc;

/// The most bytes that a datagram is filled with before SRTCP: room for SRTCP's trailer, TURN and tunnels within
/// 1 280 bytes, the least that every IPv6 path carries.
pub const MAX_RTCP_DATAGRAM_BYTES: usize = 1200;

/// Packets and report blocks that may wait. A transport sends what it queued in the same turn, so that only a fault
/// of ours fills this; the newest is refused then.
pub const MAX_QUEUED: usize = 2048;

/// A canonical end-point identifier (RFC 3550 section 6.5.1), at most 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cname(Bytes);

impl Cname {
    /// Takes a name; one longer than 255 bytes does not fit an SDES item.
    pub fn new(name: &str) -> Result<Self, OutgoingError> {
        if name.len() > usize::from(u8::MAX) {
            return Err(OutgoingError::CnameTooLong { bytes: name.len() });
        }
        Ok(Self(Bytes::copy_from_slice(name.as_bytes())))
    }

    fn chunk(&self, ssrc: u32) -> SourceDescriptionChunk {
        let item = SourceDescriptionItem { sdes_type: SdesType::SdesCname, text: self.0.clone() };
        SourceDescriptionChunk { source: ssrc, items: vec![item] }
    }
}

/// Why a packet was not queued or written; the caller is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutgoingError {
    /// See [`Cname::new`].
    #[error("a CNAME of {bytes} bytes is longer than 255")]
    CnameTooLong {
        /// Its length.
        bytes: usize,
    },
    /// See [`MAX_QUEUED`].
    #[error("the RTCP queue is full")]
    QueueFull,
    /// The packet would not fit a datagram behind the compound's obligatory head.
    #[error("an RTCP packet of {bytes} bytes does not fit a datagram")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The caller's buffer holds less than [`MAX_RTCP_DATAGRAM_BYTES`].
    #[error("a buffer of {bytes} bytes is smaller than an RTCP datagram")]
    BufferTooSmall {
        /// Its length.
        bytes: usize,
    },
    /// The `rtcp` crate refused a packet's content.
    #[error("an RTCP packet cannot be encoded: {reason}")]
    Unencodable {
        /// What it said.
        reason: String,
    },
}

/// Collects what a transport has to say and writes it into as few datagrams as fit it.
///
/// Each datagram starts with reports: sender reports, each with a CNAME of its own, then reception report blocks in
/// receiver reports, then SDES, then feedback. A datagram of feedback alone starts with an empty receiver report and
/// SDES, unless reduced size was negotiated (RFC 5506), when it is sent bare.
#[derive(Debug)]
pub struct CompoundBuilder {
    ssrc: Ssrc,
    cname: Cname,
    reduced_size: bool,
    sender_reports: VecDeque<(SenderReport, Cname)>,
    blocks: VecDeque<ReceptionReport>,
    feedback: VecDeque<Box<dyn Packet>>,
}

impl CompoundBuilder {
    /// `ssrc` and `cname` are the transport's own, under which it reports on what it receives.
    pub fn new(ssrc: Ssrc, cname: Cname, reduced_size: bool) -> Self {
        Self {
            ssrc,
            cname,
            reduced_size,
            sender_reports: VecDeque::new(),
            blocks: VecDeque::new(),
            feedback: VecDeque::new(),
        }
    }

    /// Queues a sender report of a stream whose CNAME is `cname`.
    pub fn push_sender_report(&mut self, report: SenderReport, cname: Cname) -> Result<(), OutgoingError> {
        let bytes = report.marshal_size() + sdes_size(0, &cname);
        self.check_room(bytes)?;
        self.sender_reports.push_back((report, cname));
        Ok(())
    }

    /// Queues a report block about a received stream.
    pub fn push_reception_report(&mut self, block: ReceptionReport) -> Result<(), OutgoingError> {
        self.check_room(block.marshal_size())?;
        self.blocks.push_back(block);
        Ok(())
    }

    /// Queues a NACK, PLI, FIR, REMB, transport-wide feedback or BYE.
    pub fn push_feedback(&mut self, packet: impl Packet + 'static) -> Result<(), OutgoingError> {
        self.check_room(packet.marshal_size())?;
        self.feedback.push_back(Box::new(packet));
        Ok(())
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.sender_reports.is_empty() && self.blocks.is_empty() && self.feedback.is_empty()
    }

    /// Writes the next datagram into `buf` and gives its length; `None` when everything is written. What went into a
    /// datagram that failed is dropped.
    pub fn poll_datagram(&mut self, buf: &mut [u8]) -> Result<Option<usize>, OutgoingError> {
        let bytes = buf.len();
        let buf = buf.get_mut(..MAX_RTCP_DATAGRAM_BYTES).ok_or(OutgoingError::BufferTooSmall { bytes })?;
        if self.is_empty() {
            return Ok(None);
        }
        let mut written = 0;
        for packet in self.take_datagram() {
            let rest = buf.get_mut(written..).unwrap_or_default();
            written +=
                packet.marshal_to(rest).map_err(|error| OutgoingError::Unencodable { reason: error.to_string() })?;
        }
        Ok(Some(written))
    }

    /// Takes as much from the queues as fits one datagram.
    fn take_datagram(&mut self) -> Vec<Box<dyn Packet>> {
        let mut packets: Vec<Box<dyn Packet>> = Vec::new();
        let mut chunks = Vec::new();
        let mut room = MAX_RTCP_DATAGRAM_BYTES;

        while let Some((report, cname)) = self.sender_reports.front() {
            let size = report.marshal_size() + sdes_size(chunks.len(), cname);
            if size > room || chunks.len() == COUNT_MAX {
                break;
            }
            room -= size;
            chunks.push(cname.chunk(report.ssrc));
            if let Some((report, _)) = self.sender_reports.pop_front() {
                packets.push(Box::new(report));
            }
        }

        let needs_head = packets.is_empty() && !(self.reduced_size && self.blocks.is_empty());
        if needs_head || !self.blocks.is_empty() {
            let head = EMPTY_RECEIVER_REPORT_BYTES + sdes_size(chunks.len(), &self.cname);
            if needs_head || (chunks.len() < COUNT_MAX && room >= head + REPORT_BLOCK_BYTES) {
                room = room.saturating_sub(head);
                let fitting = (room / REPORT_BLOCK_BYTES).min(COUNT_MAX).min(self.blocks.len());
                room -= fitting * REPORT_BLOCK_BYTES;
                let reports = self.blocks.drain(..fitting).collect();
                packets.push(Box::new(ReceiverReport { ssrc: self.ssrc.0, reports, ..ReceiverReport::default() }));
                chunks.push(self.cname.chunk(self.ssrc.0));
            }
        }
        if !chunks.is_empty() {
            packets.push(Box::new(SourceDescription { chunks }));
        }

        while let Some(packet) = self.feedback.pop_front_if(|packet| packet.marshal_size() <= room) {
            room -= packet.marshal_size();
            packets.push(packet);
        }
        packets
    }

    fn check_room(&self, bytes: usize) -> Result<(), OutgoingError> {
        if self.sender_reports.len() + self.blocks.len() + self.feedback.len() >= MAX_QUEUED {
            return Err(OutgoingError::QueueFull);
        }
        let head = EMPTY_RECEIVER_REPORT_BYTES + sdes_size(0, &self.cname);
        if bytes > MAX_RTCP_DATAGRAM_BYTES - head { Err(OutgoingError::TooLarge { bytes }) } else { Ok(()) }
    }
}

const EMPTY_RECEIVER_REPORT_BYTES: usize = 8;
const REPORT_BLOCK_BYTES: usize = 24;

/// What a CNAME chunk adds to a datagram that has `chunks` of them already: the first brings SDES's header.
fn sdes_size(chunks: usize, cname: &Cname) -> usize {
    cname.chunk(0).marshal_size() + if chunks == 0 { 4 } else { 0 }
}

#[cfg(test)]
mod tests;
