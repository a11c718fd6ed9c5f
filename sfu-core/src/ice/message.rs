//! The STUN messages of a check (RFC 8489, RFC 8445 section 7), read and written with `rtc-stun`.

use std::net::SocketAddr;

use rtc_crypto::RTCCrypto;
use rtc_crypto::providers::RingCrypto;
use rtc_stun::attributes::{
    ATTR_ERROR_CODE, ATTR_FINGERPRINT, ATTR_ICE_CONTROLLED, ATTR_MAPPED_ADDRESS, ATTR_MESSAGE_INTEGRITY, ATTR_NONCE,
    ATTR_PRIORITY, ATTR_REALM, ATTR_UNKNOWN_ATTRIBUTES, ATTR_USE_CANDIDATE, ATTR_USERNAME, ATTR_XORMAPPED_ADDRESS,
    AttrType, RawAttribute,
};
use rtc_stun::error_code::{ErrorCode, ErrorCodeAttribute};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_INDICATION, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, MAGIC_COOKIE, METHOD_BINDING,
    Message, MessageType, Setter, TransactionId,
};
use rtc_stun::uattrs::UnknownAttributes;
use rtc_stun::xoraddr::XorMappedAddress;

use super::StunDrop;

/// The longest STUN message that is looked at, in bytes. A check has about 120; this is room for many more attributes
/// than any browser sends, and keeps a long TCP frame from being taken apart.
pub const MAX_STUN_LEN: usize = 1500;

const HEADER_LEN: usize = 20;
const INTEGRITY_LEN: usize = 20;

/// The longest USERNAME (RFC 8489 section 14.3), in bytes.
const MAX_USERNAME_LEN: usize = 513;

/// libwebrtc's nomination value: the highest wins.
pub(super) const ATTR_NOMINATION: AttrType = AttrType(0xc001);

/// Understood, if only to be ignored: the attributes of RFC 8489 and 8445 below 0x8000. Any other there is refused
/// with 420.
const UNDERSTOOD: [AttrType; 10] = [
    ATTR_MAPPED_ADDRESS,
    ATTR_USERNAME,
    ATTR_MESSAGE_INTEGRITY,
    ATTR_ERROR_CODE,
    ATTR_UNKNOWN_ATTRIBUTES,
    ATTR_REALM,
    ATTR_NONCE,
    ATTR_XORMAPPED_ADDRESS,
    ATTR_PRIORITY,
    ATTR_USE_CANDIDATE,
];

fn crypto() -> &'static dyn RTCCrypto {
    &RingCrypto
}

/// The username fragment of ours that a STUN message is addressed to: what stands before the colon of its USERNAME.
///
/// For finding the transport of a check. It allocates nothing and verifies nothing.
pub fn local_ufrag(datagram: &[u8]) -> Option<&str> {
    let (header, attributes) = datagram.split_first_chunk::<HEADER_LEN>()?;
    if header.get(4..8)? != MAGIC_COOKIE.to_be_bytes() {
        return None;
    }
    let mut rest = attributes;
    while let Some((&[t0, t1, l0, l1], after)) = rest.split_first_chunk::<4>() {
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        if u16::from_be_bytes([t0, t1]) == ATTR_USERNAME.value() {
            return local_part(after.get(..len)?);
        }
        rest = after.get(len.next_multiple_of(4)..)?;
    }
    None
}

fn local_part(username: &[u8]) -> Option<&str> {
    if username.len() > MAX_USERNAME_LEN {
        return None;
    }
    let colon = username.iter().position(|&byte| byte == b':')?;
    std::str::from_utf8(username.get(..colon)?).ok()
}

/// A Binding request that is well-formed and addressed to somebody, and not yet verified.
pub(super) struct Request {
    message: Message,
    /// How many attributes count: those before MESSAGE-INTEGRITY, if there is any. What follows it anybody may have
    /// added.
    covered: usize,
    has_integrity: bool,
    pub(super) local_ufrag: String,
}

/// A Binding request that the peer has authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Check {
    /// Whether the peer nominates the tuple, by USE-CANDIDATE or a nomination value.
    pub(super) nominates: bool,
    /// libwebrtc's nomination value.
    pub(super) nomination: Option<u32>,
}

/// Why a request gets an error reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400 before verification: no MESSAGE-INTEGRITY.
    Unsigned,
    /// 401: signed with another password.
    WrongPassword,
    /// 400 after verification: no PRIORITY.
    NoPriority,
    /// 420: an attribute that must be understood and is not.
    Unknown(Vec<AttrType>),
    /// 487: the peer thinks itself controlled, which we always are.
    RoleConflict,
}

