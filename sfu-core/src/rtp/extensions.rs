//! RTP header extensions (RFC 8285): which id means what, and one pass over a packet's block.

use std::ops::Range;

use super::header::RtpHeader;
use crate::rtcp::ntp::NtpTime;

/// Profile of a block of one-byte elements (RFC 8285 section 4.2).
pub const ONE_BYTE_PROFILE: u16 = 0xbede;
/// Profile of a block of two-byte elements; the low four bits are the application's (RFC 8285 section 4.3).
pub const TWO_BYTE_PROFILE: u16 = 0x1000;
/// The highest id that a one-byte element can carry; 15 ends the block (RFC 8285 section 4.2).
pub const ONE_BYTE_ID_MAX: u8 = 14;
/// The longest value, in bytes, that a one-byte element can carry.
pub const ONE_BYTE_LEN_MAX: usize = 16;

/// The header extensions that the media plane knows. Mapping URIs to kinds is negotiation's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExtensionKind {
    /// The media section's identification (RFC 9143 section 15).
    Mid,
    /// The RTP stream's identification (RFC 8852).
    Rid,
    /// On a retransmission, the identification of the stream it repairs (RFC 8852).
    RepairedRid,
    /// Absolute send time.
    AbsSendTime,
    /// Transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2).
    TransportCc,
    /// Client to mixer audio level (RFC 6464).
    AudioLevel,
    /// Coordination of video orientation (3GPP TS 26.114 section 7.4.5).
    VideoOrientation,
    /// Transmission time offset (RFC 5450).
    TransmissionOffset,
    /// Absolute capture time.
    AbsCaptureTime,
    /// Playout delay limits.
    PlayoutDelay,
    /// AV1's dependency descriptor (RTP Payload Format For AV1, appendix A).
    DependencyDescriptor,
}

impl ExtensionKind {
    /// Every kind, in the order of their discriminants.
    pub const ALL: [Self; 11] = [
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
        Self::AbsSendTime,
        Self::TransportCc,
        Self::AudioLevel,
        Self::VideoOrientation,
        Self::TransmissionOffset,
        Self::AbsCaptureTime,
        Self::PlayoutDelay,
        Self::DependencyDescriptor,
    ];

    /// Whether a value of this kind may have `len` bytes. A value of another length is not forwarded: what we send
    /// is well-formed whatever a publisher sends.
    fn accepts(self, len: usize) -> bool {
        match self {
            Self::Mid | Self::Rid | Self::RepairedRid => len >= 1,
            Self::AbsSendTime | Self::TransmissionOffset | Self::PlayoutDelay => len == 3,
            Self::TransportCc => len == 2,
            Self::AudioLevel | Self::VideoOrientation => len == 1,
            Self::AbsCaptureTime => len == 8 || len == 16,
            Self::DependencyDescriptor => len >= 3,
        }
    }
}

/// One direction's negotiated ids, looked up both ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionIds {
    by_id: [Option<ExtensionKind>; 256],
    by_kind: [Option<u8>; ExtensionKind::ALL.len()],
}

/// An id that no element can carry: 0 is padding, 15 ends a block of one-byte elements (RFC 8285 section 4.2).
/// The caller, who negotiated it, is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be the id of a header extension")]
pub struct ReservedExtensionId(pub u8);

impl Default for ExtensionIds {
    fn default() -> Self {
        Self { by_id: [None; 256], by_kind: [None; ExtensionKind::ALL.len()] }
    }
}

impl ExtensionIds {
    /// No extension negotiated.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `kind` the id `id`, 1 to 14 or 16 to 255. The last call wins: a kind has one id, an id one kind.
    ///
    /// # Errors
    /// `id` is 0 or 15.
    pub fn set(&mut self, kind: ExtensionKind, id: u8) -> Result<(), ReservedExtensionId> {
        if id == 0 || id == 15 {
            return Err(ReservedExtensionId(id));
        }
        if let Some(old_id) = self.by_kind[kind as usize].replace(id) {
            self.by_id[usize::from(old_id)] = None;
        }
        if let Some(old_kind) = self.by_id[usize::from(id)].replace(kind) {
            self.by_kind[old_kind as usize] = None;
        }
        Ok(())
    }

    /// Forgets `kind`, as if it had not been negotiated.
    pub fn unset(&mut self, kind: ExtensionKind) {
        if let Some(id) = self.by_kind[kind as usize].take() {
            self.by_id[usize::from(id)] = None;
        }
    }

    /// The id of `kind`, when negotiated.
    pub fn get(&self, kind: ExtensionKind) -> Option<u8> {
        self.by_kind[kind as usize]
    }

    /// Reads the extension block of `packet` in one pass; `header` is the view of the same packet, which may still be
    /// encrypted. A defect (a truncated element, an id 0 with a length, an id 15 among one-byte elements) ends the
    /// reading and what came before it stands. Unknown ids and values of a length their kind does not have are
    /// stepped over; of two elements of one kind the first counts.
    pub fn parse(&self, packet: &[u8], header: &RtpHeader) -> ExtensionValues {
        let mut values = ExtensionValues::default();
        for Element { id, start, value } in Elements::of(packet, header) {
            let Some(kind) = self.by_id[usize::from(id)] else { continue };
            let (Ok(start), Ok(len)) = (u16::try_from(start), u8::try_from(value.len())) else { break };
            let span = &mut values.spans[kind as usize];
            if span.len == 0 && kind.accepts(value.len()) {
                *span = Span { start, len };
                values.present |= bit_of(kind);
                values.decode(kind, value);
            }
        }
        values
    }
}

