//! No key leaves before the peer's certificate is the one signalled.

use std::time::Duration;

use super::super::limits::MAX_FINGERPRINTS;
use super::super::{DtlsError, DtlsEvent, DtlsState, Fingerprint, RemoteFingerprintsError, Role};
use super::{Link, assert_equal_keys, certificate, events, origin, started, unvouched};
use crate::parameters::{DtlsFingerprint, FingerprintAlgorithm};

fn run(client: &mut super::Dtls, server: &mut super::Dtls) -> Link {
    let mut link = Link::new();
    link.run(client, server, Duration::from_secs(2), |_, _, _| 1);
    link
}

fn wrong() -> Vec<Fingerprint> {
    vec![Fingerprint::of(FingerprintAlgorithm::Sha256, b"somebody else")]
}

#[test]
fn a_wrong_fingerprint_fails_without_keys_and_the_peer_is_told() {
    for early in [true, false] {
        for role in [Role::Client, Role::Server] {
            let mut ours = unvouched(role);
            let mut peer = started(role.other());
            if early {
                ours.set_remote_fingerprints(origin(), wrong()).unwrap();
            }
            let link = match role {
                Role::Client => run(&mut ours, &mut peer),
                Role::Server => run(&mut peer, &mut ours),
            };
            if !early {
                ours.set_remote_fingerprints(link.now, wrong()).unwrap();
                while let Some(datagram) = ours.poll_transmit() {
                    peer.handle_datagram(link.now, &datagram);
                }
            }
            assert_eq!(ours.state(), DtlsState::Failed);
            let happened = events(&mut ours);
            assert!(!happened.iter().any(|event| matches!(event, DtlsEvent::Connected(_))), "{happened:?}");
            let actual = Fingerprint::of(FingerprintAlgorithm::Sha256, certificate(role.other()).der());
            assert!(
                matches!(happened.last(), Some(DtlsEvent::Failed(DtlsError::FingerprintMismatch { actual: found })) if *found == actual),
                "{happened:?}"
            );
            assert_eq!(peer.state(), DtlsState::Closed, "early: {early}, {role:?}");
            assert_eq!(ours.poll_timeout(), None);
        }
    }
}

#[test]
fn a_late_fingerprint_connects_only_then() {
    for role in [Role::Client, Role::Server] {
        let mut ours = unvouched(role);
        let mut peer = started(role.other());
        let link = match role {
            Role::Client => run(&mut ours, &mut peer),
            Role::Server => run(&mut peer, &mut ours),
        };
        assert_eq!(peer.state(), DtlsState::Connected);
        assert_eq!(ours.state(), DtlsState::Connecting);
        assert!(ours.poll_event().is_some_and(|event| matches!(event, DtlsEvent::Connecting)));
        assert!(ours.poll_event().is_none(), "no keys yet");
        let fingerprints = certificate(role.other()).fingerprints().to_vec();
        ours.set_remote_fingerprints(link.now, fingerprints).unwrap();
        match role {
            Role::Client => assert_equal_keys(&mut ours, &mut peer),
            Role::Server => assert_equal_keys(&mut peer, &mut ours),
        }
    }
}

#[test]
fn a_fingerprint_in_the_middle_of_the_handshake_is_as_good() {
    let (mut client, mut server) = (started(Role::Client), unvouched(Role::Server));
    let mut link = Link::new();
    link.run(&mut client, &mut server, 3 * link.delay, |_, _, _| 1);
    server.set_remote_fingerprints(link.now, certificate(Role::Client).fingerprints().to_vec()).unwrap();
    link.run(&mut client, &mut server, Duration::from_secs(2), |_, _, _| 1);
    assert_equal_keys(&mut client, &mut server);
}

#[test]
fn a_fingerprint_that_never_comes_fails_by_name() {
    let (mut client, mut server) = (started(Role::Client), unvouched(Role::Server));
    Link::new().run(&mut client, &mut server, Duration::from_secs(60), |_, _, _| 1);
    assert_eq!(server.state(), DtlsState::Failed);
    assert!(matches!(events(&mut server).last(), Some(DtlsEvent::Failed(DtlsError::FingerprintTimeout))));
}

#[test]
fn every_hash_algorithm_vouches() {
    for algorithm in FingerprintAlgorithm::ALL {
        let (mut client, mut server) = (unvouched(Role::Client), unvouched(Role::Server));
        for (side, peer) in [(&mut client, Role::Server), (&mut server, Role::Client)] {
            let signalled = DtlsFingerprint::from(&Fingerprint::of(algorithm, certificate(peer).der()));
            let fingerprints = vec![Fingerprint::try_from(&signalled).unwrap()];
            side.set_remote_fingerprints(origin(), fingerprints).unwrap();
        }
        run(&mut client, &mut server);
        assert_equal_keys(&mut client, &mut server);
    }
}

#[test]
fn bad_lists_are_refused_by_name() {
    let now = origin();
    let mut dtls = unvouched(Role::Server);
    assert_eq!(dtls.set_remote_fingerprints(now, Vec::new()), Err(RemoteFingerprintsError::Empty));
    let many = vec![wrong().remove(0); MAX_FINGERPRINTS + 1];
    assert_eq!(dtls.set_remote_fingerprints(now, many), Err(RemoteFingerprintsError::TooMany(MAX_FINGERPRINTS + 1)));
    let most = vec![wrong().remove(0); MAX_FINGERPRINTS];
    assert_eq!(dtls.set_remote_fingerprints(now, most), Ok(()));
    // Harm: keys in use on the strength of one certificate, and another named afterwards.
    assert_eq!(dtls.set_remote_fingerprints(now, wrong()), Err(RemoteFingerprintsError::AlreadySet));
}
