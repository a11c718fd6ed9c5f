//! Session keys from a master key: AES in counter mode as a pseudo-random function (RFC 3711 section 4.3, and
//! RFC 6188 for keys of 256 bits). The key derivation rate is zero, as DTLS-SRTP has it (RFC 5764 section 4.1.2).

use aes::cipher::{BlockEncrypt, KeyInit};
use aes::{Aes128, Aes256, Block};
use zeroize::Zeroizing;

/// What a session key is for (RFC 3711 section 4.3.2).
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// The labels of one direction's SRTP or SRTCP keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Labels {
    pub(super) encryption: Label,
    pub(super) authentication: Label,
    pub(super) salt: Label,
}

impl Labels {
    pub(super) const RTP: Self =
        Self { encryption: Label::RtpEncryption, authentication: Label::RtpAuthentication, salt: Label::RtpSalt };
    pub(super) const RTCP: Self =
        Self { encryption: Label::RtcpEncryption, authentication: Label::RtcpAuthentication, salt: Label::RtcpSalt };
}

/// A master key and salt, the key expanded.
pub(super) struct Derivation {
    cipher: MasterCipher,
    /// The salt, padded with zeros on the right to a block (RFC 7714 section 11 pads its 96 bits to 112).
    salt: Zeroizing<[u8; 16]>,
}

enum MasterCipher {
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
}

impl Derivation {
    /// Nothing when `key` is of neither AES size, or `salt` longer than 112 bits.
    pub(super) fn new(key: &[u8], salt: &[u8]) -> Option<Self> {
        let cipher = match key.len() {
            16 => MasterCipher::Aes128(Box::new(Aes128::new_from_slice(key).ok()?)),
            32 => MasterCipher::Aes256(Box::new(Aes256::new_from_slice(key).ok()?)),
            _ => return None,
        };
        let mut padded = Zeroizing::new([0; 16]);
        padded.get_mut(..14)?.get_mut(..salt.len())?.copy_from_slice(salt);
        Some(Self { cipher, salt: padded })
    }

    /// The session key of `label`, `N` bytes long.
    pub(super) fn derive<const N: usize>(&self, label: Label) -> Zeroizing<[u8; N]> {
        let mut key = Zeroizing::new([0; N]);
        for (counter, chunk) in (0_u16..).zip(key.chunks_mut(16)) {
            let mut block = Zeroizing::new(*self.salt);
            block[7] ^= label as u8;
            block[14..].copy_from_slice(&counter.to_be_bytes());
            let mut output = Block::from(*block);
            match &self.cipher {
                MasterCipher::Aes128(cipher) => cipher.encrypt_block(&mut output),
                MasterCipher::Aes256(cipher) => cipher.encrypt_block(&mut output),
            }
            chunk.copy_from_slice(&output[..chunk.len()]);
            zeroize::Zeroize::zeroize(output.as_mut_slice());
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::tests::hex;

    /// RFC 3711 appendix B.3.
    #[test]
    fn the_rfc_3711_vectors_hold() {
        let derivation =
            Derivation::new(&hex("E1F97A0D3E018BE0D64FA32C06DE4139"), &hex("0EC675AD498AFEEBB6960B3AABE6")).unwrap();
        assert_eq!(derivation.derive::<16>(Label::RtpEncryption).as_slice(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derivation.derive::<14>(Label::RtpSalt).as_slice(), hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(
            derivation.derive::<94>(Label::RtpAuthentication).as_slice(),
            hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF7227098
                 6371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2")
        );
    }

    #[test]
    fn a_key_or_salt_of_no_known_size_is_refused() {
        assert!(Derivation::new(&[0; 24], &[0; 14]).is_none());
        assert!(Derivation::new(&[0; 16], &[0; 15]).is_none());
    }
}
