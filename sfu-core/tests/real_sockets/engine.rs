//! Workers, ports and handles.

use std::collections::BTreeSet;

use sfu_core::engine::{
    ConnectError, ConsumerOptions, CreateRouterError, CreateTransportError, Engine, EngineError, EngineOptions,
    PortMode, ProduceError, ProducerOptions, Router, RouterEvent, RouterOptions, TransportError, TransportRefused,
    WebRtcTransport, WebRtcTransportOptions,
};
use sfu_core::parameters::{DtlsParameters, DtlsRole, MediaKind};

use crate::peer::{OurRole, Publisher, Subscriber, Way};
use crate::support::{Events, LOOPBACK_V4, free_port, options, start, within};

/// The ports of a transport's candidates.
fn ports(transport: &WebRtcTransport) -> BTreeSet<u16> {
    transport.ice_candidates().iter().map(|candidate| candidate.port).collect()
}

async fn transport(router: &Router) -> Result<WebRtcTransport, CreateTransportError> {
    within("a transport", router.create_webrtc_transport(WebRtcTransportOptions::default())).await
}

/// An engine whose transports have ports of their own, out of a range of one.
fn start_with_one_port() -> (Engine, u16) {
    let port = free_port();
    let port_mode = PortMode::PerTransport;
    (start(EngineOptions { port_min: port, port_max: port, port_mode, ..options(LOOPBACK_V4) }), port)
}

#[tokio::test]
async fn transports_of_one_worker_share_its_port_and_workers_have_different_ones() {
    let engine = start(EngineOptions { workers: 2, ..options(LOOPBACK_V4) });
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let (router, _events) = engine.create_router(RouterOptions::default()).await.expect("a router");
        let first = ports(&transport(&router).await.expect("a transport"));
        assert_eq!(first.len(), 1, "the same port over UDP and TCP");
        assert_eq!(ports(&transport(&router).await.expect("a transport")), first);
        seen.extend(first);
    }
    assert_eq!(seen.len(), 2, "two routers, two workers, two ports");
    engine.close().await;
}

#[tokio::test]
async fn a_used_up_range_is_refused_by_name_and_a_closed_transports_port_is_free_at_once() {
    let (engine, port) = start_with_one_port();
    let (router, _events) = engine.create_router(RouterOptions::default()).await.expect("a router");
    // Over and over: a port that is given back before its sockets are closed fails only sometimes.
    for round in 0..50 {
        let first = transport(&router).await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_eq!(ports(&first), BTreeSet::from([port]));
        match transport(&router).await {
            Err(CreateTransportError::NoFreePort { min, max }) => assert_eq!((min, max), (port, port)),
            other => panic!("round {round}: {other:?}"),
        }
        first.close().await;
    }
    engine.close().await;
}

