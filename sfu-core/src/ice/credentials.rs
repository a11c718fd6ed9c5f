//! The local username fragment and password (RFC 8445 section 5.3).

use std::fmt;

use rand::RngCore;

/// The length of a username fragment in characters of five bits: with 120 bits it is unique on its own, and the key by
/// which a first check finds its transport.
pub const UFRAG_LEN: usize = 24;

/// The length of a password in characters of five bits: 160 bits, where RFC 8445 asks for 128.
pub const PASSWORD_LEN: usize = 32;

/// 32 of the ice-chars, so that five random bits are one character without bias.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// One generation of local credentials.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) ufrag: String,
    pub(super) password: String,
}

impl Credentials {
    pub(super) fn random(rng: &mut impl RngCore) -> Self {
        Self { ufrag: random_text(rng, UFRAG_LEN), password: random_text(rng, PASSWORD_LEN) }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

fn random_text(rng: &mut impl RngCore, len: usize) -> String {
    let mut bytes = vec![0; len];
    rng.fill_bytes(&mut bytes);
    bytes.into_iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}
