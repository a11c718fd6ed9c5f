//! DTLS parameters: who starts the handshake, and which certificate to expect (RFC 8122, RFC 8842).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// One side's DTLS parameters.
///
/// Fingerprints with a hash that this server does not compute (a browser may list `sha-1`) are left out when decoding;
/// an empty list is what remains when there was no usable one, and validation refuses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DtlsParameters {
    /// Who starts the handshake; `auto` when it is left open or absent.
    #[serde(default)]
    pub role: DtlsRole,
    /// Hashes of the certificate that this side will show.
    #[serde(deserialize_with = "supported_fingerprints")]
    pub fingerprints: Vec<DtlsFingerprint>,
}

/// Who starts the DTLS handshake (RFC 8842 section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsRole {
    /// Either, the other side decides.
    #[default]
    Auto,
    /// This side sends the ClientHello.
    Client,
    /// This side waits for it.
    Server,
}

/// A certificate's hash (RFC 8122 section 5), as text: [`crate::dtls::Fingerprint`] reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DtlsFingerprint {
    /// The hash function.
    pub algorithm: FingerprintAlgorithm,
    /// The hash: two hexadecimal digits for each byte, separated by colons.
    pub value: String,
}

/// A hash function for fingerprints. RFC 8122 section 5 forbids MD2 and MD5 and we leave out SHA-1 and SHA-224, which
/// no current client shows alone. The order is the strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FingerprintAlgorithm {
    /// SHA-256.
    #[serde(rename = "sha-256")]
    Sha256,
    /// SHA-384.
    #[serde(rename = "sha-384")]
    Sha384,
    /// SHA-512.
    #[serde(rename = "sha-512")]
    Sha512,
}

impl FingerprintAlgorithm {
    /// All of them, the weakest first.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name in SDP and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// The length of the hash, bytes.
    pub fn digest_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for FingerprintAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Keeps the fingerprints whose algorithm is known, in any case (RFC 8122 section 5: names are case-insensitive).
fn supported_fingerprints<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<DtlsFingerprint>, D::Error> {
    #[derive(Deserialize)]
    struct AnyFingerprint {
        algorithm: String,
        value: String,
    }

    let all = Vec::<AnyFingerprint>::deserialize(deserializer)?;
    Ok(all
        .into_iter()
        .filter_map(|AnyFingerprint { algorithm, value }| {
            let algorithm =
                FingerprintAlgorithm::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(&algorithm))?;
            Some(DtlsFingerprint { algorithm, value })
        })
        .collect())
}