#[tokio::test]
async fn closing_a_router_frees_the_ports_of_its_transports() {
    let (engine, _) = start_with_one_port();
    for round in 0..20 {
        let (router, _events) = engine.create_router(RouterOptions::default()).await.expect("a router");
        transport(&router).await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        router.close().await;
        match transport(&router).await {
            Err(CreateTransportError::Refused(TransportRefused::RouterClosed)) => {}
            other => panic!("round {round}: {other:?}"),
        }
    }
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_flows_to_a_transport_with_a_port_of_its_own() {
    let engine = start(EngineOptions { port_mode: PortMode::PerTransport, ..options(LOOPBACK_V4) });
    let (router, events) = engine.create_router(RouterOptions::default()).await.expect("a router");
    let mut events = Events::new(events);
    let way = (LOOPBACK_V4, Way::Udp, OurRole::Server);
    let publisher = Publisher::connect(&router, &mut events, LOOPBACK_V4, Way::Udp, OurRole::Server).await;
    let mut subscriber = Subscriber::connect(&router, &mut events, way, publisher.producer.id()).await;
    assert!(ports(&publisher.transport).is_disjoint(&ports(&subscriber.transport)));
    let key_frame = crate::forwarding::packet(0);
    publisher.send(key_frame.clone()).await;
    assert_eq!(subscriber.receive().await.payload, key_frame.payload);
    engine.close().await;
}

#[tokio::test]
async fn routers_are_spread_evenly_over_the_workers() {
    let engine = start(EngineOptions { workers: 3, ..options(LOOPBACK_V4) });
    let mut routers = Vec::new();
    for _ in 0..9 {
        routers.push(engine.create_router(RouterOptions::default()).await.expect("a router"));
    }
    let spread: Vec<usize> = engine.stats().await.workers.iter().map(|worker| worker.routers).collect();
    assert_eq!(spread, [3, 3, 3]);
    engine.close().await;
}

#[tokio::test]
async fn closing_a_router_ends_its_events_and_closes_the_handles_of_all_that_was_in_it() {
    let engine = start(options(LOOPBACK_V4));
    let (router, events) = engine.create_router(RouterOptions::default()).await.expect("a router");
    let mut events = Events::new(events);
    let transport = transport(&router).await.expect("a transport");
    router.close().await;
    router.close().await;
    assert_eq!(events.next().await, None, "asked for, so not told");
    answers_closed(&router, &transport).await;
    // Another router of the same worker goes on.
    assert!(engine.create_router(RouterOptions::default()).await.is_ok());
    engine.close().await;
}

/// Every operation on a closed transport says so.
async fn answers_closed(router: &Router, transport: &WebRtcTransport) {
    assert_eq!(transport.restart_ice().await, Err(TransportError::Closed));
    let dtls = DtlsParameters { role: DtlsRole::Auto, fingerprints: transport.dtls_parameters().fingerprints.clone() };
    assert_eq!(transport.connect(dtls).await, Err(ConnectError::Closed));
    let produced = transport
        .produce(ProducerOptions {
            kind: MediaKind::Video,
            rtp_parameters: Default::default(),
            paused: false,
            is_screen: false,
        })
        .await;
    assert!(matches!(produced, Err(ProduceError::Closed)), "{produced:?}");
    let rtp_capabilities = router.rtp_capabilities().clone();
    let producer_id = "4d4b9a3e-7d0e-4c46-9d5e-6f3a5f8c8a11".parse().expect("an id");
    let consumed = transport
        .consume(ConsumerOptions { producer_id, rtp_capabilities, paused: false, preferred_layers: None })
        .await;
    assert!(matches!(consumed, Err(sfu_core::engine::ConsumeError::Closed)), "{consumed:?}");
    transport.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_answer_closed_after_closing_and_what_hangs_on_them_is_told() {
    let engine = start(options(LOOPBACK_V4));
    let (router, events) = engine.create_router(RouterOptions::default()).await.expect("a router");
    let mut events = Events::new(events);
    let way = (LOOPBACK_V4, Way::Udp, OurRole::Server);
    let publisher = Publisher::connect(&router, &mut events, LOOPBACK_V4, Way::Udp, OurRole::Server).await;
    let subscriber = Subscriber::connect(&router, &mut events, way, publisher.producer.id()).await;

    publisher.producer.close().await;
    let id = subscriber.consumer.id();
    events
        .wait_for(
            "the consumer closes with its producer",
            |event| matches!(event, RouterEvent::ConsumerClosed { consumer_id, .. } if *consumer_id == id),
        )
        .await;
    assert!(publisher.producer.pause().await.is_err());
    assert!(publisher.producer.resume().await.is_err());
    assert!(subscriber.consumer.pause().await.is_err());
    assert!(subscriber.consumer.resume().await.is_err());
    assert!(subscriber.consumer.request_key_frame().await.is_err());
    publisher.producer.close().await;
    subscriber.consumer.close().await;

    subscriber.transport.close().await;
    answers_closed(&router, &subscriber.transport).await;
    engine.close().await;
}

#[tokio::test]
async fn closing_the_engine_ends_its_threads_and_events_and_frees_its_ports() {
    // The last of many: no other test has a worker of this name.
    let port_min = free_port();
    let engine = start(EngineOptions { workers: 9, port_min, ..options(LOOPBACK_V4) });
    #[cfg(target_os = "linux")]
    within("the thread names itself", async {
        while !has_thread("sluice-worker-8") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let (router, events) = engine.create_router(RouterOptions::default()).await.expect("a router");
    let mut events = Events::new(events);
    let port = *ports(&transport(&router).await.expect("a transport")).first().expect("a candidate");

    within("the engine closes", engine.close()).await;
    within("closing again does nothing", engine.close()).await;

    #[cfg(target_os = "linux")]
    assert!(!has_thread("sluice-worker-8"));
    assert_eq!(events.next().await, None, "asked for, so not told");
    assert!(matches!(engine.create_router(RouterOptions::default()).await, Err(CreateRouterError::WorkerGone(_))));
    assert!(matches!(transport(&router).await, Err(CreateTransportError::WorkerGone(_))));
    assert!(engine.stats().await.workers.is_empty());
    std::net::UdpSocket::bind((LOOPBACK_V4, port)).expect("the port is free");
}

/// Whether this process has a thread of that name.
#[cfg(target_os = "linux")]
fn has_thread(name: &str) -> bool {
    std::fs::read_dir("/proc/self/task")
        .expect("/proc")
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .any(|comm| comm.trim() == name)
}

#[tokio::test]
async fn options_that_cannot_work_are_refused_by_name() {
    let base = options(LOOPBACK_V4);
    let refused = |options: EngineOptions| Engine::start(options).expect_err("refused");
    assert!(matches!(refused(EngineOptions { workers: 0, ..base.clone() }), EngineError::NoWorkers));
    assert!(matches!(refused(EngineOptions { listen: Vec::new(), ..base.clone() }), EngineError::NoListenAddress));
    assert!(matches!(
        refused(EngineOptions { port_min: 5, port_max: 4, ..base.clone() }),
        EngineError::BadPortRange { min: 5, max: 4 }
    ));
    let port = free_port();
    let taken = std::net::UdpSocket::bind((LOOPBACK_V4, port)).expect("a port");
    assert!(matches!(
        refused(EngineOptions { port_min: port, port_max: port, ..base.clone() }),
        EngineError::NoFreePort { worker: sfu_core::ids::WorkerId(0), .. }
    ));
    drop(taken);
    // The second worker finds none, and the first one's port must not stay taken.
    assert!(matches!(
        refused(EngineOptions { workers: 2, port_min: port, port_max: port, ..base.clone() }),
        EngineError::NoFreePort { worker: sfu_core::ids::WorkerId(1), .. }
    ));
    within("the first worker's port is free again", async {
        while std::net::UdpSocket::bind((LOOPBACK_V4, port)).is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
