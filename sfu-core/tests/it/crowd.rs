//! A crowd that joins while others talk.

use sfu_core::worker::{MAX_WAITING_HANDSHAKES, MAX_WAITING_HANDSHAKES_PER_TRANSPORT};

use simulation::peer::options::Signalled;
use simulation::{PeerOptions, World, s};

/// A record of a handshake (RFC 6347 section 4.1), of which nothing can be made.
fn hello() -> Vec<u8> {
    let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40];
    record.extend([1; 40]);
    record
}

/// A peer whose path is valid, and whose handshake cannot end yet.
fn newcomer(world: &mut World) -> usize {
    let peer = world.add_peer(PeerOptions { fingerprint: Signalled::Later, ..PeerOptions::default() });
    let tuple = world.peers[peer].tuple;
    world.run_until("the path is valid", s(5), |world| world.core.knows(&tuple));
    peer
}

/// Harm prevented: a handshake's cryptography, some hundred packets' worth of forwarding, is done before a packet that came first.
#[test]
fn a_handshake_waits_until_it_is_asked_for() {
    let mut world = World::new(181);
    let peer = newcomer(&mut world);
    let (now, tuple) = (world.now, world.peers[peer].tuple);
    world.core.handle_datagram(now, tuple, &mut hello());
    assert_eq!(world.core.next_handshake(), Some(tuple));
    world.core.handle_handshake(now);
    assert_eq!(world.core.next_handshake(), None);
}

/// Harm prevented: one who floods the server with beginnings of handshakes makes everybody who joins wait.
#[test]
fn one_peer_has_no_more_than_its_part_of_what_waits() {
    let mut world = World::new(182);
    let [greedy, modest] = [(); 2].map(|()| newcomer(&mut world));
    let now = world.now;
    let refused = world.core.stats().packets_refused;
    for _ in 0..1000 {
        world.core.handle_datagram(now, world.peers[greedy].tuple, &mut hello());
    }
    let limit = u64::from(MAX_WAITING_HANDSHAKES_PER_TRANSPORT);
    assert_eq!(world.core.stats().packets_refused - refused, 1000 - limit);
    world.core.handle_datagram(now, world.peers[modest].tuple, &mut hello());
    for _ in 0..limit {
        assert_eq!(world.core.next_handshake(), Some(world.peers[greedy].tuple));
        world.core.handle_handshake(now);
    }
    assert_eq!(world.core.next_handshake(), Some(world.peers[modest].tuple));
    // And what was dealt with makes room.
    world.core.handle_datagram(now, world.peers[greedy].tuple, &mut hello());
    assert_eq!(world.core.stats().packets_refused - refused, 1000 - limit);
}

/// Harm prevented: strangers enough, each within its part, take all memory.
#[test]
fn no_more_waits_than_the_limit_says() {
    let mut world = World::new(183);
    let each = usize::from(MAX_WAITING_HANDSHAKES_PER_TRANSPORT);
    let peers: Vec<usize> = (0..=MAX_WAITING_HANDSHAKES / each).map(|_| newcomer(&mut world)).collect();
    let now = world.now;
    let refused = world.core.stats().packets_refused;
    for peer in &peers {
        let tuple = world.peers[*peer].tuple;
        (0..each).for_each(|_| world.core.handle_datagram(now, tuple, &mut hello()));
    }
    assert_eq!(world.core.stats().packets_refused - refused, each as u64, "the last one's");
    for _ in 0..MAX_WAITING_HANDSHAKES {
        assert!(world.core.next_handshake().is_some());
        world.core.handle_handshake(now);
    }
    assert_eq!(world.core.next_handshake(), None);
}
