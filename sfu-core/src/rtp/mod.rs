//! RTP: a zero-copy view of a packet, header extensions, codec payloads, and the writing of forwarded packets.
//!
//! A packet is parsed once, in place: [`header::RtpHeader`] and [`extensions::ExtensionValues`] hold numbers and
//! offsets, never bytes. [`writer`] and [`rtx`] write what a consumer gets straight into the send slab. Nothing here
//! allocates, and nothing here can panic on what a peer sent: [`fuzzing`] holds the proof's bodies.

pub mod codecs;
pub mod demux;
pub mod extensions;
pub mod fuzzing;
pub mod header;
pub mod layers;
pub mod red;
pub mod rtx;
pub mod writer;

use thiserror::Error;

/// What is wrong with an RTP packet; in every case its sender is to blame, and the packet is to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RtpError {
    /// Shorter than the fixed header (RFC 3550 section 5.1).
    #[error("the sender's RTP packet has {len} bytes, fewer than the fixed header's 12")]
    TooShort {
        /// Bytes in the packet.
        len: usize,
    },
    /// The version is not 2.
    #[error("the sender's RTP packet has version {0}, not 2")]
    Version(u8),
    /// The CSRC list runs past the packet's end.
    #[error("the sender's RTP packet ends inside its list of {0} CSRCs")]
    CsrcsTruncated(u8),
    /// The extension block, or its four bytes of head, runs past the packet's end (RFC 3550 section 5.3.1).
    #[error("the sender's RTP packet ends inside its header extension block")]
    ExtensionTruncated,
    /// The P bit is set, and the last byte does not count a padding that fits the payload (RFC 3550 section 5.1).
    #[error("the sender's RTP packet claims {claimed} bytes of padding in a payload of {available}")]
    Padding {
        /// The count in the packet's last byte; 0 also when there is no byte left that could hold it.
        claimed: u8,
        /// Bytes after the header.
        available: usize,
    },
    /// A retransmission too short for the original sequence number (RFC 4588 section 4).
    #[error("the sender's RTX packet has a payload of one byte, too short for the original sequence number")]
    RtxTooShort,
}
