//! What comes from who has no part in a call: hellos into its handshake, floods under forged addresses, and what was seen on its
//! way and is sent again.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80;
use sfu_core::dtls::{DtlsState, Role};
use sfu_core::ice::{IceState, TUPLE_HOLD};
use sfu_core::router::{RouterEvent, RouterOptions};
use sfu_core::transport::tuple::{Protocol, Tuple};
use simulation::peer::dtls::PeerDtls;
use simulation::{Direction, Kind, PeerOptions, World, ms, s};

use crate::allocations::count;
use crate::hostile::crc32;

/// Datagrams under addresses that are all different.
const FORGED: usize = if cfg!(debug_assertions) { 60_000 } else { 1_000_000 };
/// Datagrams between two moments in which the call goes on.
const CHUNK: usize = 10_000;

/// A record of DTLS 1.2 in plaintext.
fn record(content_type: u8, body: &[u8]) -> Vec<u8> {
    let header = [content_type, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0];
    [&header[..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// A ClientHello that offers nothing but `TLS_NULL_WITH_NULL_NULL`: on it servers failed the handshake of whoever it was that they
/// waited for.
fn null_hello() -> Vec<u8> {
    let (version, random, session_id_and_cookie) = ([254, 253], [0x5a; 32], [0, 0]);
    let (suites, compression) = ([0, 2, 0, 0], [1, 0]);
    let body = [&version[..], &random, &session_id_and_cookie, &suites, &compression].concat();
    let len = [0, 0, body.len() as u8];
    record(22, &[&[1], &len[..], &[0, 0, 0, 0, 0], &len, &body].concat())
}

/// A hello that any server would answer.
fn sound_hello(world: &World) -> Vec<u8> {
    let (mut dtls, config) = PeerDtls::new(Role::Client, &[Srtp_Aes128_Cm_Hmac_Sha1_80]);
    dtls.start(world.now, config);
    dtls.poll_transmit().expect("a hello")
}

/// Everywhere else than where the peer is, and as close to it as can be.
fn elsewhere(own: Tuple) -> [Tuple; 4] {
    let (mut port, mut address, mut local) = (own, own, own);
    port.remote.set_port(own.remote.port() + 1);
    address.remote.set_ip(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66)));
    local.local.set_port(own.local.port() + 1);
    [port, address, local, Tuple { protocol: Protocol::Tcp, ..own }]
}

/// A stranger who sends to the media port whatever has ended handshakes.
struct Sprayer {
    datagrams: Vec<Vec<u8>>,
    sent: u64,
}

impl Sprayer {
    fn new(world: &World) -> Self {
        let (fatal_alert, close_notify, change_cipher_spec) =
            (record(21, &[2, 40]), record(21, &[1, 0]), record(20, &[1]));
        let datagrams = vec![null_hello(), sound_hello(world), fatal_alert, close_notify, change_cipher_spec];
        Self { datagrams, sent: 0 }
    }

    fn spray(&mut self, world: &mut World, victim: usize) {
        for tuple in elsewhere(world.peers[victim].tuple) {
            for datagram in &self.datagrams {
                world.core.handle_datagram(world.now, tuple, &mut datagram.clone());
                self.sent += 1;
            }
        }
        world.settle();
    }
}

/// How a call came about.
#[derive(Debug, PartialEq, Eq)]
struct Setup {
    /// From the first check on.
    took: Duration,
    /// What the core said in its part of the handshake.
    datagrams: usize,
    dtls: Vec<DtlsState>,
}

/// A peer who connects, and talks with another, while somebody sprays or not.
fn call(dtls_role: Role, is_sprayed: bool) -> Setup {
    let mut world = World::new(140);
    let other = world.peer();
    let peer = world.add_peer(PeerOptions { dtls_role, ..PeerOptions::default() });
    let mut sprayer = Sprayer::new(&world);
    let spray = |world: &mut World, sprayer: &mut Sprayer| {
        if is_sprayed {
            sprayer.spray(world, peer);
        }
    };
    let strangers_before = world.core.stats().strangers_dropped;

    // Before: the transport is there, and its peer has not been heard of.
    world.peers[peer].ice.is_checking = false;
    for _ in 0..100 {
        world.run_for(ms(1));
        spray(&mut world, &mut sprayer);
    }
    assert_eq!(world.peers[peer].heard_on.len(), 0, "the core began a handshake of its own accord");

    // During: between any two of its datagrams.
    let said = Rc::new(Cell::new(0));
    let counter = Rc::clone(&said);
    world.network.drop_if(move |datagram| {
        let is_said = (datagram.peer, datagram.direction, datagram.kind()) == (peer, Direction::Down, Kind::Dtls);
        counter.set(counter.get() + usize::from(is_said));
        false
    });
    world.peers[peer].ice.is_checking = true;
    world.peers[peer].ice.check_now(world.now);
    let began = world.now;
    while !world.peers[peer].is_connected() {
        world.run_for(ms(1));
        spray(&mut world, &mut sprayer);
        assert!(world.now - began < s(3), "the handshake is not done");
    }
    let took = world.now - began;

    // After.
    let (source, back) = (world.produce(peer, "vp8"), world.produce(other, "opus"));
    let (there, here) = (world.consume(other, source), world.consume(peer, back));
    for _ in 0..300 {
        world.run_for(ms(10));
        spray(&mut world, &mut sprayer);
    }
    world.assert_complete(there, source);
    world.assert_complete(here, back);
    assert_eq!(world.closed_transports, []);
    assert!(!world.peers[peer].dtls.is_closed, "the peer was told to go");
    assert_eq!(world.core.stats().strangers_dropped - strangers_before, sprayer.sent);

    let transport = world.peers[peer].transport;
    let dtls = world.events.iter().filter_map(|(_, _, event)| match event {
        RouterEvent::DtlsState { transport_id, state } if *transport_id == transport => Some(*state),
        _ => None,
    });
    Setup { took, datagrams: said.get(), dtls: dtls.collect() }
}

/// Harm prevented: anybody who finds the media port ends calls, or keeps them from coming about, with one datagram each
/// (CVE-2023-49786, CVE-2023-51275, CVE-2023-51443).
#[test]
fn hellos_from_elsewhere_before_during_and_after_a_handshake_are_as_if_they_had_not_come() {
    for dtls_role in [Role::Client, Role::Server] {
        let undisturbed = call(dtls_role, false);
        assert_eq!(undisturbed.dtls, [DtlsState::Connecting, DtlsState::Connected]);
        assert_eq!(call(dtls_role, true), undisturbed, "{dtls_role:?}");
    }
}

/// A valid check with one bit of its signature changed.
fn with_a_wrong_signature(mut check: Vec<u8>) -> Vec<u8> {
    let len = check.len();
    check[len - 10] ^= 1;
    let fingerprint = crc32(&check[..len - 8]) ^ 0x5354_554e;
    check[len - 4..].copy_from_slice(&fingerprint.to_be_bytes());
    check
}

/// As short as a check can be that is looked at: the user name of a valid one and FINGERPRINT, no signature.
fn unsigned(check: &[u8]) -> Vec<u8> {
    let name_len = usize::from(u16::from_be_bytes([check[22], check[23]]));
    let mut short = check[..24 + name_len.next_multiple_of(4)].to_vec();
    let len = (short.len() - 20 + 8) as u16;
    short[2..4].copy_from_slice(&len.to_be_bytes());
    let fingerprint = crc32(&short) ^ 0x5354_554e;
    short.extend([0x80, 0x28, 0, 4]);
    short.extend(fingerprint.to_be_bytes());
    short
}

/// Harm prevented: addresses that somebody makes up, a new one each time, take the server's memory; or it sends to somebody who
/// never asked more than was sent in their name.
#[test]
fn a_million_forged_addresses_take_no_memory_and_each_gets_no_more_than_was_sent_in_its_name() {
    let mut world = World::new(141);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&seen);
    world.network.drop_if(move |datagram| {
        if datagram.direction == Direction::Up {
            noted.borrow_mut().push(datagram.bytes.clone());
        }
        false
    });
    let (alice, bob) = (world.peer(), world.peer());
    let source = world.produce(alice, "vp8");
    let sink = world.consume(bob, source);
    world.run_for(s(2));
    world.network.clear_rules();
    let seen = seen.take();
    let of = |kind| seen.iter().rfind(|bytes| Kind::of(bytes) == kind).expect("one of each was sent").clone();
    let check = world.peers[alice].ice.request(true);
    let (wrong, short) = (with_a_wrong_signature(check.clone()), unsigned(&check));
    // Her own, as they were: what is not a check is not even authenticated, and a check counts from where it first came.
    let datagrams =
        [wrong, short, of(Kind::Stun), null_hello(), of(Kind::Dtls), of(Kind::Rtp), of(Kind::Rtcp), vec![0xff; 40]];
    let (mut live_bytes, mut silent_calls, mut answered, mut bytes_in, mut bytes_out) = (0, 0, 0, 0, 0);
    let strangers_before = world.core.stats().strangers_dropped;
    let mut buffer = vec![0; 2048];
    for chunk in 0..FORGED / CHUNK {
        let (core, now) = (&mut world.core, world.now);
        for number in chunk * CHUNK..(chunk + 1) * CHUNK {
            let sent = &datagrams[number % datagrams.len()];
            let remote = (Ipv4Addr::from(0x0a00_0000 + number as u32), 1024 + (number % 60_000) as u16).into();
            let tuple = Tuple { remote, ..world.peers[alice].tuple };
            let datagram = &mut buffer[..sent.len()];
            datagram.copy_from_slice(sent);
            let mut got = 0;
            let counted = count(|| {
                core.handle_datagram(now, tuple, datagram);
                core.transmits().drain(|to, bytes| {
                    assert_eq!(to, tuple, "somebody else is sent something");
                    got += bytes.len();
                });
            });
            assert!(got <= sent.len(), "{got} bytes for {}: {sent:02x?}", sent.len());
            (bytes_in, bytes_out, answered) = (bytes_in + sent.len(), bytes_out + got, answered + u64::from(got > 0));
            // The first ones fill what is kept for use again.
            if chunk > 0 {
                live_bytes += counted.live_bytes;
                silent_calls += if Kind::of(sent) == Kind::Stun { 0 } else { counted.calls };
            }
            debug_assert!(!core.knows(&tuple));
        }
        world.settle();
        world.run_for(ms(20));
    }
    println!(
        "{FORGED} datagrams of {bytes_in} bytes; {answered} answers of {bytes_out} bytes; {live_bytes} bytes more"
    );
    assert_eq!(live_bytes, 0, "memory grows with strangers");
    assert_eq!(silent_calls, 0, "what is no check is parsed");
    // Checks with her user name and no password are refused by an answer; nothing else is answered.
    assert_eq!(answered as usize, FORGED / datagrams.len() * 2);
    let unheard = (FORGED - FORGED / datagrams.len() * 3) as u64;
    assert_eq!(world.core.stats().strangers_dropped - strangers_before, unheard);
    let last = Tuple { remote: (Ipv4Addr::from(0x0a00_0000), 1024).into(), ..world.peers[alice].tuple };
    assert!(!world.core.knows(&last));
    world.run_for(s(1));
    world.assert_complete(sink, source);
}

