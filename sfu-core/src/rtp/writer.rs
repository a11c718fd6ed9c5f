//! Writing a consumer's packet into the send slab: a new header, new extension block, the producer's payload.

use thiserror::Error;

use super::extensions::{
    AbsSendTime, ExtensionIds, ExtensionKind, ExtensionValues, ONE_BYTE_ID_MAX, ONE_BYTE_LEN_MAX, ONE_BYTE_PROFILE,
    TWO_BYTE_PROFILE, bit_of,
};
use super::header::{FIXED_HEADER_LEN, PADDING_BIT};
use crate::ids::{PayloadType, Ssrc};

/// The longest MID, in bytes: what a one-byte element holds, and what browsers accept. A longer one would push every
/// packet into the two-byte form; [`ExtensionPlan::new`] refuses it.
pub const MID_LEN_MAX: usize = ONE_BYTE_LEN_MAX;

/// The longest header that [`write_header`] makes, in bytes: fixed header, the block's head, and in the two-byte form
/// a MID, both stamps, and each copied kind at its longest. A slab with this much room beside the payload never
/// sees [`WriteError::BufferTooSmall`].
pub const HEADER_LEN_MAX: usize = {
    let stamped = (2 + MID_LEN_MAX) + (2 + 3) + (2 + 2);
    let copied = (2 + 1) + (2 + 1) + (2 + 3) + (2 + 16) + (2 + 3) + (2 + 255);
    FIXED_HEADER_LEN + 4 + (stamped + copied).next_multiple_of(4)
};

/// What is copied from a producer's packet, in the order of writing: constant lengths first. MID and the stamps are
/// the consumer's own; a RID names the publisher's layers and is never passed on.
const COPIED: [ExtensionKind; 6] = [
    ExtensionKind::AudioLevel,
    ExtensionKind::VideoOrientation,
    ExtensionKind::TransmissionOffset,
    ExtensionKind::AbsCaptureTime,
    ExtensionKind::PlayoutDelay,
    ExtensionKind::DependencyDescriptor,
];

/// The fixed header's fields as one consumer gets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderRewrite {
    /// The consumer's SSRC.
    pub ssrc: Ssrc,
    /// The consumer's payload type.
    pub payload_type: PayloadType,
    /// The sequence number.
    pub sequence_number: u16,
    /// The timestamp.
    pub timestamp: u32,
    /// The marker bit.
    pub marker: bool,
}

/// A producer's packet as the writers need it.
#[derive(Clone, Copy, Debug)]
pub struct SourcePacket<'a> {
    /// The whole packet, opened.
    pub packet: &'a [u8],
    /// What [`ExtensionIds::parse`] read from `packet`.
    pub extensions: &'a ExtensionValues,
    /// The payload without padding; on a packet unwrapped from RTX without the original sequence number.
    pub payload: &'a [u8],
}

/// Which header extensions a consumer gets, and under which ids. Made once per consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionPlan {
    mid: Option<Mid>,
    abs_send_time: Option<u8>,
    transport_cc: Option<u8>,
    copied: [Option<u8>; COPIED.len()],
    /// Length of what is in every block, as one-byte and as two-byte elements.
    reserved: [usize; 2],
    /// Those of the copied kinds that the consumer takes.
    taken: u16,
    /// What every block of one-byte elements begins with. `None`: an id does not fit them.
    beginning: Option<Beginning>,
}

/// The elements that are in every block of a consumer, written once.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Beginning {
    /// Zero behind `len`.
    bytes: [u8; SHORT_BLOCK],
    len: usize,
    stamps: StampOffsets,
}

/// The longest block that is written by copying a whole [`Beginning`]: MID, both stamps, and the few bytes that most packets have
/// beside them.
const SHORT_BLOCK: usize = 32;

/// A constant MID of at most [`MID_LEN_MAX`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mid {
    id: u8,
    len: u8,
    bytes: [u8; MID_LEN_MAX],
}

/// A plan that cannot be made; the caller is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PlanError {
    /// The MID is empty or longer than [`MID_LEN_MAX`].
    #[error("the consumer's MID has {len} bytes, not 1 to 16")]
    MidLength {
        /// Its length in bytes.
        len: usize,
    },
}

