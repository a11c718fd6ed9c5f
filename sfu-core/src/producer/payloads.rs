//! What a producer's payload types mean.

use crate::ids::PayloadType;
use crate::negotiation::RtpMapping;
use crate::parameters::RtpParameters;
use crate::rtp::codecs::Codec;

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

/// What one payload type means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayloadEntry {
    Media(MediaPayload),
    /// Retransmissions of another payload type (RFC 4588).
    Rtx {
        associated: PayloadType,
    },
}

/// A producer's payload types, looked up by number.
#[derive(Debug)]
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
                } else {
                    PayloadEntry::Media(MediaPayload {
                        codec: Codec::from_mime(codec.mime_type.as_str())?,
                        mapped: mapping.mapped_payload_type(codec.payload_type)?,
                        clock_rate_hz: codec.clock_rate,
                        nack: codec.rtcp_feedback.iter().any(|feedback| feedback.is("nack", "")),
                    })
                };
                Some((codec.payload_type, entry))
            })
            .collect();
        Self { entries }
    }

    pub(crate) fn get(&self, payload_type: PayloadType) -> Option<PayloadEntry> {
        self.entries.iter().find(|(known, _)| *known == payload_type).map(|&(_, entry)| entry)
    }

    /// The media payload type that a packet is of, or repairs.
    pub(crate) fn media(&self, payload_type: PayloadType) -> Option<MediaPayload> {
        match self.get(payload_type)? {
            PayloadEntry::Media(media) => Some(media),
            PayloadEntry::Rtx { associated } => match self.get(associated)? {
                PayloadEntry::Media(media) => Some(media),
                PayloadEntry::Rtx { .. } => None,
            },
        }
    }
}