fn ice_states(world: &World, peer: usize) -> Vec<IceState> {
    let transport = world.peers[peer].transport;
    let state = |event: &RouterEvent| match event {
        RouterEvent::IceState { transport_id, state } if *transport_id == transport => Some(*state),
        _ => None,
    };
    world.events.iter().filter_map(|(_, _, event)| state(event)).collect()
}

/// Harm prevented: who has a transport in any room cuts off everybody whose address they know, by checks of their own in whose
/// source address they lie.
#[test]
fn a_path_that_its_peer_checks_is_nobody_elses_and_one_that_fell_silent_may_have_a_new_owner() {
    let mut world = World::new(142);
    let (alice, bob) = (world.peer(), world.peer());
    let router = Some(world.core.create_router(RouterOptions::default()));
    let mallory = world.connected_peer(PeerOptions { router, ..PeerOptions::default() });
    let (source, back) = (world.produce(alice, "vp8"), world.produce(bob, "vp8"));
    let (there, here) = (world.consume(bob, source), world.consume(alice, back));
    world.run_for(s(1));
    let path = world.peers[alice].tuple;
    let claim = |world: &mut World| {
        let mut check = world.peers[mallory].ice.request(true);
        world.core.handle_datagram(world.now, path, &mut check);
        world.settle();
    };
    let refused = world.core.stats().packets_refused;
    for _ in 0..200 {
        claim(&mut world);
        world.run_for(ms(50));
    }
    assert_eq!(world.core.stats().packets_refused - refused, 200);
    assert_eq!(ice_states(&world, alice), [IceState::Completed]);
    world.assert_complete(there, source);
    world.assert_complete(here, back);

    // Her machine is gone, and its NAT gives the port to him.
    world.peers[alice].ice.check_now(world.now);
    world.run_for(ms(50));
    world.peers[alice].ice.is_checking = false;
    world.source_mut(source).stop();
    world.run_for(TUPLE_HOLD - ms(100));
    claim(&mut world);
    assert_eq!(ice_states(&world, alice), [IceState::Completed], "too soon");
    world.run_for(ms(100));
    claim(&mut world);
    assert_eq!(ice_states(&world, alice), [IceState::Completed, IceState::Disconnected]);
    assert!(world.core.knows(&path), "it is his");
}

