//! Connectivity checks of a controlling agent that nominates at once, and consent (RFC 8445, RFC 7675).

use std::time::Duration;

use rtc_crypto::providers::RingCrypto;
use rtc_shared::error::Error;
use rtc_stun::attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, Message, Setter, TransactionId};

/// How often consent is refreshed (RFC 7675 section 5.1).
pub const CONSENT_INTERVAL: Duration = Duration::from_secs(5);

/// Our half of the usernames. An ICE-lite server sends no checks of its own, so nothing depends on it.
const USERNAME_FRAGMENT: &str = "bench";
/// Of a peer-reflexive candidate on one interface (RFC 8445 section 5.1.2.1).
const PRIORITY: u32 = 0x6e00_01ff;
/// How a success response to a binding request begins (RFC 8489 section 5).
const BINDING_SUCCESS: [u8; 2] = [1, 1];

/// Writes a check that nominates. The same bytes serve for the whole call: on one path there are no answers to tell apart.
///
/// # Errors
/// STUN's, which the parameters of no sound server cause.
pub fn check(username_fragment: &str, password: &str, transaction_id: [u8; 12]) -> Result<Vec<u8>, Error> {
    let mut message = Message::new();
    message.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId(transaction_id))])?;
    message.add(ATTR_USERNAME, format!("{username_fragment}:{USERNAME_FRAGMENT}").as_bytes());
    message.add(ATTR_PRIORITY, &PRIORITY.to_be_bytes());
    message.add(ATTR_ICE_CONTROLLING, &transaction_id[..8]);
    message.add(ATTR_USE_CANDIDATE, &[]);
    MessageIntegrity::new_short_term_integrity_with_provider(password.to_owned(), &RingCrypto).add_to(&mut message)?;
    FINGERPRINT.add_to(&mut message)?;
    Ok(message.raw)
}

/// Whether a datagram says yes to the check with this transaction.
pub fn is_success(datagram: &[u8], transaction_id: [u8; 12]) -> bool {
    datagram.starts_with(&BINDING_SUCCESS) && datagram.get(8..20) == Some(&transaction_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_carries_both_halves_of_the_name_and_proof_of_the_password() {
        let raw = check("theirs", "secret", [5; 12]).unwrap();
        let mut message = Message::new();
        message.raw = raw;
        message.decode().unwrap();
        assert_eq!(message.get(ATTR_USERNAME).unwrap(), b"theirs:bench");
        assert!(message.get(ATTR_USE_CANDIDATE).is_ok());
        assert!(MessageIntegrity::check(&mut message, b"secret", &RingCrypto).is_ok());
        assert!(MessageIntegrity::check(&mut message, b"another", &RingCrypto).is_err());
    }

    #[test]
    fn only_the_answer_to_ones_own_check_counts() {
        let answer = [&[1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[5; 12]].concat();
        assert!(is_success(&answer, [5; 12]));
        assert!(!is_success(&answer, [6; 12]));
        assert!(!is_success(&answer[..19], [5; 12]));
        let refused = [&[1, 0x11][..], &answer[2..]].concat();
        assert!(!is_success(&refused, [5; 12]));
    }
}
