//! Starting, closing, time-outs.

use std::time::Duration;

use super::super::limits::HANDSHAKE_TIMEOUT;
use super::super::record::{content, write_plain_record};
use super::super::{Dtls, DtlsError, DtlsEvent, DtlsState, Reason, Role, StartError};
use super::{Link, assert_equal_keys, certificate, events, origin, started};

fn connected() -> (Dtls, Dtls, Link) {
    let (mut client, mut server) = (started(Role::Client), started(Role::Server));
    let mut link = Link::new();
    link.run(&mut client, &mut server, Duration::from_secs(2), |_, _, _| 1);
    assert_equal_keys(&mut client, &mut server);
    (client, server, link)
}

#[test]
fn states_are_named_as_mediasoup_names_them() {
    let names = [DtlsState::New, DtlsState::Connecting, DtlsState::Connected, DtlsState::Failed, DtlsState::Closed]
        .map(|state| serde_json::to_value(state).unwrap());
    assert_eq!(names, ["new", "connecting", "connected", "failed", "closed"]);
}

#[test]
fn close_notify_closes_the_peer_in_both_roles() {
    for closer in [Role::Client, Role::Server] {
        let (client, server, link) = connected();
        let (mut ours, mut peer) = if closer == Role::Client { (client, server) } else { (server, client) };
        ours.close(link.now);
        ours.close(link.now);
        assert_eq!(ours.state(), DtlsState::Closed);
        assert!(matches!(events(&mut ours)[..], [DtlsEvent::Closed { by_peer: false }]));
        let goodbye: Vec<_> = std::iter::from_fn(|| ours.poll_transmit()).collect();
        assert_eq!(goodbye.len(), 1);
        peer.handle_datagram(link.now, &goodbye[0]);
        assert_eq!(peer.state(), DtlsState::Closed);
        assert!(matches!(events(&mut peer)[..], [DtlsEvent::Closed { by_peer: true }]));
        assert_eq!(peer.poll_transmit().map(|reply| reply[0]), Some(content::ALERT), "RFC 5246 section 7.2.1");
        assert_eq!(peer.stats().resent_flights, 0);
        assert_eq!(peer.start(link.now, Role::Client), Err(StartError::Over));
    }
}

#[test]
fn closing_before_the_start_is_quiet() {
    let mut dtls = Dtls::new(certificate(Role::Server));
    dtls.close(origin());
    assert_eq!(dtls.state(), DtlsState::Closed);
    assert_eq!(dtls.poll_transmit(), None);
}

#[test]
fn a_client_without_an_answer_fails_by_name_in_time_and_sends_a_bounded_number() {
    let mut client = started(Role::Client);
    let mut now = origin();
    let mut sent = 0;
    while let Some((at, reason)) = client.poll_timeout() {
        sent += std::iter::from_fn(|| client.poll_transmit()).count();
        assert!(at >= now, "time goes forward");
        assert!(reason == Reason::Resend || at == origin() + HANDSHAKE_TIMEOUT);
        now = at;
        client.handle_timeout(now);
    }
    assert_eq!(now, origin() + HANDSHAKE_TIMEOUT);
    assert_eq!(client.state(), DtlsState::Failed);
    assert!(matches!(events(&mut client).last(), Some(DtlsEvent::Failed(DtlsError::HandshakeTimeout))));
    assert!((30..50).contains(&sent), "{sent}");
}

#[test]
fn a_server_waits_for_its_client_without_a_timer() {
    let mut server = started(Role::Server);
    assert_eq!(server.poll_timeout(), None);
    let mut client = Dtls::new(certificate(Role::Client));
    client.set_remote_fingerprints(origin(), certificate(Role::Server).fingerprints().to_vec()).unwrap();
    let mut link = Link::new();
    link.now += Duration::from_secs(300);
    client.start(link.now, Role::Client).unwrap();
    link.run(&mut client, &mut server, Duration::from_secs(2), |_, _, _| 1);
    assert_equal_keys(&mut client, &mut server);
}

#[test]
fn a_silent_client_fails_the_server_in_time() {
    let (mut client, mut server) = (started(Role::Client), started(Role::Server));
    Link::new().run(&mut client, &mut server, Duration::from_secs(60), |from, n, _| {
        usize::from(from == Role::Client && n == 0)
    });
    assert!(matches!(events(&mut server).last(), Some(DtlsEvent::Failed(DtlsError::HandshakeTimeout))));
}

#[test]
fn a_datagram_before_the_start_is_dropped_and_the_repeat_serves() {
    let mut client = started(Role::Client);
    let mut server = Dtls::new(certificate(Role::Server));
    let hello = client.poll_transmit().unwrap();
    server.handle_datagram(origin(), &hello);
    assert_eq!((server.state(), server.stats().ignored_datagrams), (DtlsState::New, 1));
    server.start(origin(), Role::Server).unwrap();
    server.set_remote_fingerprints(origin(), certificate(Role::Client).fingerprints().to_vec()).unwrap();
    Link::new().run(&mut client, &mut server, Duration::from_secs(2), |_, _, _| 1);
    assert_equal_keys(&mut client, &mut server);
}

#[test]
fn a_server_that_only_listens_may_still_become_the_client() {
    let mut ours = started(Role::Server);
    ours.start(origin(), Role::Server).unwrap();
    assert_eq!(ours.start(origin(), Role::Client), Ok(()));
    assert_eq!(ours.role(), Some(Role::Client));
    assert!(matches!(events(&mut ours)[..], [DtlsEvent::Connecting]), "connecting is said once");
    assert!(ours.poll_transmit().is_some());
    assert_eq!(ours.start(origin(), Role::Server), Err(StartError::RoleSettled));
}

#[test]
fn the_role_is_settled_by_the_first_client_hello() {
    let (mut client, mut server) = (started(Role::Client), started(Role::Server));
    server.handle_datagram(origin(), &client.poll_transmit().unwrap());
    assert_eq!(server.start(origin(), Role::Client), Err(StartError::RoleSettled));
    assert_eq!(server.start(origin(), Role::Server), Ok(()));
}

#[test]
fn a_peer_that_refuses_the_handshake_fails_it_at_once_by_name() {
    let mut alert = Vec::new();
    write_plain_record(&mut alert, content::ALERT, 0, &[2, 40]);
    let mut client = started(Role::Client);
    client.handle_datagram(origin(), &alert);
    let happened = events(&mut client);
    let refused = DtlsError::PeerAlert { description: Some(40) };
    assert!(matches!(happened.last(), Some(DtlsEvent::Failed(error)) if *error == refused), "{happened:?}");
    // A server that has heard no ClientHello has nothing that could be refused.
    let mut server = started(Role::Server);
    server.handle_datagram(origin(), &alert);
    assert_eq!(server.state(), DtlsState::Connecting);
}