impl Request {
    pub(super) fn read(datagram: &[u8]) -> Result<Self, StunDrop> {
        // `rtc-stun` takes a message with bytes after its end, which FINGERPRINT and MESSAGE-INTEGRITY would not cover.
        let announced = datagram.get(2..4).and_then(|bytes| bytes.first_chunk()).map(|len| u16::from_be_bytes(*len));
        let announced = usize::from(announced.ok_or(StunDrop::Malformed)?);
        if datagram.len() > MAX_STUN_LEN || datagram.len() != HEADER_LEN + announced || !announced.is_multiple_of(4) {
            return Err(StunDrop::Malformed);
        }
        if datagram.first().is_none_or(|first| first & 0xc0 != 0) {
            return Err(StunDrop::Malformed);
        }
        let mut message = Message::new();
        message.unmarshal_binary(datagram).map_err(|_| StunDrop::Malformed)?;
        if message.typ.method != METHOD_BINDING {
            return Err(StunDrop::OtherMethod);
        }
        if message.typ.class == CLASS_INDICATION {
            return Err(StunDrop::Indication);
        }
        if message.typ.class != CLASS_REQUEST {
            return Err(StunDrop::Response);
        }
        let ends_in_fingerprint = message.attributes.0.last().is_some_and(|last| last.typ == ATTR_FINGERPRINT);
        if !ends_in_fingerprint || FINGERPRINT.check(&message).is_err() {
            return Err(StunDrop::Fingerprint);
        }
        let integrity_at = message.attributes.0.iter().position(|attribute| attribute.typ == ATTR_MESSAGE_INTEGRITY);
        let covered = integrity_at.unwrap_or(message.attributes.0.len());
        let attribute = |at: usize| message.attributes.0.get(at);
        let has_integrity =
            integrity_at.and_then(attribute).is_some_and(|integrity| integrity.value.len() == INTEGRITY_LEN);
        let username = message.attributes.0.iter().take(covered).find(|attribute| attribute.typ == ATTR_USERNAME);
        let local_ufrag = username.and_then(|username| local_part(&username.value)).ok_or(StunDrop::NotForUs)?;
        Ok(Self { covered, has_integrity, local_ufrag: local_ufrag.to_owned(), message })
    }

    pub(super) fn transaction_id(&self) -> TransactionId {
        self.message.transaction_id
    }

    /// Verifies the request and reads what it asks for. The order is that of RFC 8489 sections 9.1.3 and 6.3.
    pub(super) fn verify(&mut self, password: &str) -> Result<Check, Refusal> {
        if !self.has_integrity {
            return Err(Refusal::Unsigned);
        }
        if MessageIntegrity::check(&mut self.message, password.as_bytes(), crypto()).is_err() {
            return Err(Refusal::WrongPassword);
        }
        let unknown: Vec<AttrType> = self
            .attributes()
            .map(|attribute| attribute.typ)
            .filter(|attribute| attribute.required() && !UNDERSTOOD.contains(attribute))
            .collect();
        if !unknown.is_empty() {
            return Err(Refusal::Unknown(unknown));
        }
        if self.value(ATTR_ICE_CONTROLLED).is_some() {
            return Err(Refusal::RoleConflict);
        }
        if self.value(ATTR_PRIORITY).is_none_or(|priority| priority.len() != 4) {
            return Err(Refusal::NoPriority);
        }
        let nomination = self.value(ATTR_NOMINATION).and_then(|value| value.try_into().ok()).map(u32::from_be_bytes);
        Ok(Check { nominates: nomination.is_some() || self.value(ATTR_USE_CANDIDATE).is_some(), nomination })
    }

    fn attributes(&self) -> impl Iterator<Item = &RawAttribute> {
        self.message.attributes.0.iter().take(self.covered)
    }

    fn value(&self, typ: AttrType) -> Option<&[u8]> {
        self.attributes().find(|attribute| attribute.typ == typ).map(|attribute| attribute.value.as_slice())
    }
}

/// The reply to a valid check: the address that it came from, signed.
pub(super) fn success(id: TransactionId, remote: SocketAddr, password: &str) -> Option<Vec<u8>> {
    // On a dual-stack socket an IPv4 peer has a mapped address, which it would not know for its own.
    let mapped = XorMappedAddress { ip: remote.ip().to_canonical(), port: remote.port() };
    reply(CLASS_SUCCESS_RESPONSE, id, vec![Box::new(mapped)], Some(password))
}

/// The reply to a request that is refused; signed if the request was authentic. To one that is not, the reply is
/// shorter than any request that names a username fragment of ours, so a forged source address gains nothing.
pub(super) fn error(id: TransactionId, refusal: Refusal, password: &str) -> Option<Vec<u8>> {
    let (code, reason, password) = match refusal {
        Refusal::Unsigned => (400, "Bad Request", None),
        Refusal::WrongPassword => (401, "Unauthorized", None),
        Refusal::NoPriority => (400, "Bad Request", Some(password)),
        Refusal::Unknown(_) => (420, "Unknown Attribute", Some(password)),
        Refusal::RoleConflict => (487, "Role Conflict", Some(password)),
    };
    let code = ErrorCodeAttribute { code: ErrorCode(code), reason: reason.into() };
    let mut attributes: Vec<Box<dyn Setter>> = vec![Box::new(code)];
    if let Refusal::Unknown(unknown) = refusal {
        attributes.push(Box::new(UnknownAttributes(unknown)));
    }
    reply(CLASS_ERROR_RESPONSE, id, attributes, password)
}

fn reply(
    class: rtc_stun::message::MessageClass,
    id: TransactionId,
    attributes: Vec<Box<dyn Setter>>,
    password: Option<&str>,
) -> Option<Vec<u8>> {
    let mut setters: Vec<Box<dyn Setter>> = vec![Box::new(MessageType::new(METHOD_BINDING, class)), Box::new(id)];
    setters.extend(attributes);
    if let Some(password) = password {
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(password.to_owned(), crypto());
        setters.push(Box::new(integrity));
    }
    setters.push(Box::new(FINGERPRINT));
    let mut message = Message::new();
    message.build(&setters).ok()?;
    Some(message.raw)
}
