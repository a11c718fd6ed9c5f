//! No lost, doubled or late datagram may hang a handshake.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rtc_dtls::endpoint::Endpoint;
use rtc_shared::TransportProtocol;

use super::super::limits::RESEND_INTERVAL;
use super::super::record::records;
use super::super::{DtlsState, Role};
use super::link::{Bare, End};
use super::{Link, assert_equal_keys, certificate, started};
use crate::srtp::ProtectionProfile;

/// Two repeats with back-off and the round trips.
const SOON: Duration = Duration::from_millis(1000);

#[test]
fn without_loss_a_handshake_takes_three_round_trips_and_sends_nothing_twice() {
    let (mut client, mut server) = (started(Role::Client), started(Role::Server));
    let mut link = Link::new();
    link.run(&mut client, &mut server, SOON, |_, _, _| 1);
    assert_equal_keys(&mut client, &mut server);
    assert_eq!(link.elapsed(), 6 * link.delay);
    assert_eq!((client.stats().resent_flights, server.stats().resent_flights), (0, 0));
    assert_eq!(client.poll_timeout(), None);
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn each_single_datagram_may_be_lost() {
    for victim in [Role::Client, Role::Server] {
        for lost in 0..8 {
            let (mut client, mut server) = (started(Role::Client), started(Role::Server));
            let mut link = Link::new();
            link.run(&mut client, &mut server, SOON, |from, n, _| usize::from(from != victim || n != lost));
            assert_equal_keys(&mut client, &mut server);
        }
    }
}

/// What a datagram carries: the flights of RFC 6347 figure 1, told by their first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flight {
    Hello,
    HelloWithCookie,
    HelloVerify,
    ServerHello,
    ClientKeys,
    ServerFinished,
}

fn flight(from: Role, datagram: &[u8]) -> Flight {
    let first = records(datagram).next().unwrap();
    let (kind, seq) = (first.body.first().copied().unwrap_or(0), first.body.get(5).copied().unwrap_or(0));
    match (from, first.content_type, kind) {
        (Role::Client, 22, 1) if seq == 0 => Flight::Hello,
        (Role::Client, 22, 1) => Flight::HelloWithCookie,
        (Role::Client, ..) => Flight::ClientKeys,
        (Role::Server, 22, 3) => Flight::HelloVerify,
        (Role::Server, 20, _) => Flight::ServerFinished,
        (Role::Server, ..) if first.epoch == 1 => Flight::ServerFinished,
        (Role::Server, ..) => Flight::ServerHello,
    }
}

const FLIGHTS: [Flight; 6] = [
    Flight::Hello,
    Flight::HelloVerify,
    Flight::HelloWithCookie,
    Flight::ServerHello,
    Flight::ClientKeys,
    Flight::ServerFinished,
];

/// Loses everything of `lost` for `blackout`.
fn blackout(lost: Flight, blackout: Duration, client: &mut impl End, server: &mut impl End) -> Link {
    let mut link = Link::new();
    let mut losses = 0;
    link.run(client, server, blackout, |from, _, datagram| {
        let hit = flight(from, datagram) == lost;
        losses += usize::from(hit);
        usize::from(!hit)
    });
    assert!(losses >= 2, "{lost:?} was lost {losses} times");
    link
}

#[test]
fn each_flight_may_be_lost_for_as_long_as_it_is_sent_twice_or_more() {
    for lost in FLIGHTS {
        for duration in [120, 400, 2000, 10_000].map(Duration::from_millis) {
            let (mut client, mut server) = (started(Role::Client), started(Role::Server));
            let mut link = blackout(lost, duration, &mut client, &mut server);
            link.run(&mut client, &mut server, Duration::from_secs(3), |_, _, _| 1);
            assert_equal_keys(&mut client, &mut server);
        }
    }
}

fn bare_client() -> Bare {
    let mut endpoint = Endpoint::new(Bare::US, TransportProtocol::UDP, None);
    endpoint.connect(super::origin(), Bare::US, certificate(Role::Client).client_config(), None).unwrap();
    Bare::new(endpoint)
}

fn bare_server() -> Bare {
    let config = certificate(Role::Server).server_config(ProtectionProfile::AeadAes128Gcm);
    Bare::new(Endpoint::new(Bare::US, TransportProtocol::UDP, Some(config)))
}

