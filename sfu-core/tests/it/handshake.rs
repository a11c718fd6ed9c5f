//! DTLS through the whole core: lost flights, fingerprints, profiles, and whom the core listens to.

use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile::*;
use sfu_core::dtls::{DtlsState, Role};
use sfu_core::router::{RouterEvent, TransportCloseReason};
use sfu_core::srtp::ProtectionProfile;

use simulation::peer::options::Signalled;
use simulation::{Direction, Kind, Link, PeerOptions, World, ms, s};

/// Whether media of this peer reaches another one.
fn is_heard(world: &mut World, peer: usize) -> bool {
    let listener = world.peer();
    let source = world.produce(peer, "opus");
    let sink = world.consume(listener, source);
    world.run_for(s(1));
    world.sink(sink).packets.len() > 30
}

/// Harm prevented: one lost datagram and a participant never gets in.
#[test]
fn a_handshake_survives_the_loss_of_any_one_flight() {
    for dtls_role in [Role::Client, Role::Server] {
        for direction in [Direction::Up, Direction::Down] {
            for number in 0..8 {
                let mut world = World::new(70);
                let peer = world.add_peer(PeerOptions { dtls_role, ..PeerOptions::default() });
                world.network.drop_nth(peer, direction, Kind::Dtls, &[number]);
                let what = format!("{dtls_role:?}, {direction:?} {number}");
                world.run_until(&what, s(3), |world| world.peers[peer].is_connected());
                assert!(is_heard(&mut world, peer), "{what}");
            }
        }
    }
}

#[test]
fn a_handshake_survives_the_loss_of_a_third_of_everything() {
    for seed in 0..10 {
        for dtls_role in [Role::Client, Role::Server] {
            let mut world = World::new(seed);
            let link = Link::lossy(0.3);
            let peer = world.add_peer(PeerOptions { dtls_role, up: link, down: link, ..PeerOptions::default() });
            world.run_until("connected", s(25), |world| world.peers[peer].is_connected());
            world.run_for(s(2));
            for direction in [Direction::Up, Direction::Down] {
                *world.network.link(peer, direction) = Link::CLEAN;
            }
            assert!(is_heard(&mut world, peer), "seed {seed}, {dtls_role:?}");
        }
    }
}

/// Harm prevented: whoever sits on the path, or in the signalling's place, listens in.
#[test]
fn a_peer_with_another_certificate_than_signalled_is_cut_off() {
    for dtls_role in [Role::Client, Role::Server] {
        let mut world = World::new(71);
        let listener = world.peer();
        let fingerprint = Signalled::Wrong;
        let peer = world.add_peer(PeerOptions { dtls_role, fingerprint, ..PeerOptions::default() });
        let source = world.produce(peer, "opus");
        let sink = world.consume(listener, source);
        let spoken = world.produce(listener, "opus");
        let overheard = world.consume(peer, spoken);
        world.run_for(s(10));
        assert!(world.sink(sink).packets.is_empty() && world.sink(overheard).packets.is_empty());
        let transport_id = world.peers[peer].transport;
        let reasons: Vec<_> = world
            .events
            .iter()
            .filter_map(|(_, _, event)| match event {
                RouterEvent::TransportClosed { transport_id: id, reason } if *id == transport_id => Some(reason),
                _ => None,
            })
            .collect();
        let [TransportCloseReason::DtlsFailed(why)] = reasons[..] else { panic!("{reasons:?}") };
        assert!(why.contains("fingerprint"), "{why}");
    }
}

