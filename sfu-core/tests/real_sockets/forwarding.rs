//! One peer publishes, another subscribes, and the bytes are compared.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use sfu_core::engine::RouterOptions;

use crate::peer::{OurRole, Packet, Publisher, Subscriber, Way};
use crate::support::{Events, LOOPBACK_V4, LOOPBACK_V6, has_ipv6, options, start, within};

/// A few frames' worth.
const PACKETS: u16 = 300;
/// The gap between two packets: within what the peer's own queues take without dropping.
const PACE: Duration = Duration::from_millis(2);

/// A VP8 packet (RFC 7741): the first is a whole key frame, each later one a whole delta frame.
pub(crate) fn packet(number: u16) -> Packet {
    let mut payload = vec![0x10, if number == 0 { 0x10 } else { 0x11 }, 0, 0, 0x9d, 0x01, 0x2a];
    // Lengths that differ, bytes that say where they come from.
    payload.extend((0..usize::from(number) * 3 % 1100).map(|at| (at ^ usize::from(number)) as u8));
    let mut packet = Packet { payload: Bytes::from(payload), ..Default::default() };
    packet.header.sequence_number = 65_400_u16.wrapping_add(number);
    packet.header.timestamp = 1_000_000 + u32::from(number) * 3000;
    packet.header.marker = true;
    packet
}

async fn payloads_arrive_as_sent(ip: IpAddr, way: Way, role: OurRole) {
    let engine = start(options(ip));
    let (router, events) = engine.create_router(RouterOptions::default()).await.expect("a router");
    let mut events = Events::new(events);
    let publisher = Publisher::connect(&router, &mut events, ip, way, role).await;
    let mut subscriber = Subscriber::connect(&router, &mut events, (ip, way, role), publisher.producer.id()).await;

    let receive = async {
        let mut received = BTreeMap::new();
        let mut first = None;
        while received.len() < usize::from(PACKETS) {
            let packet = subscriber.receive().await;
            let first = *first.get_or_insert(packet.header.sequence_number);
            received.insert(packet.header.sequence_number.wrapping_sub(first), packet);
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

    let first_timestamp = received[&0].header.timestamp;
    let expected = subscriber.consumer.rtp_parameters();
    for (number, packet) in (0..PACKETS).map(|number| (number, packet(number))) {
        let got = received.get(&number).unwrap_or_else(|| panic!("packet {number} is missing"));
        assert_eq!(got.payload, packet.payload, "packet {number}");
        assert_eq!(got.header.marker, packet.header.marker, "packet {number}");
        assert_eq!(got.header.timestamp.wrapping_sub(first_timestamp), u32::from(number) * 3000, "packet {number}");
        assert_eq!(Some(got.header.ssrc), expected.encodings[0].ssrc.map(|ssrc| ssrc.0));
        assert_eq!(got.header.payload_type, expected.codecs[0].payload_type.0);
    }
    let stats = engine.stats().await.workers[0];
    assert!(stats.packets_received >= u64::from(PACKETS), "{stats:?}");
    assert!(stats.packets_sent >= u64::from(PACKETS), "{stats:?}");
    assert_eq!((stats.faults, stats.datagrams_unsent), (0, 0), "{stats:?}");

    publisher.close().await;
    subscriber.close().await;
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_arrive_as_sent_over_udp_when_we_are_the_dtls_server() {
    payloads_arrive_as_sent(LOOPBACK_V4, Way::Udp, OurRole::Server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_arrive_as_sent_over_udp_when_we_are_the_dtls_client() {
    payloads_arrive_as_sent(LOOPBACK_V4, Way::Udp, OurRole::Client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_arrive_as_sent_over_tcp_when_we_are_the_dtls_server() {
    payloads_arrive_as_sent(LOOPBACK_V4, Way::Tcp, OurRole::Server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_arrive_as_sent_over_tcp_when_we_are_the_dtls_client() {
    payloads_arrive_as_sent(LOOPBACK_V4, Way::Tcp, OurRole::Client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_arrive_as_sent_over_udp_and_ipv6() {
    if has_ipv6("payloads_arrive_as_sent_over_udp_and_ipv6") {
        payloads_arrive_as_sent(LOOPBACK_V6, Way::Udp, OurRole::Server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_arrive_as_sent_over_tcp_and_ipv6() {
    if has_ipv6("payloads_arrive_as_sent_over_tcp_and_ipv6") {
        payloads_arrive_as_sent(LOOPBACK_V6, Way::Tcp, OurRole::Server).await;
    }
}
