//! What a forwarded packet costs.

use std::time::Duration;

use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile::{
    Srtp_Aead_Aes_128_Gcm, Srtp_Aes128_Cm_Hmac_Sha1_80,
};
use sfu_core::worker::{ConsumerOptions, ProducerOptions, WebRtcTransportOptions};

use crate::allocations::count;
use simulation::vectors::{capabilities, producer};
use simulation::{Link, PeerOptions, World, ms, s};

/// Consumers of one producer, each on a transport of its own.
const CONSUMERS: usize = 50;
/// Allocations that all packets together may cost: a queue of timers or arrivals, bounded by itself, doubles now and then.
const DOUBLINGS_MAX: u64 = 3;

/// Harm prevented: an allocation per packet and consumer would be most of what forwarding costs.
#[test]
fn in_steady_state_a_forwarded_packet_allocates_nothing() {
    for profile in [Srtp_Aead_Aes_128_Gcm, Srtp_Aes128_Cm_Hmac_Sha1_80] {
        let mut world = World::new(140);
        // So that nothing is on its way, and overtaken, when packets are handed over below.
        let up = Link { latency: Duration::ZERO, ..Link::CLEAN };
        let alice = world.connected_peer(PeerOptions { up, ..PeerOptions::default() });
        let subscribers: Vec<_> = (0..CONSUMERS)
            .map(|_| world.connected_peer(PeerOptions { profiles: vec![profile], ..PeerOptions::default() }))
            .collect();
        let source = world.produce(alice, "vp8");
        let layer = &mut world.source_mut(source).layers[0];
        (layer.packets, layer.bytes) = (10, 120);
        for peer in subscribers {
            world.consume(peer, source);
        }
        world.run_for(ms(200));
        // Until every store and history has its size.
        world.run_for(s(5));
        let tuple = world.peers[alice].tuple;
        let (mut packets, mut calls) = (0, 0);
        for _ in 0..20 {
            world.run_for(ms(33));
            let now = world.now;
            world.start(source);
            let frame = world.source_mut(source).poll_frame(now);
            assert!(frame.len() >= 10);
            for packet in frame {
                let mut datagram = world.peers[alice].seal_rtp(now, source.index, packet).unwrap();
                let sent_before = world.core.stats().packets_sent;
                let core = &mut world.core;
                let counted = count(|| {
                    core.handle_datagram(now, tuple, &mut datagram);
                    assert!(!core.forward_gathered(now), "all leave at once");
                });
                assert_eq!(world.core.stats().packets_sent - sent_before, CONSUMERS as u64);
                world.settle();
                (packets, calls) = (packets + 1, calls + counted.calls);
            }
        }
        assert!(packets >= 200);
        assert!(calls <= DOUBLINGS_MAX, "{calls} allocations for {packets} packets to {CONSUMERS} consumers");
    }
}

/// Harm prevented: a room that is never empty, where people mute and share all day, eats the machine.
#[test]
fn transports_producers_and_consumers_that_come_and_go_leave_nothing() {
    let mut world = World::new(141);
    let (router, now) = (world.router, world.now);
    let (kind, rtp_parameters) = producer("vp8");
    let rtp_capabilities = capabilities("chromium-156");
    let core = &mut world.core;
    let mut come_and_go = |times: usize| {
        for _ in 0..times {
            let [sends, receives] = [(); 2]
                .map(|()| core.create_transport(now, router, WebRtcTransportOptions::default(), None).unwrap().id);
            for _ in 0..4 {
                let options =
                    ProducerOptions { kind, rtp_parameters: rtp_parameters.clone(), paused: false, is_screen: false };
                let producer_id = core.produce(now, sends, options).unwrap().id;
                let rtp_capabilities = rtp_capabilities.clone();
                core.consume(
                    now,
                    receives,
                    ConsumerOptions { producer_id, rtp_capabilities, paused: false, preferred_layers: None },
                )
                .unwrap();
                core.close_producer(now, producer_id);
            }
            core.close_transport(now, sends);
            core.close_transport(now, receives);
            core.transmits().drain(|_, _| {});
            while core.poll_event().is_some() {}
            while core.poll_closed_tuple().is_some() {}
            while core.poll_closed_transport().is_some() {}
        }
    };
    come_and_go(50);
    let counted = count(|| come_and_go(500));
    assert!(counted.live_bytes < 4096, "{} bytes more", counted.live_bytes);
}