/// Harm prevented: a fast network outruns the signalling, and the call waits for a retry or fails.
#[test]
fn a_fingerprint_may_come_after_the_handshake_and_no_media_before_it() {
    let mut world = World::new(72);
    let listener = world.peer();
    let peer = world.add_peer(PeerOptions { fingerprint: Signalled::Later, ..PeerOptions::default() });
    let source = world.produce(peer, "opus");
    let sink = world.consume(listener, source);
    world.run_for(s(5));
    assert!(world.peers[peer].is_connected(), "the handshake goes on meanwhile");
    assert!(world.sink(sink).packets.is_empty(), "nobody has vouched for this peer");
    world.signal_fingerprint(peer);
    world.run_for(s(2));
    world.assert_complete(sink, source);
    let transport = world.peers[peer].transport;
    let states: Vec<_> = world
        .events
        .iter()
        .filter_map(|(_, _, event)| match event {
            RouterEvent::DtlsState { transport_id, state } if *transport_id == transport => Some(*state),
            _ => None,
        })
        .collect();
    assert_eq!(states, [DtlsState::Connecting, DtlsState::Connected]);
}

/// Harm prevented: Chromium's order would cost four times as much for every packet.
#[test]
fn the_cheapest_profile_that_both_have_is_used() {
    let all = [Srtp_Aes128_Cm_Hmac_Sha1_80, Srtp_Aead_Aes_256_Gcm, Srtp_Aead_Aes_128_Gcm];
    for (offered, expected) in [
        (&all[..], ProtectionProfile::AeadAes128Gcm),
        (&all[..2], ProtectionProfile::AeadAes256Gcm),
        (&all[..1], ProtectionProfile::Aes128CmHmacSha1_80),
    ] {
        let mut world = World::new(73);
        let peer = world.connected_peer(PeerOptions { profiles: offered.to_vec(), ..PeerOptions::default() });
        assert_eq!(world.peers[peer].profile(), expected);
        let other = world.peer();
        let (source, back) = (world.produce(peer, "vp8"), world.produce(other, "vp8"));
        let (there, here) = (world.consume(other, source), world.consume(peer, back));
        world.run_for(s(3));
        world.assert_complete(there, source);
        world.assert_complete(here, back);
    }
}

/// Harm prevented: a stranger makes the core compute, remember or answer.
#[test]
fn dtls_and_media_from_a_tuple_without_a_valid_check_are_ignored() {
    let mut world = World::new(74);
    let (peer, listener) = (world.peer(), world.peer());
    let source = world.produce(peer, "opus");
    let sink = world.consume(listener, source);
    world.run_for(s(1));
    // The peer's own, authentic packets, and the flights of a peer that has not checked yet.
    let stranger =
        sfu_core::transport::tuple::Tuple { remote: "198.51.100.250:666".parse().unwrap(), ..world.peers[peer].tuple };
    let silent = world.add_peer(PeerOptions::default());
    world.peers[silent].ice.is_checking = false;
    world.source_mut(source).stop();
    world.run_for(ms(100));
    let (before, stats) = (world.sink(sink).packets.len(), world.core.stats());
    for _ in 0..50 {
        let now = world.now;
        let layer = &world.peers[peer].sources[0].layers[0];
        let mut published = layer.sent.last().unwrap().clone();
        published.extended += 1;
        let packet = world.peers[peer].sources[0].packet(layer, &published);
        world.peers[peer].sources[0].layers[0].sent.push(published);
        let datagram = world.peers[peer].seal_rtp(now, 0, packet).unwrap();
        world.network.send_up(now, peer, stranger, datagram);
        world.run_for(ms(20));
    }
    let mut hellos = 0;
    while let Some(flight) = world.peers[silent].dtls.poll_transmit() {
        let (now, tuple) = (world.now, world.peers[silent].tuple);
        world.network.send_up(now, silent, tuple, flight);
        hellos += 1;
    }
    assert!(hellos > 0);
    world.run_for(s(1));
    assert_eq!(world.sink(sink).packets.len(), before);
    assert_eq!(world.core.stats().strangers_dropped - stats.strangers_dropped, 50 + hellos);
    assert_eq!(world.peers[silent].heard_on.len(), 0, "the core answered");
    world.assert_sound();
}
