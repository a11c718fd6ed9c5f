//! Attacks on the engine's own port, over UDP: while a call comes about, while it goes on, and without any.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use sfu_core::engine::{Engine, Router, RouterEvent, RouterOptions, TransportCloseReason, WebRtcTransportOptions};
use tokio::net::UdpSocket;

use crate::forwarding::packet;
use crate::peer::{OurRole, Publisher, Subscriber, Tampered, Way};
use crate::relay::{Meddling, Relay};
use crate::stun;
use crate::support::{Events, LOOPBACK_V4, options, start, within};

/// Packets of a call.
const PACKETS: u16 = 200;
/// The gap between two: within what the peer's own queues take without dropping.
const PACE: Duration = Duration::from_millis(2);

async fn room() -> (Engine, Router, Events, SocketAddr) {
    let engine = start(options(LOOPBACK_V4));
    let (router, events) = engine.create_router(RouterOptions::default()).await.expect("a router");
    let transport = router.create_webrtc_transport(WebRtcTransportOptions::default()).await.expect("a transport");
    let port = transport.ice_candidates()[0].port;
    transport.close().await;
    (engine, router, Events::new(events), (LOOPBACK_V4, port).into())
}

/// A record of DTLS 1.2 in plaintext.
fn record(content_type: u8, body: &[u8]) -> Vec<u8> {
    let header = [content_type, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0];
    [&header[..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// What has ended other servers' handshakes: a hello that offers no cipher, and alerts.
fn handshake_enders() -> Vec<Vec<u8>> {
    let body = [&[254, 253][..], &[0x5a; 32], &[0, 0], &[0, 2, 0, 0], &[1, 0]].concat();
    let len = [0, 0, body.len() as u8];
    let hello = [&[1], &len[..], &[0; 5], &len, &body].concat();
    vec![record(22, &hello), record(21, &[2, 40]), record(21, &[1, 0])]
}

/// Sends the call's packets and compares what arrives.
async fn talk(publisher: &Publisher, subscriber: &mut Subscriber) {
    let receive = async {
        let mut received = BTreeMap::new();
        let mut first = None;
        while received.len() < usize::from(PACKETS) {
            let packet = subscriber.receive().await;
            let first = *first.get_or_insert(packet.header.sequence_number);
            let number = packet.header.sequence_number.wrapping_sub(first);
            assert!(received.insert(number, packet.payload).is_none(), "packet {number} came twice");
        }
        received
    };
    let send = async {
        let mut pace = tokio::time::interval(PACE);
        for number in 0..PACKETS {
            pace.tick().await;
            publisher.send(packet(number)).await;
        }
    };
    let (received, ()) = within("every packet arrives", async { tokio::join!(receive, send) }).await;
    for (number, payload) in received {
        assert_eq!(payload, packet(number).payload, "packet {number}");
    }
}

/// Harm prevented: anybody who finds the port ends calls, or keeps them from coming about (CVE-2023-49786, CVE-2023-51275,
/// CVE-2023-51443): here with each datagram that passes, from the first check on.
async fn hellos_from_elsewhere_are_not_heard(role: OurRole) {
    let (engine, router, mut events, address) = room().await;
    let alarm = || {
        let enders = handshake_enders();
        Relay::start(
            address,
            Box::new(move |passing| {
                let mut from_elsewhere = enders.clone();
                // Its own as well: sound, only not from where it should come. But a check counts from where it comes first.
                if passing.first().is_some_and(|first| *first >= 20) {
                    from_elsewhere.push(passing.to_vec());
                }
                Meddling { from_elsewhere, ..Meddling::default() }
            }),
        )
    };
    let relays = [alarm().await, alarm().await];
    let [here, there] =
        [&relays[0], &relays[1]].map(|relay| Tampered { via: Some(relay.address), ..Tampered::default() });
    // Before anybody has said anything.
    for ender in handshake_enders() {
        relays[0].elsewhere.send(&ender).await.expect("the engine listens");
    }
    let way = (LOOPBACK_V4, Way::Udp, role);
    let publisher = Publisher::begin(&router, way, here).await.connected(&mut events).await;
    let subscriber = Subscriber::begin(&router, way, publisher.producer.id(), there).await;
    let mut subscriber = subscriber.connected(&mut events).await;
    talk(&publisher, &mut subscriber).await;

    let stats = engine.stats().await.workers[0];
    assert!(stats.strangers_dropped > u64::from(PACKETS) * 4, "{stats:?}");
    assert_eq!(stats.faults, 0);
    for relay in &relays {
        let heard = relay.elsewhere.try_recv(&mut [0; 2048]);
        assert!(heard.is_err(), "the engine answers a stranger with {heard:?} bytes");
    }
    publisher.close().await;
    subscriber.close().await;
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hellos_from_elsewhere_are_not_heard_when_we_are_the_dtls_server() {
    hellos_from_elsewhere_are_not_heard(OurRole::Server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hellos_from_elsewhere_are_not_heard_when_we_are_the_dtls_client() {
    hellos_from_elsewhere_are_not_heard(OurRole::Client).await;
}

/// Harm prevented: whoever sits in the signalling's place listens in, or is heard.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_another_certificate_than_signalled_gets_and_gives_nothing() {
    for (role, is_role_open) in [(OurRole::Server, false), (OurRole::Server, true), (OurRole::Client, false)] {
        let (engine, router, mut events, _) = room().await;
        let wrong = Tampered { fingerprint: true, role: is_role_open, ..Tampered::default() };
        let publisher = Publisher::begin(&router, (LOOPBACK_V4, Way::Udp, role), wrong).await;
        let id = publisher.transport.id();
        let closed = events.wait_for(
            "the transport closes",
            |event| matches!(event, RouterEvent::TransportClosed { transport_id, .. } if *transport_id == id),
        );
        // It sends as soon as it can.
        let send = async {
            let mut pace = tokio::time::interval(PACE);
            for number in 0.. {
                pace.tick().await;
                publisher.try_send(packet(number % PACKETS)).await;
            }
        };
        let closed = tokio::select! { closed = closed => closed, () = send => unreachable!("it does not end") };
        let RouterEvent::TransportClosed { reason: TransportCloseReason::DtlsFailed(why), .. } = closed else {
            panic!("{closed:?}")
        };
        assert!(why.contains("fingerprint"), "{why}");
        let stats = engine.stats().await.workers[0];
        assert_eq!((stats.packets_received, stats.packets_sent, stats.transports), (0, 0, 0), "{role:?}");
        publisher.close().await;
        engine.close().await;
    }
}

/// Harm prevented: who can put packets on a peer's path, its own address as their source, ends the call or is seen in it.
#[tokio::test(flavor = "multi_thread")]
async fn forged_repeated_and_mangled_packets_on_a_peers_own_path_change_nothing() {
    let (engine, router, mut events, address) = room().await;
    let enders = handshake_enders();
    let mut earlier: Vec<Vec<u8>> = Vec::new();
    let meddle = move |passing: &[u8]| {
        // Media and reports alone: during a handshake nobody can tell whose a hello is.
        if passing.first().is_none_or(|first| !(128..192).contains(first)) {
            return Meddling::default();
        }
        let mut mangled = passing.to_vec();
        let at = mangled.len() - 1 - earlier.len() % 8;
        mangled[at] ^= 0x40;
        let mut next = mangled.clone();
        next[3] = next[3].wrapping_add(1);
        let mut report = mangled.clone();
        report[1] = 201;
        let mut on_path = vec![passing.to_vec(), mangled, next, report, vec![0x80; 300], vec![0xff; 20]];
        on_path.extend(enders.iter().cloned());
        on_path.extend(earlier.get(earlier.len() / 2).cloned());
        earlier.push(passing.to_vec());
        Meddling { on_path, ..Meddling::default() }
    };
    let relays = [Relay::start(address, Box::new(meddle.clone())).await, Relay::start(address, Box::new(meddle)).await];
    let [here, there] =
        [&relays[0], &relays[1]].map(|relay| Tampered { via: Some(relay.address), ..Tampered::default() });
    let way = (LOOPBACK_V4, Way::Udp, OurRole::Server);
    let publisher = Publisher::begin(&router, way, here).await.connected(&mut events).await;
    let subscriber = Subscriber::begin(&router, way, publisher.producer.id(), there).await;
    let mut subscriber = subscriber.connected(&mut events).await;
    talk(&publisher, &mut subscriber).await;
    let stats = engine.stats().await.workers[0];
    assert_eq!(stats.packets_received, u64::from(PACKETS), "each counts once: {stats:?}");
    assert!(stats.packets_refused > u64::from(PACKETS) * 5, "{stats:?}");
    assert_eq!((stats.faults, stats.transports), (0, 2));
    publisher.close().await;
    subscriber.close().await;
    engine.close().await;
}

/// Harm prevented: the port is used to flood somebody in whose name little is sent.
#[tokio::test]
async fn who_validates_nothing_is_sent_no_more_than_they_sent() {
    let (engine, router, _events, address) = room().await;
    let transport = router.create_webrtc_transport(WebRtcTransportOptions::default()).await.expect("a transport");
    let stranger = UdpSocket::bind((LOOPBACK_V4, 0)).await.expect("a port is free");
    stranger.connect(address).await.expect("an address of this machine");
    let mut check_of_nobody = stun::check(&transport);
    check_of_nobody[25] ^= 1;
    let mut silent = handshake_enders();
    silent.extend([vec![0x80; 1200], vec![0xff; 10], vec![0; 20], check_of_nobody]);
    let mut buffer = [0; 2048];
    for _ in 0..100 {
        for datagram in &silent {
            stranger.send(datagram).await.expect("the engine listens");
        }
        // Datagrams of one sender are dealt with in order, so the first answer must be this one's.
        let guess = stun::guess(&transport);
        stranger.send(&guess).await.expect("the engine listens");
        let len = within("an answer", stranger.recv(&mut buffer)).await.expect("an answer");
        assert_eq!((&buffer[..2], &buffer[8..20]), (&[1, 0x11][..], &guess[8..20]), "no refusal of the guess");
        assert!(len <= guess.len(), "{len} bytes for {}", guess.len());
    }
    let heard = stranger.try_recv(&mut buffer);
    assert!(heard.is_err(), "{heard:?}");
    let stats = engine.stats().await.workers[0];
    assert_eq!(stats.strangers_dropped, 100 * silent.len() as u64);
    engine.close().await;
}