/// Harm prevented: somebody who sees packets pass, on a shared network say, sends them again: the viewers see everything twice, the
/// publisher is asked for key frames without end, or the media goes where the copies came from.
#[test]
fn what_was_seen_on_its_way_changes_nothing_when_it_comes_again_from_anywhere() {
    let mut world = World::new(143);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&seen);
    let mut media = 0;
    world.network.drop_if(move |datagram| {
        if datagram.direction == Direction::Up {
            noted.borrow_mut().push((datagram.tuple, datagram.bytes.clone()));
        }
        // Some is lost on the way to the viewers, so that there are NACKs.
        let is_media = (datagram.direction, datagram.kind()) == (Direction::Down, Kind::Rtp);
        media += usize::from(is_media);
        is_media && media % 40 == 0
    });
    let (alice, bob) = (world.peer(), world.peer());
    let (source, back) = (world.produce(alice, "vp8"), world.produce(bob, "opus"));
    let (there, here) = (world.consume(bob, source), world.consume(alice, back));
    world.run_for(s(2));
    for _ in 0..3 {
        world.peers[bob].send_pli(there.index);
        world.run_for(s(1));
    }
    assert!(world.sink(there).nacks_sent > 0);
    world.network.clear_rules();
    world.run_for(s(2));

    let seen = seen.take();
    for kind in [Kind::Stun, Kind::Dtls, Kind::Rtp, Kind::Rtcp] {
        assert!(seen.iter().any(|(_, bytes)| Kind::of(bytes) == kind), "{kind:?}");
    }
    let heard = &world.layer(source).heard;
    let (requests, nacked) = (heard.key_frame_requests().len(), heard.nacked.len());
    let (repeated, feedback) = (world.network.repeated, world.peers[alice].wide_reported.len());
    let resent = |world: &World| world.sink(there).duplicates + world.sink(here).duplicates;
    let (resent_before, began, wide_sent) = (resent(&world), world.now, world.peers[alice].wide_sent.len());
    for (number, (tuple, bytes)) in seen.iter().enumerate() {
        for from in elsewhere(*tuple).into_iter().chain([*tuple]) {
            world.core.handle_datagram(world.now, from, &mut bytes.clone());
            world.settle();
        }
        if number % 4 == 0 {
            world.run_for(ms(1));
        }
    }
    world.run_for(s(1));
    assert!(world.now - began > s(1));
    assert!(world.peers.iter().all(|peer| peer.heard_on.len() == 1), "media went elsewhere");
    assert_eq!(
        (ice_states(&world, alice), ice_states(&world, bob)),
        (vec![IceState::Completed], vec![IceState::Completed])
    );
    assert_eq!(world.closed_transports, []);
    let heard = &world.layer(source).heard;
    assert_eq!((heard.key_frame_requests().len(), heard.nacked.len()), (requests, nacked));
    assert_eq!((resent(&world), world.network.repeated), (resent_before, repeated), "old NACKs were answered");
    // Feedback tells of each packet once: the copies are none.
    let sent = world.peers[alice].wide_sent.len() - wide_sent;
    let told = world.peers[alice].wide_reported.len() - feedback;
    assert!(told <= sent + sent / 10, "{told} arrivals of {sent} packets");
    world.assert_complete(there, source);
    world.assert_complete(here, back);
}
