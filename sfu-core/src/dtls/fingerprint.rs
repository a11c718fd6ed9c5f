//! Certificate fingerprints (RFC 8122): how signalling vouches for a self-signed certificate.

use std::fmt;

use ring::digest;
use thiserror::Error;

use crate::parameters::{DtlsFingerprint, FingerprintAlgorithm};

/// The digest of a certificate's DER. Displayed as upper-case hex pairs with colons, as signalling has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    algorithm: FingerprintAlgorithm,
    value: Vec<u8>,
}

impl Fingerprint {
    /// The fingerprint of the certificate `der`.
    pub fn of(algorithm: FingerprintAlgorithm, der: &[u8]) -> Self {
        Self { algorithm, value: digest::digest(digest_algorithm(algorithm), der).as_ref().to_vec() }
    }

    /// The hash function.
    pub fn algorithm(&self) -> FingerprintAlgorithm {
        self.algorithm
    }

    /// The digest, [`FingerprintAlgorithm::digest_bytes`] bytes.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.value.iter().enumerate() {
            let colon = if position == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl From<&Fingerprint> for DtlsFingerprint {
    fn from(fingerprint: &Fingerprint) -> Self {
        Self { algorithm: fingerprint.algorithm, value: fingerprint.to_string() }
    }
}

impl TryFrom<&DtlsFingerprint> for Fingerprint {
    type Error = FingerprintError;

    /// Reads `AA:BB:…` in either case (RFC 8122 section 5).
    fn try_from(&DtlsFingerprint { algorithm, ref value }: &DtlsFingerprint) -> Result<Self, Self::Error> {
        let expected = algorithm.digest_bytes();
        let actual = value.split(':').count();
        if actual != expected {
            return Err(FingerprintError::WrongLength { algorithm, expected, actual });
        }
        let bytes = value.split(':').enumerate().map(|(position, pair)| {
            let hex = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
            let byte = if hex { u8::from_str_radix(pair, 16).ok() } else { None };
            byte.ok_or(FingerprintError::NotHex { position })
        });
        Ok(Self { algorithm, value: bytes.collect::<Result<_, _>>()? })
    }
}

fn digest_algorithm(algorithm: FingerprintAlgorithm) -> &'static digest::Algorithm {
    match algorithm {
        FingerprintAlgorithm::Sha256 => &digest::SHA256,
        FingerprintAlgorithm::Sha384 => &digest::SHA384,
        FingerprintAlgorithm::Sha512 => &digest::SHA512,
    }
}

/// What is wrong with a signalled fingerprint. The peer's, or its signalling's, fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FingerprintError {
    /// Not as many bytes as the hash function gives.
    #[error("a {algorithm} fingerprint has {expected} colon-separated bytes, not {actual}")]
    WrongLength {
        /// The hash function.
        algorithm: FingerprintAlgorithm,
        /// Bytes of its digest.
        expected: usize,
        /// Colon-separated parts found.
        actual: usize,
    },
    /// A part that is not two hex digits.
    #[error("byte {position} of the fingerprint is not two hex digits")]
    NotHex {
        /// Which one, from 0.
        position: usize,
    },
}

/// Whether the certificate `der` is the one vouched for: its digest by the strongest algorithm in `signalled` must
/// equal any of the fingerprints of that algorithm; weaker ones are not looked at.
///
/// # Errors
/// Gives the certificate's own fingerprint when it does not match. An empty list vouches for nothing.
///
/// RFC 8122 section 5: of several fingerprints, those of the hash function most preferred are selected, and the
/// certificate must match one of them (a peer may have signalled several certificates).
pub(super) fn verify(signalled: &[Fingerprint], der: &[u8]) -> Result<(), Fingerprint> {
    let strongest = signalled.iter().map(Fingerprint::algorithm).max().unwrap_or(FingerprintAlgorithm::Sha256);
    let actual = Fingerprint::of(strongest, der);
    if signalled.contains(&actual) { Ok(()) } else { Err(actual) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_upper_case_hex_with_colons_and_reads_back() {
        for algorithm in FingerprintAlgorithm::ALL {
            let fingerprint = Fingerprint::of(algorithm, b"abc");
            let signalled = DtlsFingerprint::from(&fingerprint);
            assert_eq!(signalled.value.len(), algorithm.digest_bytes() * 3 - 1);
            assert_eq!(signalled.value, signalled.value.to_uppercase());
            let lower_case = DtlsFingerprint { algorithm, value: signalled.value.to_lowercase() };
            for text in [signalled, lower_case] {
                assert_eq!(Fingerprint::try_from(&text).as_ref(), Ok(&fingerprint));
            }
        }
    }

    #[test]
    fn a_known_digest_is_reproduced() {
        // FIPS 180-2 appendix B.1: SHA-256 of "abc".
        let text = Fingerprint::of(FingerprintAlgorithm::Sha256, b"abc").to_string();
        assert!(text.starts_with("BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23"), "{text}");
    }

    #[test]
    fn faults_are_named() {
        let algorithm = FingerprintAlgorithm::Sha256;
        let good = "AB:".repeat(31) + "CD";
        let wrong_length = |actual| FingerprintError::WrongLength { algorithm, expected: 32, actual };
        for (value, fault) in [
            (String::new(), wrong_length(1)),
            ("AB".to_owned(), wrong_length(1)),
            (good.replace(':', "-"), wrong_length(1)),
            (good.replacen("AB:", "ABC", 1), wrong_length(31)),
            (format!("{good}:00"), wrong_length(33)),
            (good.replacen("AB", "XY", 1), FingerprintError::NotHex { position: 0 }),
            (good.replacen("AB", "é", 1), FingerprintError::NotHex { position: 0 }),
            (good.replace("CD", "+F"), FingerprintError::NotHex { position: 31 }),
            (good.replace("CD", "C"), FingerprintError::NotHex { position: 31 }),
        ] {
            let signalled = DtlsFingerprint { algorithm, value };
            assert_eq!(Fingerprint::try_from(&signalled), Err(fault), "{signalled:?}");
        }
    }

    #[test]
    fn only_the_strongest_offered_algorithm_counts() {
        let of = |algorithm, der: &[u8]| Fingerprint::of(algorithm, der);
        use FingerprintAlgorithm::{Sha256, Sha512};
        assert!(verify(&[of(Sha256, b"a")], b"a").is_ok());
        assert!(verify(&[of(Sha256, b"b"), of(Sha256, b"a")], b"a").is_ok());
        assert!(verify(&[of(Sha256, b"a"), of(Sha512, b"a")], b"a").is_ok());
        // Harm: a weak hash that an attacker can collide would vouch although a strong one was signalled.
        assert!(verify(&[of(Sha256, b"a"), of(Sha512, b"b")], b"a").is_err());
        assert!(verify(&[], b"a").is_err());
    }
}
