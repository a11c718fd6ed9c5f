use std::time::SystemTime;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rtc_crypto::providers::RingCrypto;
use rtc_stun::attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USERNAME};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, Message, Setter, TransactionId};

use super::*;
use crate::dtls::Certificate;
use crate::negotiation::{default_media_codecs, router_rtp_capabilities};
use crate::router::{RouterOptions, TransportCloseReason};
use crate::rtcp::ntp::WallClock;
use crate::worker::{CoreOptions, TransportInfo, WebRtcTransportOptions};

/// A valid connectivity check for a transport.
fn check(transport: &TransportInfo) -> Vec<u8> {
    let mut message = Message::new();
    message.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId([3; 12]))]).unwrap();
    let username = format!("{}:peer", transport.ice_parameters.username_fragment);
    message.add(ATTR_USERNAME, username.as_bytes());
    message.add(ATTR_PRIORITY, &[0x6e, 0, 1, 0xff]);
    message.add(ATTR_ICE_CONTROLLING, &[1; 8]);
    MessageIntegrity::new_short_term_integrity_with_provider(transport.ice_parameters.password.clone(), &RingCrypto)
        .add_to(&mut message)
        .unwrap();
    FINGERPRINT.add_to(&mut message).unwrap();
    message.raw
}

fn tuple(port: u16) -> Tuple {
    Tuple {
        protocol: Protocol::Udp,
        local: "127.0.0.1:40000".parse().unwrap(),
        remote: (std::net::Ipv4Addr::LOCALHOST, port).into(),
    }
}

#[test]
fn a_panic_over_a_packet_costs_its_transport_and_no_other() {
    let now = Instant::now();
    let mut core = Core::new(CoreOptions {
        certificate: Certificate::generate().unwrap(),
        capabilities: Arc::new(router_rtp_capabilities(&default_media_codecs()).unwrap()),
        addresses: Vec::new(),
        clock: WallClock::new(now, SystemTime::UNIX_EPOCH),
        rng: StdRng::seed_from_u64(1),
    });
    let router = core.create_router(RouterOptions::default());
    let transports = [1, 2].map(|port| {
        let info = core.create_transport(now, router, WebRtcTransportOptions::default(), None).unwrap();
        core.handle_datagram(now, tuple(port), &mut check(&info));
        assert!(core.knows(&tuple(port)));
        info
    });

    contain(&mut core, now, tuple(1), |_| panic!("a fault of ours"));

    let mut closed = Vec::new();
    while let Some((_, event)) = core.poll_event() {
        if let RouterEvent::TransportClosed { transport_id, reason } = event {
            closed.push((transport_id, reason));
        }
    }
    assert_eq!(closed, [(transports[0].id, TransportCloseReason::Fault)]);
    assert_eq!(core.stats().faults, 1);
    assert!(core.knows(&tuple(2)) && !core.knows(&tuple(1)));
    // A packet of nobody's that we fail over closes nothing.
    contain(&mut core, now, tuple(3), |_| panic!("a fault of ours"));
    assert_eq!(core.stats().transports, 1);
}
