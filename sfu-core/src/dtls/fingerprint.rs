//! Certificate fingerprints (RFC 8122): how signalling vouches for a self-signed certificate.

use std::fmt;
use std::str::FromStr;

use ring::digest;
use thiserror::Error;

/// A hash function for certificate fingerprints, weakest first, so that the order is the strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// SHA-256, `sha-256`.
    Sha256,
    /// SHA-384, `sha-384`.
    Sha384,
    /// SHA-512, `sha-512`.
    Sha512,
}

impl HashAlgorithm {
    /// All of them, weakest first.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The digest's length in bytes.
    pub fn digest_len(self) -> usize {
        self.ring().output_len()
    }

    /// The name in signalling, e.g. `sha-256`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn ring(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for HashAlgorithm {
    type Err = FingerprintError;

    /// Reads a name in any case (RFC 8122 section 5: the names are case-insensitive).
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| FingerprintError::UnsupportedAlgorithm(name.chars().take(32).collect()))
    }
}

/// The digest of a certificate's DER. Displayed as upper-case hex pairs with colons, as signalling has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    algorithm: HashAlgorithm,
    value: Vec<u8>,
}

impl Fingerprint {
    /// The fingerprint of the certificate `der`.
    pub fn of(algorithm: HashAlgorithm, der: &[u8]) -> Self {
        Self { algorithm, value: digest::digest(algorithm.ring(), der).as_ref().to_vec() }
    }

    /// Reads `AA:BB:…` (either case).
    ///
    /// # Errors
    /// Says which pair is not hex, or which length was expected.
    pub fn parse(algorithm: HashAlgorithm, text: &str) -> Result<Self, FingerprintError> {
        let expected = algorithm.digest_len();
        let pairs = text.split(':').count();
        if pairs != expected {
            return Err(FingerprintError::WrongLength { algorithm, expected, actual: pairs });
        }
        let value = text
            .split(':')
            .enumerate()
            .map(|(position, pair)| {
                let hex = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
                let byte = if hex { u8::from_str_radix(pair, 16).ok() } else { None };
                byte.ok_or(FingerprintError::NotHex { position })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { algorithm, value })
    }

    /// The hash function.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The digest, [`HashAlgorithm::digest_len`] bytes.
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

/// What is wrong with a signalled fingerprint. The peer's, or its signalling's, fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FingerprintError {
    /// A hash function that we do not accept (MD5, SHA-1 and SHA-224 are too weak or unused).
    #[error("fingerprint algorithm {0:?} is not supported: use sha-256, sha-384 or sha-512")]
    UnsupportedAlgorithm(String),
    /// Not as many bytes as the hash function gives.
    #[error("a {algorithm} fingerprint has {expected} colon-separated bytes, not {actual}")]
    WrongLength {
        /// The hash function.
        algorithm: HashAlgorithm,
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
    let strongest = signalled.iter().map(Fingerprint::algorithm).max().unwrap_or(HashAlgorithm::Sha256);
    let actual = Fingerprint::of(strongest, der);
    if signalled.contains(&actual) { Ok(()) } else { Err(actual) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_upper_case_hex_with_colons_and_reads_back() {
        for algorithm in HashAlgorithm::ALL {
            let fingerprint = Fingerprint::of(algorithm, b"abc");
            let text = fingerprint.to_string();
            assert_eq!(text.len(), algorithm.digest_len() * 3 - 1);
            assert_eq!(text, text.to_uppercase());
            assert_eq!(Fingerprint::parse(algorithm, &text).unwrap(), fingerprint);
            assert_eq!(Fingerprint::parse(algorithm, &text.to_lowercase()).unwrap(), fingerprint);
            assert_eq!(algorithm.name().to_uppercase().parse::<HashAlgorithm>().unwrap(), algorithm);
        }
    }

    #[test]
    fn a_known_digest_is_reproduced() {
        // FIPS 180-2 appendix B.1: SHA-256 of "abc".
        let text = Fingerprint::of(HashAlgorithm::Sha256, b"abc").to_string();
        assert!(text.starts_with("BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23"), "{text}");
    }

    #[test]
    fn faults_are_named() {
        assert_eq!("sha-1".parse::<HashAlgorithm>(), Err(FingerprintError::UnsupportedAlgorithm("sha-1".into())));
        let good = Fingerprint::of(HashAlgorithm::Sha256, b"").to_string();
        assert_eq!(
            Fingerprint::parse(HashAlgorithm::Sha384, &good),
            Err(FingerprintError::WrongLength { algorithm: HashAlgorithm::Sha384, expected: 48, actual: 32 })
        );
        let bad = good.replacen(&good[3..5], "+F", 1);
        assert_eq!(Fingerprint::parse(HashAlgorithm::Sha256, &bad), Err(FingerprintError::NotHex { position: 1 }));
        assert!(Fingerprint::parse(HashAlgorithm::Sha256, "").is_err());
    }

    #[test]
    fn only_the_strongest_offered_algorithm_counts() {
        let of = |algorithm, der: &[u8]| Fingerprint::of(algorithm, der);
        use HashAlgorithm::{Sha256, Sha512};
        assert!(verify(&[of(Sha256, b"a")], b"a").is_ok());
        assert!(verify(&[of(Sha256, b"b"), of(Sha256, b"a")], b"a").is_ok());
        assert!(verify(&[of(Sha256, b"a"), of(Sha512, b"a")], b"a").is_ok());
        // Harm: a weak hash that an attacker can collide would vouch although a strong one was signalled.
        assert!(verify(&[of(Sha256, b"a"), of(Sha512, b"b")], b"a").is_err());
        assert!(verify(&[], b"a").is_err());
    }
}
