//! Connectivity checks, by hand.

use std::sync::atomic::{AtomicU64, Ordering};

use rtc_crypto::providers::RingCrypto;
use rtc_stun::attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, Message, Setter, TransactionId};
use sfu_core::engine::WebRtcTransport;

/// A valid check that nominates.
pub(crate) fn check(transport: &WebRtcTransport) -> Vec<u8> {
    let password = &transport.ice_parameters().password;
    signed(transport, password)
}

/// The same by who knows the transport and not its password.
pub(crate) fn guess(transport: &WebRtcTransport) -> Vec<u8> {
    signed(transport, "what it could be")
}

fn signed(transport: &WebRtcTransport, password: &str) -> Vec<u8> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let mut id = [3; 12];
    id[4..].copy_from_slice(&MADE.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let mut message = Message::new();
    message.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId(id))]).expect("a header");
    let username = format!("{}:peer", transport.ice_parameters().username_fragment);
    message.add(ATTR_USERNAME, username.as_bytes());
    message.add(ATTR_PRIORITY, &[0x6e, 0, 1, 0xff]);
    message.add(ATTR_ICE_CONTROLLING, &[1; 8]);
    message.add(ATTR_USE_CANDIDATE, &[]);
    MessageIntegrity::new_short_term_integrity_with_provider(password.to_owned(), &RingCrypto)
        .add_to(&mut message)
        .expect("an integrity attribute");
    FINGERPRINT.add_to(&mut message).expect("a fingerprint");
    message.raw
}