/// What the extension block of one packet says: small values, and offsets into the packet for the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionValues {
    spans: [Span; ExtensionKind::ALL.len()],
    /// Which kinds there are: those of [`bit_of`].
    present: u16,
    /// The audio level of the packet's sound.
    pub audio_level: Option<AudioLevel>,
    /// When the packet left its sender.
    pub abs_send_time: Option<AbsSendTime>,
    /// The packet's number on its transport, across all streams.
    pub transport_cc: Option<u16>,
    /// How the picture is to be turned.
    pub video_orientation: Option<VideoOrientation>,
}

impl ExtensionValues {
    /// Where the value of `kind` is, from the packet's start.
    pub fn range(&self, kind: ExtensionKind) -> Option<Range<usize>> {
        let Span { start, len } = self.spans[kind as usize];
        let start = usize::from(start);
        (len != 0).then(|| start..start + usize::from(len))
    }

    /// The value of `kind`, never empty, out of the `packet` that was parsed.
    pub fn bytes<'a>(&self, kind: ExtensionKind, packet: &'a [u8]) -> Option<&'a [u8]> {
        packet.get(self.range(kind)?)
    }

    /// Which of some kinds there are, a bit for each ([`bit_of`]).
    pub(super) fn present(&self, kinds: u16) -> u16 {
        self.present & kinds
    }

    fn decode(&mut self, kind: ExtensionKind, value: &[u8]) {
        match (kind, value) {
            (ExtensionKind::AudioLevel, &[byte]) => self.audio_level = Some(AudioLevel::from_byte(byte)),
            (ExtensionKind::VideoOrientation, &[byte]) => {
                self.video_orientation = Some(VideoOrientation::from_byte(byte));
            }
            (ExtensionKind::AbsSendTime, &[a, b, c]) => {
                self.abs_send_time = Some(AbsSendTime(u32::from_be_bytes([0, a, b, c])));
            }
            (ExtensionKind::TransportCc, &[a, b]) => self.transport_cc = Some(u16::from_be_bytes([a, b])),
            _ => {}
        }
    }
}

/// The bit of a kind in a set of them.
pub(super) const fn bit_of(kind: ExtensionKind) -> u16 {
    1 << kind as u16
}

const _: () = assert!(ExtensionKind::ALL.len() <= 16);

/// A place in a packet. A datagram has less than 2^16 bytes, a value less than 2^8; a length of 0 means absent, for
/// no kind has empty values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    start: u16,
    len: u8,
}

/// The audio level of a packet (RFC 6464 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioLevel {
    /// Whether the encoder believes to have heard a voice.
    pub voice: bool,
    /// Level below overload in -dBov: 0 is the loudest, 127 silence.
    pub minus_dbov: u8,
}

impl AudioLevel {
    fn from_byte(byte: u8) -> Self {
        Self { voice: byte & 0x80 != 0, minus_dbov: byte & 0x7f }
    }
}

/// How a picture was taken (3GPP TS 26.114 section 7.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoOrientation {
    /// Whether the camera faces away from the user.
    pub back_camera: bool,
    /// Whether the picture is to be mirrored horizontally.
    pub flip: bool,
    /// Rotation in degrees, 0, 90, 180 or 270.
    pub rotation_degrees: u16,
}

impl VideoOrientation {
    fn from_byte(byte: u8) -> Self {
        Self { back_camera: byte & 0x08 != 0, flip: byte & 0x04 != 0, rotation_degrees: u16::from(byte & 0x03) * 90 }
    }
}

/// A time of sending: 24 bits of seconds in 6.18 fixed point, so it wraps every 64 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AbsSendTime(u32);

impl AbsSendTime {
    /// The same moment, less exact.
    pub fn from_ntp(time: NtpTime) -> Self {
        Self((time.0 >> 14) as u32 & 0x00ff_ffff)
    }

    /// The 24 bits, in units of 2^-18 s.
    pub fn as_raw(self) -> u32 {
        self.0
    }

    /// The value as it is on the wire.
    pub fn to_bytes(self) -> [u8; 3] {
        let [_, a, b, c] = self.0.to_be_bytes();
        [a, b, c]
    }
}

/// One element of a block: `value` starts at byte `start` of the packet.
struct Element<'a> {
    id: u8,
    start: usize,
    value: &'a [u8],
}

/// Walks the elements of a block and stops at the first defect.
struct Elements<'a> {
    /// What is left of the block.
    rest: &'a [u8],
    /// Offset of the block's end from the packet's start.
    end: usize,
    two_byte: bool,
}

impl<'a> Elements<'a> {
    fn of(packet: &'a [u8], header: &RtpHeader) -> Self {
        let none = Self { rest: &[], end: 0, two_byte: false };
        let Some(block) = header.extension else { return none };
        let two_byte = match block.profile {
            ONE_BYTE_PROFILE => false,
            profile if profile & 0xfff0 == TWO_BYTE_PROFILE => true,
            _ => return none,
        };
        let end = block.start + block.len;
        packet.get(block.start..end).map_or(none, |rest| Self { rest, end, two_byte })
    }

    fn take(&mut self) -> Option<Element<'a>> {
        loop {
            let (&first, rest) = self.rest.split_first()?;
            self.rest = rest;
            if first == 0 {
                continue; // Padding.
            }
            let (id, len) = if self.two_byte {
                let (&len, rest) = self.rest.split_first()?;
                self.rest = rest;
                (first, usize::from(len))
            } else {
                (first >> 4, usize::from(first & 0x0f) + 1)
            };
            if !self.two_byte && (id == 0 || id > ONE_BYTE_ID_MAX) {
                return None;
            }
            let start = self.end - self.rest.len();
            let (value, rest) = self.rest.split_at_checked(len)?;
            self.rest = rest;
            return Some(Element { id, start, value });
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let element = self.take();
        if element.is_none() {
            self.rest = &[];
        }
        element
    }
}

#[cfg(test)]
mod tests;
