//! The controlling side of ICE, on `rtc-stun` alone.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtc_crypto::providers::RingCrypto;
use rtc_stun::attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, CLASS_SUCCESS_RESPONSE, Getter, Message, Setter, TransactionId};
use rtc_stun::xoraddr::XorMappedAddress;
use sfu_core::parameters::IceParameters;

/// The time between checks until one is answered.
const FIRST_INTERVAL: Duration = Duration::from_millis(50);
/// The time between checks from then on, as libwebrtc has it on a stable path.
const INTERVAL: Duration = Duration::from_millis(2500);

/// One peer's checks.
pub struct IceClient {
    remote: IceParameters,
    transactions: u64,
    next_check_at: Option<Instant>,
    /// The peer is alive and checks.
    pub is_checking: bool,
    /// Answers to valid checks, all verified.
    pub answered: usize,
    /// Error answers.
    pub refused: usize,
    /// What the last answer said of our address.
    pub mapped: Option<SocketAddr>,
}

impl IceClient {
    /// A client that checks at once, with these credentials of the core.
    pub fn new(now: Instant, remote: IceParameters) -> Self {
        Self {
            remote,
            transactions: 0,
            next_check_at: Some(now),
            is_checking: true,
            answered: 0,
            refused: 0,
            mapped: None,
        }
    }

    /// Takes new credentials and checks with them from now on.
    pub fn restart(&mut self, now: Instant, remote: IceParameters) {
        self.remote = remote;
        self.check_now(now);
    }

    /// Has the next check sent at once.
    pub fn check_now(&mut self, now: Instant) {
        self.next_check_at = Some(now);
    }

    /// A binding request.
    pub fn request(&mut self, nominates: bool) -> Vec<u8> {
        self.transactions += 1;
        let mut id = [7; 12];
        id[..8].copy_from_slice(&self.transactions.to_be_bytes());
        let mut message = Message::new();
        message.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId(id))]).unwrap();
        message.add(ATTR_USERNAME, format!("{}:peer", self.remote.username_fragment).as_bytes());
        message.add(ATTR_PRIORITY, &[0x6e, 0, 1, 0xff]);
        message.add(ATTR_ICE_CONTROLLING, &[1; 8]);
        if nominates {
            message.add(ATTR_USE_CANDIDATE, &[]);
        }
        MessageIntegrity::new_short_term_integrity_with_provider(self.remote.password.clone(), &RingCrypto)
            .add_to(&mut message)
            .unwrap();
        FINGERPRINT.add_to(&mut message).unwrap();
        message.raw
    }

    /// When the next check is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_check_at.filter(|_| self.is_checking)
    }

    /// The check that is due.
    pub fn poll_check(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.poll_timeout().filter(|at| *at <= now)?;
        self.next_check_at = Some(now + if self.answered == 0 { FIRST_INTERVAL } else { INTERVAL });
        Some(self.request(true))
    }

    /// Takes an answer. A success that does not verify is a fault of the core.
    pub fn handle(&mut self, datagram: &[u8]) {
        let mut message = Message::new();
        message.unmarshal_binary(datagram).unwrap();
        FINGERPRINT.check(&message).unwrap();
        if message.typ.class != CLASS_SUCCESS_RESPONSE {
            self.refused += 1;
            return;
        }
        // After a restart an answer to an older check is signed with the older password.
        if MessageIntegrity::check(&mut message, self.remote.password.as_bytes(), &RingCrypto).is_err() {
            return;
        }
        let mut mapped = XorMappedAddress::default();
        mapped.get_from(&message).unwrap();
        self.mapped = Some(SocketAddr::new(mapped.ip, mapped.port));
        self.answered += 1;
    }
}