impl ExtensionPlan {
    /// Everything in `ids` that can be sent to a consumer: `mid` as a constant when `ids` has an id for it, room for
    /// the stamps of abs-send-time and transport-cc, and the copied kinds. RIDs in `ids` are ignored.
    ///
    /// # Errors
    /// `mid` is empty or longer than [`MID_LEN_MAX`].
    pub fn new(ids: &ExtensionIds, mid: Option<&str>) -> Result<Self, PlanError> {
        let mid = match (mid, ids.get(ExtensionKind::Mid)) {
            (Some(text), Some(id)) => Some(Mid::new(id, text)?),
            _ => None,
        };
        let abs_send_time = ids.get(ExtensionKind::AbsSendTime);
        let transport_cc = ids.get(ExtensionKind::TransportCc);
        let copied = COPIED.map(|kind| ids.get(kind));
        // A browser sends orientation with a frame's last packet only. Its room is kept in every packet, for blocks of
        // one length let packets of one destination be joined.
        let bytes_of_one = [ExtensionKind::AudioLevel, ExtensionKind::VideoOrientation];
        let reserved = [1, 2].map(|head| {
            mid.map_or(0, |mid| head + usize::from(mid.len))
                + abs_send_time.map_or(0, |_| head + 3)
                + transport_cc.map_or(0, |_| head + 2)
                + bytes_of_one.iter().filter(|&&kind| ids.get(kind).is_some()).count() * (head + 1)
        });
        let taken =
            COPIED.iter().zip(copied).filter(|(_, id)| id.is_some()).fold(0, |set, (kind, _)| set | bit_of(*kind));
        let mut plan = Self { mid, abs_send_time, transport_cc, copied, reserved, taken, beginning: None };
        plan.beginning = plan.begin();
        Ok(plan)
    }

    /// Writes what is in every block, for an imagined packet that has nothing to be copied.
    fn begin(&self) -> Option<Beginning> {
        let nothing = SourcePacket { packet: &[], extensions: &ExtensionValues::default(), payload: &[] };
        let rewrite = HeaderRewrite {
            ssrc: Ssrc(0),
            payload_type: PayloadType(0),
            sequence_number: 0,
            timestamp: 0,
            marker: false,
        };
        let mut header = [0; HEADER_LEN_MAX];
        let (header_len, stamps) = write_any_header(&mut header, &rewrite, self, &nothing).ok()?;
        let elements = || self.elements(&nothing);
        if elements().any(|(id, ..)| id > ONE_BYTE_ID_MAX) {
            return None;
        }
        let len = elements().map(|(_, value, _)| 1 + value.len()).sum();
        let mut bytes = [0; SHORT_BLOCK];
        let block = header.get(FIXED_HEADER_LEN + 4..header_len).unwrap_or_default();
        bytes.get_mut(..block.len())?.copy_from_slice(block);
        Some(Beginning { bytes, len, stamps })
    }

    /// The elements of one packet's block: id, value, and the stamp it is a slot for.
    fn elements<'a>(&'a self, source: &SourcePacket<'a>) -> impl Iterator<Item = (u8, &'a [u8], Slot)> {
        let mid = self.mid.as_ref().map(|mid| (mid.id, mid.as_bytes(), Slot::Constant));
        let abs_send_time = self.abs_send_time.map(|id| (id, &[0; 3][..], Slot::AbsSendTime));
        let transport_cc = self.transport_cc.map(|id| (id, &[0; 2][..], Slot::TransportCc));
        let SourcePacket { packet, extensions, .. } = *source;
        let copied = COPIED
            .into_iter()
            .zip(self.copied)
            .filter_map(move |(kind, id)| Some((id?, extensions.bytes(kind, packet)?, Slot::Constant)));
        mid.into_iter().chain(abs_send_time).chain(transport_cc).chain(copied)
    }
}

impl Mid {
    fn new(id: u8, text: &str) -> Result<Self, PlanError> {
        let len = text.len();
        let mut bytes = [0; MID_LEN_MAX];
        match (bytes.get_mut(..len), u8::try_from(len)) {
            (Some(room), Ok(short)) if len > 0 => {
                room.copy_from_slice(text.as_bytes());
                Ok(Self { id, len: short, bytes })
            }
            _ => Err(PlanError::MidLength { len }),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Constant,
    AbsSendTime,
    TransportCc,
}

/// Where in a written packet the transport puts what it knows only when it sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StampOffsets {
    /// Offset of the three bytes of absolute send time, zero until stamped.
    pub abs_send_time: Option<usize>,
    /// Offset of the two bytes of transport-wide sequence number, zero until stamped.
    pub transport_cc: Option<usize>,
}

impl StampOffsets {
    /// Writes the time of sending into `packet`, if the packet has a place for it.
    pub fn stamp_abs_send_time(&self, packet: &mut [u8], time: AbsSendTime) {
        if let Some(place) = self.abs_send_time.and_then(|at| packet.get_mut(at..)?.first_chunk_mut()) {
            *place = time.to_bytes();
        }
    }

