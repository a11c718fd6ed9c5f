//! Two associations, or one against the bare crate, over a lossy link in memory with a clock made by hand.

mod early;
mod hostile;
mod lifecycle;
mod link;
mod loss;
mod profiles;
mod verification;

use std::sync::OnceLock;

use super::{Certificate, Dtls, DtlsEvent, DtlsState, Role};
use crate::ids::Ssrc;
use crate::srtp::{MAX_RTP_OVERHEAD, OpenContext, OpenStream, SealContext, SealStream};
pub(super) use crate::test_support::origin;
pub(super) use link::Link;

/// One certificate for each side of all tests.
pub(super) fn certificate(role: Role) -> Certificate {
    static CLIENT: OnceLock<Certificate> = OnceLock::new();
    static SERVER: OnceLock<Certificate> = OnceLock::new();
    let side = if role == Role::Client { &CLIENT } else { &SERVER };
    side.get_or_init(|| Certificate::generate().unwrap()).clone()
}

/// An association in `role` that knows its peer's fingerprints and has started.
pub(super) fn started(role: Role) -> Dtls {
    let mut dtls = unvouched(role);
    let fingerprints = certificate(role.other()).fingerprints().to_vec();
    dtls.set_remote_fingerprints(origin(), fingerprints).unwrap();
    dtls
}

/// The same without the fingerprints.
pub(super) fn unvouched(role: Role) -> Dtls {
    let mut dtls = Dtls::new(certificate(role));
    dtls.start(origin(), role).unwrap();
    dtls
}

pub(super) fn events(dtls: &mut Dtls) -> Vec<DtlsEvent> {
    std::iter::from_fn(|| dtls.poll_event()).collect()
}

/// Checks that both are connected, with keys for each other.
pub(super) fn assert_equal_keys(client: &mut Dtls, server: &mut Dtls) {
    let mut keys = [client, server].map(|side| {
        assert_eq!(side.state(), DtlsState::Connected);
        let mut keys: Vec<_> = events(side)
            .into_iter()
            .filter_map(|event| if let DtlsEvent::Connected(keys) = event { Some(keys) } else { None })
            .collect();
        assert_eq!(keys.len(), 1, "keys are given out once");
        keys.pop()
    });
    let (client, server) = (keys[0].take().unwrap(), keys[1].take().unwrap());
    assert_eq!(client.profile(), server.profile());
    let (client_seal, client_open) = client.contexts().unwrap();
    let (server_seal, server_open) = server.contexts().unwrap();
    assert!(opens(&client_seal, &server_open) && opens(&server_seal, &client_open));
    assert!(!opens(&client_seal, &client_open), "one key for both directions");
}

/// Whether a packet sealed on one side is opened on the other.
pub(super) fn opens(seal: &SealContext, open: &OpenContext) -> bool {
    let packet = [0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, b'p', b'a', b'y'];
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + MAX_RTP_OVERHEAD, 0);
    let len = seal.seal_rtp(&mut SealStream::new(Ssrc(3)), &mut buf, 12, packet.len()).unwrap();
    let opened = open.open_rtp(&mut OpenStream::new(Ssrc(3)), &mut buf[..len], 12);
    opened.is_ok_and(|len| buf[..len] == packet)
}