/// The crate alone hangs in most of these. Two flights are left out that only the peer could send again, for our own
/// repeat has cleared its timer: the crate's ServerHello and its client's keys.
#[test]
fn a_flight_lost_once_connects_with_the_bare_crate_as_the_peer() {
    let once = |lost: Flight| {
        let mut first = true;
        move |from: Role, _: usize, datagram: &[u8]| {
            usize::from(!(flight(from, datagram) == lost && std::mem::take(&mut first)))
        }
    };
    for lost in FLIGHTS {
        if lost != Flight::ClientKeys {
            let (mut client, mut server) = (bare_client(), started(Role::Server));
            Link::new().run(&mut client, &mut server, SOON, once(lost));
            assert!(client.complete && server.state() == DtlsState::Connected, "we are the server, {lost:?}");
        }
        if lost != Flight::ServerHello {
            let (mut client, mut server) = (started(Role::Client), bare_server());
            Link::new().run(&mut client, &mut server, SOON, once(lost));
            assert!(server.complete && client.state() == DtlsState::Connected, "we are the client, {lost:?}");
        }
    }
}

#[test]
fn thirty_per_cent_loss_with_doubling_connects_in_bounded_time() {
    for seed in 0..100 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut client, mut server) = (started(Role::Client), started(Role::Server));
        let mut link = Link::new();
        link.delay = Duration::from_millis(rng.random_range(1..100));
        link.run(&mut client, &mut server, Duration::from_secs(25), |_, _, _| match rng.random_range(0..100) {
            0..30 => 0,
            30..40 => 2,
            _ => 1,
        });
        assert_equal_keys(&mut client, &mut server);
    }
}

/// Harm: a server that has finished (BoringSSL's, say) answers a repeated Finished only if its record number is new,
/// else the handshake hangs when the server's last flight is lost.
#[test]
fn a_repeated_finished_carries_a_new_record_number() {
    let (mut client, mut server) = (started(Role::Client), started(Role::Server));
    let mut numbers = Vec::new();
    Link::new().run(&mut client, &mut server, Duration::from_millis(600), |from, _, datagram| {
        let encrypted = records(datagram).filter(|record| record.epoch == 1);
        if from == Role::Client {
            numbers.extend(encrypted.map(|record| record.bytes[5..11].to_vec()));
        }
        usize::from(flight(from, datagram) != Flight::ServerFinished)
    });
    let sent = numbers.len();
    assert!(sent >= 3, "{sent}");
    numbers.dedup();
    assert_eq!(numbers.len(), sent);
}

/// Harm: the crate gives up after eight of its ticks, 0.4 s, and then never answers again.
#[test]
fn a_slow_path_or_a_peer_that_comes_late_still_connects() {
    for delay in [300, 900].map(Duration::from_millis) {
        let (mut client, mut server) = (started(Role::Client), started(Role::Server));
        let mut link = Link::new();
        link.delay = delay;
        link.run(&mut client, &mut server, Duration::from_secs(20), |_, _, _| 1);
        assert_equal_keys(&mut client, &mut server);
    }
    let (mut client, mut server) = (started(Role::Client), started(Role::Server));
    let mut link = Link::new();
    link.run(&mut client, &mut server, Duration::from_secs(20), |_, _, _| 0);
    link.run(&mut client, &mut server, Duration::from_secs(3), |_, _, _| 1);
    assert_equal_keys(&mut client, &mut server);
}

/// Harm: the peer's repeats would each cost a flight, and two finished peers would answer each other for ever.
#[test]
fn a_burst_of_repeats_is_answered_once_and_silence_follows() {
    let (mut client, mut server) = (started(Role::Client), started(Role::Server));
    let mut link = Link::new();
    let mut keys = Vec::new();
    link.run(&mut client, &mut server, SOON, |from, _, datagram| {
        if from == Role::Client && flight(from, datagram) == Flight::ClientKeys {
            keys.push(datagram.to_vec());
        }
        1
    });
    assert_equal_keys(&mut client, &mut server);
    let now = link.now + RESEND_INTERVAL;
    for _ in 0..50 {
        for datagram in &keys {
            server.handle_datagram(now, datagram);
        }
    }
    let answers: Vec<_> = std::iter::from_fn(|| server.poll_transmit()).collect();
    assert_eq!(answers.len(), 1);
    for answer in answers {
        client.handle_datagram(now, &answer);
    }
    assert_eq!(client.poll_transmit(), None);
    assert_eq!(client.state(), DtlsState::Connected);
}
