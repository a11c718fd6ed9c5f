//! A room on two workers, over real sockets and threads.

use std::collections::BTreeSet;
use std::time::Duration;

use sfu_core::engine::{
    ConsumeError, ConsumerOptions, Engine, EngineOptions, PortMode, ProduceError, ProducerOptions, Router, RouterEvent,
    RouterOptions, TransportUse, WebRtcTransport, WebRtcTransportOptions,
};
use sfu_core::parameters::MediaKind;

use crate::forwarding::packet;
use crate::peer::{OurRole, Publisher, Subscriber, Way};
use crate::support::{Events, LOOPBACK_V4, OWN_PORTS, free_port, options, start, within};

const PACE: Duration = Duration::from_millis(2);
const WAY: (std::net::IpAddr, Way, OurRole) = (LOOPBACK_V4, Way::Udp, OurRole::Server);

/// An engine whose rooms span two workers from the start.
fn start_spanning(base: EngineOptions) -> Engine {
    start(EngineOptions { workers: 2, span_from_percent: 0, ..base })
}

async fn transport(router: &Router, used_for: TransportUse) -> WebRtcTransport {
    let options = WebRtcTransportOptions { used_for, ..WebRtcTransportOptions::default() };
    within("a transport", router.create_webrtc_transport(options)).await.expect("a transport")
}

fn port(transport: &WebRtcTransport) -> u16 {
    transport.ice_candidates().first().expect("a candidate").port
}

/// Harm prevented: half of a large room sees nothing.
#[tokio::test(flavor = "multi_thread")]
async fn subscribers_on_both_workers_get_what_is_published() {
    const PACKETS: u16 = 200;
    let engine = start_spanning(options(LOOPBACK_V4));
    let (router, events) = engine.create_router(RouterOptions::default()).await.expect("a router");
    let mut events = Events::new(events);
    let publisher = Publisher::connect(&router, &mut events, LOOPBACK_V4, Way::Udp, OurRole::Server).await;
    let producer = publisher.producer.id();
    let mut subscribers = Vec::new();
    for _ in 0..4 {
        subscribers.push(Subscriber::connect(&router, &mut events, WAY, producer).await);
    }
    let ports: BTreeSet<u16> = subscribers.iter().map(|subscriber| port(&subscriber.transport)).collect();
    assert_eq!(ports.len(), 2, "they are on two workers");

    let send = async {
        let mut pace = tokio::time::interval(PACE);
        for number in 0..PACKETS {
            pace.tick().await;
            publisher.send(packet(number)).await;
        }
    };
    let receive = futures(subscribers.iter_mut().map(async |subscriber| {
        let mut first = None;
        let mut missing: BTreeSet<u16> = (0..PACKETS).collect();
        while !missing.is_empty() {
            let got = subscriber.receive().await;
            let first = *first.get_or_insert(got.header.sequence_number);
            let number = got.header.sequence_number.wrapping_sub(first);
            assert_eq!(got.payload, packet(number).payload, "packet {number}");
            missing.remove(&number);
        }
    }));
    within("every packet arrives everywhere", async { tokio::join!(send, receive) }).await;

    let stats = engine.stats().await.total();
    assert_eq!((stats.routers, stats.branches, stats.producers, stats.consumers), (1, 1, 1, 4));
    assert_eq!((stats.packets_piped_out, stats.packets_piped_in), (u64::from(PACKETS), u64::from(PACKETS)));
    assert_eq!((stats.packets_piped_dropped, stats.faults), (0, 0));
    for subscriber in &subscribers {
        let stats = subscriber.consumer.get_stats().await.expect("statistics");
        assert!(stats[0].counts.packet_count >= u64::from(PACKETS), "{:?}", stats[0].counts);
        assert_eq!(subscriber.transport.get_stats().await.expect("statistics").transport_id, subscriber.transport.id());
        subscriber.consumer.pause().await.expect("it is there");
        subscriber.consumer.resume().await.expect("it is there");
    }
    // What happens to a producer is told of all its consumers, wherever they are.
    publisher.producer.close().await;
    let mut open: BTreeSet<_> = subscribers.iter().map(|subscriber| subscriber.consumer.id()).collect();
    while !open.is_empty() {
        let event =
            events.wait_for("a consumer closes", |event| matches!(event, RouterEvent::ConsumerClosed { .. })).await;
        let RouterEvent::ConsumerClosed { consumer_id, .. } = event else { unreachable!() };
        assert!(open.remove(&consumer_id), "told twice");
    }
    engine.close().await;
}

