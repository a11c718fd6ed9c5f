//! The agent against a peer that says whatever a test wants.

mod hostile;
mod lifecycle;
mod requests;

use std::cell::Cell;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rtc_crypto::providers::RingCrypto;
use rtc_stun::attributes::{
    ATTR_ICE_CONTROLLED, ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType,
};
use rtc_stun::error_code::ErrorCodeAttribute;
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{
    BINDING_REQUEST, CLASS_ERROR_RESPONSE, CLASS_SUCCESS_RESPONSE, Getter, Message, MessageType, Setter, TransactionId,
};

use super::message::ATTR_NOMINATION;
use super::*;
use crate::test_support::origin;
use crate::transport::tuple::{Protocol, Tuple};

thread_local! {
    /// How many messages were built.
    static BUILT: Cell<u64> = const { Cell::new(0) };
}

/// That of the message that was built last. No two have the same.
fn latest_id() -> TransactionId {
    let mut id = [3; 12];
    id[4..].copy_from_slice(&BUILT.get().to_be_bytes());
    TransactionId(id)
}

fn agent() -> IceLite {
    IceLite::new(&mut StdRng::seed_from_u64(1))
}

fn tuple(number: u8) -> Tuple {
    Tuple {
        protocol: Protocol::Udp,
        local: "192.0.2.1:40000".parse().unwrap(),
        remote: format!("198.51.100.{number}:50000").parse().unwrap(),
    }
}

/// A check under construction, by default a valid one that does not nominate.
#[derive(Clone)]
struct CheckBuilder {
    typ: MessageType,
    password: Option<String>,
    attributes: Vec<(AttrType, Vec<u8>)>,
    after_integrity: Vec<(AttrType, Vec<u8>)>,
    fingerprint: bool,
}

impl CheckBuilder {
    fn new(agent: &IceLite) -> Self {
        let (ufrag, password) = agent.local_parameters();
        Self::with_credentials(ufrag, password)
    }

    fn with_credentials(ufrag: &str, password: &str) -> Self {
        Self {
            typ: BINDING_REQUEST,
            password: Some(password.to_owned()),
            attributes: vec![
                (ATTR_USERNAME, format!("{ufrag}:peer").into_bytes()),
                (ATTR_PRIORITY, vec![0x6e, 0, 1, 0xff]),
                (ATTR_ICE_CONTROLLING, vec![1; 8]),
            ],
            after_integrity: vec![],
            fingerprint: true,
        }
    }

    fn with(mut self, typ: AttrType, value: &[u8]) -> Self {
        self.attributes.push((typ, value.to_vec()));
        self
    }

    fn after_integrity(mut self, typ: AttrType, value: &[u8]) -> Self {
        self.after_integrity.push((typ, value.to_vec()));
        self
    }

    fn without(mut self, typ: AttrType) -> Self {
        self.attributes.retain(|(present, _)| *present != typ);
        self
    }

    fn nominating(self) -> Self {
        self.with(ATTR_USE_CANDIDATE, &[])
    }

    fn password(mut self, password: Option<&str>) -> Self {
        self.password = password.map(str::to_owned);
        self
    }

    fn typ(mut self, typ: MessageType) -> Self {
        self.typ = typ;
        self
    }

    fn build(&self) -> Vec<u8> {
        let mut message = Message::new();
        BUILT.set(BUILT.get() + 1);
        message.build(&[Box::new(self.typ), Box::new(latest_id())]).unwrap();
        for (typ, value) in &self.attributes {
            message.add(*typ, value);
        }
        if let Some(password) = &self.password {
            MessageIntegrity::new_short_term_integrity_with_provider(password.clone(), &RingCrypto)
                .add_to(&mut message)
                .unwrap();
        }
        for (typ, value) in &self.after_integrity {
            message.add(*typ, value);
        }
        if self.fingerprint {
            FINGERPRINT.add_to(&mut message).unwrap();
        }
        message.raw
    }
}

/// A reply as the peer reads it.
struct Reply {
    message: Message,
    len: usize,
}

impl Reply {
    fn of(outcome: StunOutcome) -> Self {
        let StunOutcome::Reply(datagram) = outcome else { panic!("no reply: {outcome:?}") };
        let mut message = Message::new();
        message.unmarshal_binary(&datagram).unwrap();
        FINGERPRINT.check(&message).unwrap();
        assert_eq!(message.transaction_id, latest_id());
        Self { message, len: datagram.len() }
    }

    /// The error's code, or nothing for success.
    fn error(&self) -> Option<u16> {
        if self.message.typ.class == CLASS_SUCCESS_RESPONSE {
            return None;
        }
        assert_eq!(self.message.typ.class, CLASS_ERROR_RESPONSE);
        let mut code = ErrorCodeAttribute::default();
        code.get_from(&self.message).unwrap();
        Some(code.code.0)
    }

    fn is_signed_with(&mut self, password: &str) -> bool {
        MessageIntegrity::check(&mut self.message, password.as_bytes(), &RingCrypto).is_ok()
    }
}

fn events(agent: &mut IceLite) -> Vec<IceEvent> {
    std::iter::from_fn(|| agent.poll_event()).collect()
}

/// Sends a check that has to be accepted, and returns the events.
fn accepted(agent: &mut IceLite, now: Instant, tuple: Tuple, check: &CheckBuilder) -> Vec<IceEvent> {
    assert_eq!(Reply::of(agent.handle_stun(now, tuple, &check.build())).error(), None);
    events(agent)
}

fn changed(state: IceState) -> IceEvent {
    IceEvent::StateChanged { state, reason: None }
}
