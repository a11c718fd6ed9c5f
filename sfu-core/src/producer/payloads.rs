//! What a producer's payload types mean.

use crate::ids::PayloadType;
use crate::negotiation::{RtpMapping, red};
use crate::parameters::{RtpCodecParameters, RtpParameters};
use crate::rtp::codecs::Codec;
use crate::rtp::red::{RedError, RedHeader};

/// A payload type that carries media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MediaPayload {
    pub(crate) codec: Codec,
    /// The payload type that consumers get.
    pub(crate) mapped: PayloadType,
    pub(crate) clock_rate_hz: u32,
    /// Whether lost packets may be asked for.
    pub(crate) nack: bool,
}

/// A payload type of redundant audio (RFC 2198).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RedPayload {
    /// What its primary blocks are: the whole of what consumers get that take no redundancy.
    pub(crate) primary: MediaPayload,
    /// The payload type that those blocks have inside the producer's payloads. Consumers know it as `primary.mapped`.
    pub(crate) primary_payload_type: PayloadType,
    /// The payload type that consumers get which take redundancy.
    pub(crate) mapped: PayloadType,
}

/// A packet of redundant audio, read once for consumers of both kinds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RedPacket {
    meaning: RedPayload,
    header: RedHeader,
}
impl RedPacket {
    /// The payload type under which consumers take the packet as it is. Who does not take it gets [`Self::primary`].
    pub(crate) fn mapped(&self) -> PayloadType {
        self.meaning.mapped
    }

    /// What the packet's payload would be without redundancy, under the payload type of the primary's [`MediaPayload`] and
    /// with the same timestamp. Empty, and then not to be sent, if there was nothing new to say.
    pub(crate) fn primary<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        self.header.primary(payload)
    }

    /// Gives the blocks in a consumer's copy of the payload the payload type that the consumer knows their codec by.
    pub(crate) fn renumber(&self, copy: &mut [u8]) {
        self.header.write_payload_type(copy, self.meaning.primary_payload_type, self.meaning.primary.mapped);
    }
}

/// What one payload type means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayloadEntry {
    Media(MediaPayload),
    /// Media with earlier packets repeated in each.
    Red(RedPayload),
    /// Retransmissions of another payload type (RFC 4588).
    Rtx {
        associated: PayloadType,
    },
}

/// A producer's payload types, looked up by number.
#[derive(Debug, Clone)]
pub(crate) struct PayloadTable {
    entries: Vec<(PayloadType, PayloadEntry)>,
}

impl PayloadTable {
    /// `parameters` are validated, `mapping` was made from them.
    pub(crate) fn new(parameters: &RtpParameters, mapping: &RtpMapping) -> Self {
        let entries = parameters
            .codecs
            .iter()
            .filter_map(|codec| {
                let entry = if codec.mime_type.is_rtx() {
                    PayloadEntry::Rtx { associated: codec.associated_payload_type()? }
                } else if red::is_red(&codec.mime_type) {
                    let primary = red::primary_codec(codec, &parameters.codecs)?;
                    PayloadEntry::Red(RedPayload {
                        primary: media_payload(primary, mapping)?,
                        primary_payload_type: primary.payload_type,
                        mapped: mapping.mapped_payload_type(codec.payload_type)?,
                    })
                } else {
                    PayloadEntry::Media(media_payload(codec, mapping)?)
                };
                Some((codec.payload_type, entry))
            })
            .collect();
        Self { entries }
    }

    pub(crate) fn get(&self, payload_type: PayloadType) -> Option<PayloadEntry> {
        self.entries.iter().find(|(known, _)| *known == payload_type).map(|&(_, entry)| entry)
    }

    /// The media that a packet of this payload type is of, or repairs: of redundant audio that of its primary block.
    pub(crate) fn media(&self, payload_type: PayloadType) -> Option<MediaPayload> {
        match self.get_repaired(payload_type)? {
            PayloadEntry::Media(media) => Some(media),
            PayloadEntry::Red(red) => Some(red.primary),
            PayloadEntry::Rtx { .. } => None,
        }
    }

    /// The first of those that carry media.
    pub(crate) fn first_media(&self) -> Option<MediaPayload> {
        self.entries.iter().find_map(|(payload_type, _)| self.media(*payload_type))
    }

    /// Reads a packet of this payload type, with `payload` less padding, if it is redundant audio. `None` if not, and for
    /// padding alone.
    ///
    /// # Errors
    /// The sender's payload is malformed: nobody can be sent it.
    pub(crate) fn red(&self, payload_type: PayloadType, payload: &[u8]) -> Result<Option<RedPacket>, RedError> {
        let Some(PayloadEntry::Red(meaning)) = self.get_repaired(payload_type) else { return Ok(None) };
        if payload.is_empty() {
            return Ok(None);
        }
        let header = RedHeader::parse(payload)?;
        let (found, expected) = (header.primary_payload_type, meaning.primary_payload_type);
        if found != expected {
            return Err(RedError::ForeignPrimary { found, expected });
        }
        Ok(Some(RedPacket { meaning, header }))
    }

    fn get_repaired(&self, payload_type: PayloadType) -> Option<PayloadEntry> {
        match self.get(payload_type)? {
            PayloadEntry::Rtx { associated } => self.get(associated),
            entry => Some(entry),
        }
    }
}

fn media_payload(codec: &RtpCodecParameters, mapping: &RtpMapping) -> Option<MediaPayload> {
    Some(MediaPayload {
        codec: Codec::from_mime(codec.mime_type.as_str())?,
        mapped: mapping.mapped_payload_type(codec.payload_type)?,
        clock_rate_hz: codec.clock_rate,
        nack: codec.rtcp_feedback.iter().any(|feedback| feedback.is("nack", "")),
    })
}

#[cfg(test)]
mod tests;