/// Harm prevented: a room that was closed lives on where it spanned, and its ports with it.
#[tokio::test]
async fn closing_a_router_closes_its_branches_and_frees_their_ports() {
    // Two rounds' worth.
    let port_min = free_port();
    let port_mode = PortMode::PerTransport;
    let engine = start_spanning(EngineOptions {
        port_min,
        port_max: port_min + OWN_PORTS - 1,
        port_mode,
        ..options(LOOPBACK_V4)
    });
    for round in 0..10 {
        let (router, events) = engine.create_router(RouterOptions::default()).await.expect("a router");
        let mut events = Events::new(events);
        let mut transports = vec![transport(&router, TransportUse::Both).await];
        for _ in 0..3 {
            transports.push(transport(&router, TransportUse::Consume).await);
        }
        assert_eq!(engine.stats().await.total().branches, 1, "round {round}");
        router.close().await;
        assert_eq!(events.next().await, None, "asked for, so not told");
        let stats = engine.stats().await.total();
        assert_eq!((stats.routers, stats.branches, stats.transports), (0, 0, 0), "round {round}");
        for transport in transports {
            assert!(transport.restart_ice().await.is_err());
        }
    }
    engine.close().await;
}

#[tokio::test]
async fn a_room_stays_on_one_worker_while_that_has_time_left_or_may_not_span() {
    for span_from_percent in [50, 100] {
        let engine = start(EngineOptions { workers: 2, span_from_percent, ..options(LOOPBACK_V4) });
        let (router, _events) = engine.create_router(RouterOptions::default()).await.expect("a router");
        let mut ports = BTreeSet::new();
        for _ in 0..10 {
            ports.insert(port(&transport(&router, TransportUse::Consume).await));
        }
        assert_eq!((ports.len(), engine.stats().await.total().branches), (1, 0));
        engine.close().await;
    }
}

/// Harm prevented: a transport takes what it was not made for on one day, and on the next, when it is elsewhere, not.
#[tokio::test]
async fn a_transport_is_for_what_it_was_made_for_wherever_it_is() {
    let engine = start_spanning(options(LOOPBACK_V4));
    let (router, _events) = engine.create_router(RouterOptions::default()).await.expect("a router");
    let rtp_capabilities = router.rtp_capabilities().clone();
    let rtp_parameters = serde_json::from_value(serde_json::json!({
        "codecs": [{ "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48_000, "channels": 2 }],
        "encodings": [{ "ssrc": 1 }],
    }));
    let produced = ProducerOptions {
        kind: MediaKind::Audio,
        rtp_parameters: rtp_parameters.expect("parameters"),
        paused: true,
        is_screen: false,
    };
    let sends = transport(&router, TransportUse::Produce).await;
    let producer = sends.produce(produced.clone()).await.expect("a producer");
    let consumed =
        ConsumerOptions { producer_id: producer.id(), rtp_capabilities, paused: false, preferred_layers: None };
    assert_eq!(sends.consume(consumed.clone()).await.map(|_| ()), Err(ConsumeError::NotForConsuming));
    let mut ports = BTreeSet::new();
    for _ in 0..2 {
        let receives = transport(&router, TransportUse::Consume).await;
        ports.insert(port(&receives));
        assert_eq!(receives.produce(produced.clone()).await.map(|_| ()), Err(ProduceError::NotForProducing));
        let consumer = receives.consume(consumed.clone()).await.expect("a consumer");
        assert!(consumer.producer_paused(), "what is behind the pipe is known at once");
        let unknown = ConsumerOptions {
            producer_id: "4d4b9a3e-7d0e-4c46-9d5e-6f3a5f8c8a11".parse().expect("an id"),
            ..consumed.clone()
        };
        assert!(matches!(receives.consume(unknown).await, Err(ConsumeError::ProducerNotFound(_))));
    }
    assert_eq!(ports.len(), 2);
    engine.close().await;
}

/// Waits for all of them, side by side.
async fn futures(all: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
