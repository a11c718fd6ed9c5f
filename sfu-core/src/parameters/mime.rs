//! MIME types of codecs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::MediaKind;

/// A codec's MIME type, such as `video/VP8`. It keeps the spelling it came with and compares without regard to case
/// (RFC 4855 section 3).
#[derive(Debug, Clone)]
pub struct MimeType {
    text: String,
    kind: MediaKind,
}

/// Text that is no audio or video MIME type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("mimeType must be audio/<name> or video/<name>, with a name of 1 to {max} visible ASCII characters", max = MimeType::MAX_NAME_BYTES)]
pub struct MimeTypeError;

impl MimeType {
    /// The longest codec name taken. RFC 4855 limits a media subtype to 127 characters; the registered names of RTP
    /// payload formats stay below 32. A longer one is refused when it is decoded.
    pub const MAX_NAME_BYTES: usize = 64;

    /// The retransmission format of `kind` (RFC 4588).
    pub fn rtx(kind: MediaKind) -> Self {
        Self::of(kind, "rtx")
    }

    /// A codec of ours by its kind and name.
    pub(crate) fn of(kind: MediaKind, name: &'static str) -> Self {
        Self { text: format!("{}/{name}", kind.as_str()), kind }
    }

    /// The part before the slash.
    pub fn kind(&self) -> MediaKind {
        self.kind
    }

    /// The whole, as it was spelled.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The codec's name, the part after the slash, as it was spelled.
    pub fn name(&self) -> &str {
        self.text.split_once('/').map_or("", |(_, name)| name)
    }

    /// Whether the codec's name is `name`, in any case.
    pub fn is_codec(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// Whether this is a retransmission format (RFC 4588) and no codec of its own.
    pub fn is_rtx(&self) -> bool {
        self.is_codec("rtx")
    }
}

impl PartialEq for MimeType {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl Eq for MimeType {}

impl FromStr for MimeType {
    type Err = MimeTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, name) = text.split_once('/').ok_or(MimeTypeError)?;
        let kind = [MediaKind::Audio, MediaKind::Video]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(kind))
            .ok_or(MimeTypeError)?;
        let visible = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if name.is_empty() || name.len() > Self::MAX_NAME_BYTES || !visible {
            return Err(MimeTypeError);
        }
        Ok(Self { text: text.to_owned(), kind })
    }
}

impl fmt::Display for MimeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for MimeType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for MimeType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
