//! What a forwarded packet costs.

use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile::{
    Srtp_Aead_Aes_128_Gcm, Srtp_Aes128_Cm_Hmac_Sha1_80,
};

use crate::harness::allocations::count;
use crate::harness::{PeerOptions, World, ms, s};

/// Consumers of one producer, each on a transport of its own.
const CONSUMERS: usize = 50;

/// Harm prevented: an allocation per packet and consumer would be most of what forwarding costs.
#[test]
fn in_steady_state_a_forwarded_packet_allocates_nothing() {
    for profile in [Srtp_Aead_Aes_128_Gcm, Srtp_Aes128_Cm_Hmac_Sha1_80] {
        let mut world = World::new(140);
        let alice = world.peer();
        let source = world.produce(alice, "vp8");
        world.source_mut(source).layers[0].packets = 20;
        for _ in 0..CONSUMERS {
            let peer = world.connected_peer(PeerOptions { profiles: vec![profile], ..PeerOptions::default() });
            world.consume(peer, source);
        }
        // Until every store and history is at its size.
        world.run_for(s(4));
        let tuple = world.peers[alice].tuple;
        for _ in 0..20 {
            world.run_for(ms(33));
            world.source_mut(source).stop();
            let now = world.now;
            world.start(source);
            let frame = world.source_mut(source).poll_frame(now);
            assert!(frame.len() >= 20);
            for packet in frame {
                let mut datagram = world.peers[alice].seal_rtp(now, 0, packet).unwrap();
                let mut sent = 0;
                let core = &mut world.core;
                let counted = count(|| {
                    core.handle_datagram(now, tuple, &mut datagram);
                    core.transmits().drain(|_, _| sent += 1);
                });
                println!("{sent} {}", counted.calls);
            }
        }
    }
}
