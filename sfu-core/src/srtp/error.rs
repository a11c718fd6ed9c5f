//! What can be wrong with keys, with a packet to send and with a packet received.

use thiserror::Error;

use crate::ids::Ssrc;

/// Keying material of the wrong size: the fault of whoever exported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The DTLS exporter's output is not two keys and two salts.
    #[error("keying material of {actual} bytes, where the profile takes {expected}")]
    MaterialLength {
        /// What the profile takes, in bytes.
        expected: usize,
        /// What was given, in bytes.
        actual: usize,
    },
    /// A master key of another profile.
    #[error("a master key of {actual} bytes, where the profile takes {expected}")]
    KeyLength {
        /// What the profile takes, in bytes.
        expected: usize,
        /// What was given, in bytes.
        actual: usize,
    },
    /// A master salt of another profile.
    #[error("a master salt of {actual} bytes, where the profile takes {expected}")]
    SaltLength {
        /// What the profile takes, in bytes.
        expected: usize,
        /// What was given, in bytes.
        actual: usize,
    },
}

/// Why a packet of ours was not sealed. All but [`SealError::KeyExhausted`] are our own mistakes. A packet that is
/// refused has changed neither the buffer nor any state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    /// The header or the packet does not fit its buffer, or is shorter than a header can be.
    #[error("a header of {header_len} bytes in a packet of {plain_len} bytes in a buffer of {buffer_len} bytes")]
    Bounds {
        /// The header's length in bytes, as given.
        header_len: usize,
        /// The packet's length in bytes, as given.
        plain_len: usize,
        /// The buffer's length in bytes.
        buffer_len: usize,
    },
    /// There is no room for the tag after the packet.
    #[error("sealing takes {needed} bytes and the buffer has {buffer_len}")]
    NoRoom {
        /// The sealed packet's length in bytes.
        needed: usize,
        /// The buffer's length in bytes.
        buffer_len: usize,
    },
    /// The packet's SSRC is not the stream's.
    #[error("the packet has SSRC {found}, and the stream {expected}")]
    WrongSsrc {
        /// The stream's SSRC.
        expected: Ssrc,
        /// The packet's SSRC.
        found: Ssrc,
    },
    /// A packet with this sequence number has been sealed before. Sealing other bytes under the same index would
    /// use a keystream twice, and under GCM give the authentication key away.
    #[error("packet index {index} has been sealed before")]
    IndexReused {
        /// The 48-bit packet index.
        index: u64,
    },
    /// A packet that was to be repeated has not been sealed before.
    #[error("packet index {index} has not been sealed, so it cannot be repeated")]
    NeverSealed {
        /// The 48-bit packet index.
        index: u64,
    },
    /// The packet is so far behind that nobody knows any more whether its index has been used.
    #[error("packet index {index} is behind the window of remembered indices")]
    IndexTooOld {
        /// The 48-bit packet index.
        index: u64,
    },
    /// Every index of the key has been used (RFC 3711 section 9.2): the peer has to join anew.
    #[error("the key has protected as many packets as it may")]
    KeyExhausted,
}

/// Why a packet of the peer (or of a stranger) was not opened. No state has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenError {
    /// Shorter than its header and tag.
    #[error("the packet has {len} bytes and takes {needed} at least")]
    TooShort {
        /// The packet's length in bytes.
        len: usize,
        /// What its header, tag and index take, in bytes.
        needed: usize,
    },
    /// The header's length is less than any RTP header has: our own mistake.
    #[error("an RTP header of {header_len} bytes")]
    HeaderLength {
        /// The header's length in bytes, as given.
        header_len: usize,
    },
    /// The packet's SSRC is not the stream's.
    #[error("the packet has SSRC {found}, and the stream {expected}")]
    WrongSsrc {
        /// The stream's SSRC.
        expected: Ssrc,
        /// The packet's SSRC.
        found: Ssrc,
    },
    /// An SRTCP packet that claims not to be encrypted (E=0). RFC 3711 allows it and WebRTC never sends it.
    #[error("the packet is not encrypted")]
    NotEncrypted,
    /// A packet with this index has been received before.
    #[error("packet index {index} has been received before")]
    Replayed {
        /// The packet index: 48 bits of SRTP or 31 bits of SRTCP.
        index: u64,
    },
    /// The packet is so far behind that nobody knows any more whether it is a replay.
    #[error("packet index {index} is behind the replay window")]
    TooOld {
        /// The packet index: 48 bits of SRTP or 31 bits of SRTCP.
        index: u64,
    },
    /// The sequence number lies before the stream's first possible packet.
    #[error("sequence number {sequence_number} lies before the stream's beginning")]
    BeforeStart {
        /// The sequence number in the header.
        sequence_number: u16,
    },
    /// Every index of the key has been used (RFC 3711 section 9.2).
    #[error("the key has protected as many packets as it may")]
    KeyExhausted,
    /// The tag is not what the key gives: a stranger's packet, or a damaged one.
    #[error("the authentication tag is wrong")]
    AuthenticationFailed,
}