    /// Writes the transport-wide sequence number into `packet`, if the packet has a place for it.
    pub fn stamp_transport_cc(&self, packet: &mut [u8], sequence_number: u16) {
        if let Some(place) = self.transport_cc.and_then(|at| packet.get_mut(at..)?.first_chunk_mut()) {
            *place = sequence_number.to_be_bytes();
        }
    }
}

/// A packet in the slab, before stamping and sealing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenPacket {
    /// Length of the header in bytes.
    pub header_len: usize,
    /// Where the payload begins: behind the header, and behind the original sequence number of a retransmission.
    pub payload_start: usize,
    /// Length of the whole packet in bytes.
    pub len: usize,
    /// Where the stamps go.
    pub stamps: StampOffsets,
}

/// A packet that was not written; we are to blame, for the slab is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The slab is shorter than the packet.
    #[error("the send slab has {available} bytes, the packet needs {needed}")]
    BufferTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes available.
        available: usize,
    },
}

/// Writes the header of `source` as one consumer gets it to the start of `out`; returns its length and the stamps'
/// places. What follows the header in `out` may be overwritten up to [`HEADER_LEN_MAX`]. CSRCs and padding are dropped. The block has one-byte elements when all of them fit, else two-byte elements
/// (RFC 8285 section 4.1.2 lets a stream mix them when `extmap-allow-mixed` is negotiated), and is left out when empty.
///
/// # Errors
/// `out` is too small; it is then unchanged.
#[inline(always)]
pub fn write_header(
    out: &mut [u8],
    rewrite: &HeaderRewrite,
    plan: &ExtensionPlan,
    source: &SourcePacket<'_>,
) -> Result<(usize, StampOffsets), WriteError> {
    match write_short_header(out, rewrite, plan, source) {
        Some(written) => Ok(written),
        None => write_any_header(out, rewrite, plan, source),
    }
}

/// The same for most packets: a block of a few one-byte elements, most of which are in every packet. `None`: it is another.
#[inline(always)]
fn write_short_header(
    out: &mut [u8],
    rewrite: &HeaderRewrite,
    plan: &ExtensionPlan,
    source: &SourcePacket<'_>,
) -> Option<(usize, StampOffsets)> {
    let Beginning { bytes, len, stamps } = plan.beginning.as_ref()?;
    let (header, rest) = out.split_first_chunk_mut::<{ FIXED_HEADER_LEN + 4 }>()?;
    let block = rest.first_chunk_mut::<SHORT_BLOCK>()?;
    let mut end = *len;
    let copied = source.extensions.present(plan.taken);
    if copied != 0 {
        let is_copied = |(kind, _): &(ExtensionKind, Option<u8>)| copied & bit_of(*kind) != 0;
        let values = || COPIED.into_iter().zip(plan.copied).filter(is_copied);
        let value = |kind| source.extensions.bytes(kind, source.packet);
        for (kind, id) in values() {
            let value = value(kind)?;
            if id? > ONE_BYTE_ID_MAX || value.len() > ONE_BYTE_LEN_MAX || end + 1 + value.len() > SHORT_BLOCK {
                return None;
            }
            end += 1 + value.len();
        }
        *block = *bytes;
        let mut at = *len;
        for (kind, id) in values() {
            let value = value(kind)?;
            block[at] = id? << 4 | (value.len() - 1) as u8;
            block[at + 1..at + 1 + value.len()].copy_from_slice(value);
            at += 1 + value.len();
        }
    } else {
        *block = *bytes;
    }
    let block_len = end.max(plan.reserved[0]).next_multiple_of(4);
    if end == 0 || block_len > SHORT_BLOCK {
        return None;
    }
    let [s0, s1] = rewrite.sequence_number.to_be_bytes();
    let [t0, t1, t2, t3] = rewrite.timestamp.to_be_bytes();
    let [i0, i1, i2, i3] = rewrite.ssrc.0.to_be_bytes();
    let [p0, p1] = ONE_BYTE_PROFILE.to_be_bytes();
    let second = u8::from(rewrite.marker) << 7 | rewrite.payload_type.0 & 0x7f;
    *header = [0x90, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3, p0, p1, 0, (block_len / 4) as u8];
    Some((FIXED_HEADER_LEN + 4 + block_len, *stamps))
}

