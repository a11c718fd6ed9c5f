//! Hostile bytes: no panic, no growth, and no call that a stranger can end.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore, SeedableRng};

use super::super::limits::MAX_DATAGRAM_BYTES;
use super::super::record::{content, write_plain_record};
use super::super::{Dtls, DtlsEvent, DtlsState, Role, fuzzing};
use super::{Link, assert_equal_keys, events, origin, started};
use crate::test_support::{corpus, mutate, random_bytes};

/// Every datagram of an honest handshake, by sender.
fn honest() -> Vec<(Role, Vec<u8>)> {
    let (mut client, mut server) = (started(Role::Client), started(Role::Server));
    let mut recorded = Vec::new();
    Link::new().run(&mut client, &mut server, Duration::from_secs(2), |from, _, datagram| {
        recorded.push((from, datagram.to_vec()));
        1
    });
    recorded
}

fn mutated(rng: &mut StdRng, datagram: &[u8]) -> Vec<u8> {
    let mut bytes = datagram.to_vec();
    mutate(rng, &mut bytes);
    bytes.truncate(MAX_DATAGRAM_BYTES);
    bytes
}

/// Brings a pair through the first `rounds` datagrams of each side.
fn at_phase(rounds: usize) -> (Dtls, Dtls) {
    let (mut client, mut server) = (started(Role::Client), started(Role::Server));
    for _ in 0..rounds {
        while let Some(datagram) = client.poll_transmit() {
            server.handle_datagram(origin(), &datagram);
        }
        while let Some(datagram) = server.poll_transmit() {
            client.handle_datagram(origin(), &datagram);
        }
    }
    (client, server)
}

#[test]
fn mutated_and_random_datagrams_never_panic_in_any_phase_of_either_role() {
    let recorded = honest();
    let mut rng = StdRng::seed_from_u64(7);
    for phase in 0..4 {
        for _ in 0..15 {
            let (mut client, mut server) = at_phase(phase);
            let mut now = origin();
            for _ in 0..60 {
                let (_, original) = recorded.choose(&mut rng).unwrap();
                let datagram = if rng.random_bool(0.15) {
                    let mut junk = vec![0; rng.random_range(0..200)];
                    rng.fill_bytes(&mut junk);
                    junk
                } else {
                    mutated(&mut rng, original)
                };
                now += Duration::from_millis(20);
                for side in [&mut client, &mut server] {
                    side.handle_datagram(now, &datagram);
                    side.handle_timeout(now);
                    assert!(std::iter::from_fn(|| side.poll_transmit()).count() <= 8);
                    events(side);
                }
            }
        }
    }
}

/// Reaches deeper than recorded datagrams: what is changed belongs to the handshake that goes on.
#[test]
fn a_peer_that_lies_in_the_midst_of_its_handshake_never_panics_us() {
    let mut rng = StdRng::seed_from_u64(10);
    let mut connected = 0;
    for _ in 0..200 {
        let (mut client, mut server) = (started(Role::Client), started(Role::Server));
        let mut now = origin();
        for _ in 0..12 {
            for from_client in [true, false] {
                let (from, to) = if from_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
                while let Some(datagram) = from.poll_transmit() {
                    if rng.random_bool(0.2) {
                        to.handle_datagram(now, &mutated(&mut rng, &datagram));
                    }
                    if rng.random_bool(0.9) {
                        to.handle_datagram(now, &datagram);
                    }
                }
            }
            now += Duration::from_millis(60);
            client.handle_timeout(now);
            server.handle_timeout(now);
        }
        connected += usize::from(client.state() == DtlsState::Connected);
    }
    assert!(connected > 20, "most phases were reached: {connected}");
}

/// Harm: whoever can spoof the peer's address would end the call with one datagram.
#[test]
fn junk_does_not_end_an_established_call() {
    let recorded = honest();
    let mut rng = StdRng::seed_from_u64(8);
    let (mut client, mut server) = at_phase(4);
    assert_equal_keys(&mut client, &mut server);
    let mut now = origin() + Duration::from_secs(1);
    for _ in 0..20_000 {
        let (_, original) = recorded.choose(&mut rng).unwrap();
        let mut datagram = mutated(&mut rng, original);
        if rng.random_bool(0.3) && datagram.len() > 4 {
            datagram[0] = rng.random_range(19..26);
            datagram[4] = rng.random_range(0..3);
        }
        now += Duration::from_millis(1);
        for side in [&mut client, &mut server] {
            side.handle_datagram(now, &datagram);
            while side.poll_transmit().is_some() {}
            assert_eq!(side.state(), DtlsState::Connected);
        }
    }
    assert!(client.stats().ignored_datagrams > 0);
    // And the association still works.
    client.close(now);
    server.handle_datagram(now, &client.poll_transmit().unwrap());
    assert!(matches!(events(&mut server)[..], [DtlsEvent::Closed { by_peer: true }]));
}

#[test]
fn records_that_are_not_the_handshakes_do_not_hinder_it() {
    let junk: Vec<Vec<u8>> = [(23, &b"data"[..]), (99, b"?"), (20, &[2]), (21, &[1, 90]), (21, &[2]), (22, b"short")]
        .into_iter()
        .map(|(kind, body)| {
            let mut out = Vec::new();
            write_plain_record(&mut out, kind, 0, body);
            out
        })
        .collect();
    let (mut client, mut server) = (started(Role::Client), started(Role::Server));
    for _ in 0..4 {
        for datagram in &junk {
            client.handle_datagram(origin(), datagram);
            server.handle_datagram(origin(), datagram);
        }
        while let Some(datagram) = client.poll_transmit() {
            server.handle_datagram(origin(), &datagram);
        }
        while let Some(datagram) = server.poll_transmit() {
            client.handle_datagram(origin(), &datagram);
        }
    }
    assert_equal_keys(&mut client, &mut server);
}

/// Harm: the crate's reassembler recurses once per fragment; a hundred thousand one-byte fragments overflow the stack, which
/// kills the process.
#[test]
fn a_flood_of_tiny_fragments_neither_overflows_nor_stays_in_memory() {
    for role in [Role::Client, Role::Server] {
        let mut dtls = started(role);
        for offset in 0..150_000_u32 {
            let at = offset.to_be_bytes();
            let body = [11, 0x7f, 0, 0, 0, 0, at[1], at[2], at[3], 0, 0, 1, 9];
            let mut datagram = Vec::new();
            write_plain_record(&mut datagram, content::HANDSHAKE, u64::from(offset), &body);
            dtls.handle_datagram(origin(), &datagram);
        }
        assert_eq!(dtls.state(), DtlsState::Connecting);
    }
}

#[test]
fn a_datagram_beyond_the_limit_is_ignored() {
    let mut dtls = started(Role::Server);
    dtls.handle_datagram(origin(), &vec![22; MAX_DATAGRAM_BYTES + 1]);
    assert_eq!(dtls.stats().ignored_datagrams, 1);
}

#[test]
fn the_fuzz_corpus_replays() {
    let corpus = corpus("dtls");
    assert!(corpus.len() >= 4, "the corpus is missing");
    for data in corpus {
        fuzzing::fuzz_association(origin(), &data);
    }
}

#[test]
fn the_fuzz_body_survives_random_input() {
    let mut rng = StdRng::seed_from_u64(9);
    for _ in 0..150 {
        fuzzing::fuzz_association(origin(), &random_bytes(&mut rng, 400));
    }
}