/// The same for any packet.
#[inline(never)]
fn write_any_header(
    out: &mut [u8],
    rewrite: &HeaderRewrite,
    plan: &ExtensionPlan,
    source: &SourcePacket<'_>,
) -> Result<(usize, StampOffsets), WriteError> {
    let (mut values_len, mut count, mut two_byte) = (0, 0, false);
    for (id, value, _) in plan.elements(source) {
        values_len += value.len();
        count += 1;
        two_byte |= id > ONE_BYTE_ID_MAX || value.len() > ONE_BYTE_LEN_MAX;
    }
    let (head_len, profile) = if two_byte { (2, TWO_BYTE_PROFILE) } else { (1, ONE_BYTE_PROFILE) };
    let block_len = (values_len + count * head_len).max(plan.reserved[head_len - 1]).next_multiple_of(4);
    let header_len = FIXED_HEADER_LEN + if count == 0 { 0 } else { 4 + block_len };

    let available = out.len();
    let Some(header) = out.get_mut(..header_len) else {
        return Err(WriteError::BufferTooSmall { needed: header_len, available });
    };
    header[0] = if count == 0 { 0x80 } else { 0x90 };
    header[1] = u8::from(rewrite.marker) << 7 | rewrite.payload_type.0 & 0x7f;
    header[2..4].copy_from_slice(&rewrite.sequence_number.to_be_bytes());
    header[4..8].copy_from_slice(&rewrite.timestamp.to_be_bytes());
    header[8..12].copy_from_slice(&rewrite.ssrc.0.to_be_bytes());

    let mut stamps = StampOffsets::default();
    if count == 0 {
        return Ok((header_len, stamps));
    }
    header[12..14].copy_from_slice(&profile.to_be_bytes());
    // At most HEADER_LEN_MAX bytes: far below the field's limit.
    header[14..16].copy_from_slice(&((block_len / 4) as u16).to_be_bytes());
    let mut at = FIXED_HEADER_LEN + 4;
    for (id, value, slot) in plan.elements(source) {
        // No value is empty, and none is longer than 255 bytes.
        if two_byte {
            header[at] = id;
            header[at + 1] = value.len() as u8;
        } else {
            header[at] = id << 4 | (value.len() - 1) as u8;
        }
        at += head_len;
        match slot {
            Slot::Constant => {}
            Slot::AbsSendTime => stamps.abs_send_time = Some(at),
            Slot::TransportCc => stamps.transport_cc = Some(at),
        }
        header[at..at + value.len()].copy_from_slice(value);
        at += value.len();
    }
    header[at..].fill(0);
    Ok((header_len, stamps))
}

/// Writes the whole of `source` as one consumer gets it to the start of `out`: [`write_header`], then the payload, then
/// `padding` bytes of padding (RFC 3550 section 5.1), if that is not 0.
///
/// # Errors
/// `out` is too small.
#[inline(always)]
pub fn write_packet(
    out: &mut [u8],
    rewrite: &HeaderRewrite,
    plan: &ExtensionPlan,
    source: &SourcePacket<'_>,
    padding: u8,
) -> Result<WrittenPacket, WriteError> {
    let (header_len, stamps) = write_header(out, rewrite, plan, source)?;
    let len = header_len + source.payload.len() + usize::from(padding);
    let available = out.len();
    let Some(place) = out.get_mut(header_len..len) else {
        return Err(WriteError::BufferTooSmall { needed: len, available });
    };
    let (payload, pad) = place.split_at_mut(source.payload.len());
    payload.copy_from_slice(source.payload);
    if let Some((count, zeros)) = pad.split_last_mut() {
        zeros.fill(0);
        *count = padding;
        out[0] |= PADDING_BIT;
    }
    Ok(WrittenPacket { header_len, payload_start: header_len, len, stamps })
}

#[cfg(test)]
mod tests;
