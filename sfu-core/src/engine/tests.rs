//! What happens when a worker fails, which no peer and no owner can bring about from outside.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::*;
use crate::negotiation::default_media_codecs;
use crate::parameters::MediaKind;
use crate::worker::EVENT_QUEUE;

const DEADLINE: Duration = Duration::from_secs(30);

fn start(port_mode: PortMode, (port_min, port_max): (u16, u16)) -> Engine {
    Engine::start(EngineOptions {
        workers: 1,
        listen: vec![ListenAddress { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), announced: Vec::new() }],
        port_min,
        port_max,
        port_mode,
        media_codecs: default_media_codecs(),
    })
    .unwrap()
}

/// Kills the worker of a new router in some way, and looks at what is left.
async fn death_is_told_and_survived(engine: Engine, kill: impl AsyncFnOnce(&Router)) {
    let (router, mut events) = engine.create_router(RouterOptions::default()).await.unwrap();
    let transport = router.create_webrtc_transport(WebRtcTransportOptions::default()).await.unwrap();
    let port = transport.ice_candidates()[0].port;

    kill(&router).await;

    assert_eq!(events.next().await, Some(RouterEvent::Closed { reason: RouterCloseReason::WorkerDied }));
    assert_eq!(events.next().await, None, "nothing follows the last event");
    assert_eq!(transport.restart_ice().await, Err(TransportError::WorkerGone(WorkerGone)));
    assert!(matches!(
        router.create_webrtc_transport(WebRtcTransportOptions::default()).await,
        Err(CreateTransportError::WorkerGone(WorkerGone))
    ));
    // Idempotent, and no error: what is gone is closed.
    transport.close().await;
    router.close().await;

    let (router, _events) = loop {
        match engine.create_router(RouterOptions::default()).await {
            Ok(created) => break created,
            // The pause before its next life.
            Err(CreateRouterError::WorkerGone(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let transport = router.create_webrtc_transport(WebRtcTransportOptions::default()).await.unwrap();
    assert_eq!(transport.ice_candidates()[0].port, port, "no port stays taken");
    engine.close().await;
}

async fn panic_in_a_command(router: &Router) {
    let answer = router.worker.call(|_, _| panic!("a fault of ours")).await;
    assert_eq!(answer, Err::<(), _>(WorkerGone));
}

#[tokio::test]
async fn a_worker_that_panics_in_a_command_is_replaced() {
    let engine = start(PortMode::PerWorker, (20_000, 32_000));
    tokio::time::timeout(DEADLINE, death_is_told_and_survived(engine, panic_in_a_command)).await.unwrap();
}

#[tokio::test]
async fn the_ports_of_transports_come_back_from_a_worker_that_died() {
    // A range of one: if it stayed taken there were none.
    let port = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let engine = start(PortMode::PerTransport, (port, port));
    tokio::time::timeout(DEADLINE, death_is_told_and_survived(engine, panic_in_a_command)).await.unwrap();
}

/// Without its timer or a socket a worker would be deaf, and its rooms silent for ever.
#[tokio::test]
async fn a_worker_one_of_whose_tasks_panics_is_replaced() {
    let engine = start(PortMode::PerWorker, (20_000, 32_000));
    let kill = async |router: &Router| {
        let spawned = router
            .worker
            .call(|shell, _| {
                shell.spawn(async { panic!("a fault of ours") });
            })
            .await;
        assert_eq!(spawned, Ok(()));
    };
    tokio::time::timeout(DEADLINE, death_is_told_and_survived(engine, kill)).await.unwrap();
}

/// Harm prevented: an owner who stopped reading keeps ghosts for ever, or makes the worker's memory grow.
#[tokio::test]
async fn a_router_whose_events_nobody_reads_is_closed_and_says_so_last() {
    const CONSUMERS: usize = 1024;
    let engine = start(PortMode::PerTransport, (46_500, 46_599));
    let (router, mut events) = engine.create_router(RouterOptions::default()).await.unwrap();
    let sender = router.create_webrtc_transport(WebRtcTransportOptions::default()).await.unwrap();
    let receiver = router.create_webrtc_transport(WebRtcTransportOptions::default()).await.unwrap();
    let rtp_parameters = serde_json::from_value(serde_json::json!({
        "codecs": [{ "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48_000, "channels": 2 }],
        "encodings": [{ "ssrc": 1 }],
    }));
    let options = ProducerOptions {
        kind: MediaKind::Audio,
        rtp_parameters: rtp_parameters.unwrap(),
        paused: false,
        is_screen: false,
    };
    let producer = sender.produce(options).await.unwrap();
    for _ in 0..CONSUMERS {
        let rtp_capabilities = engine.rtp_capabilities().clone();
        let options =
            ConsumerOptions { producer_id: producer.id(), rtp_capabilities, paused: false, preferred_layers: None };
        receiver.consume(options).await.unwrap();
    }
    // Each tells every consumer's owner.
    for _ in 0..EVENT_QUEUE / CONSUMERS / 2 {
        producer.pause().await.unwrap();
        producer.resume().await.unwrap();
    }
    assert_eq!(producer.pause().await, Ok(()), "what brings it over the limit is still carried out");
    assert_eq!(producer.resume().await, Err(ObjectClosed), "and the router is closed");

    let mut read = 0;
    let last = loop {
        match events.next().await {
            Some(RouterEvent::ConsumerProducerPaused { .. } | RouterEvent::ConsumerProducerResumed { .. }) => read += 1,
            other => break other,
        }
    };
    assert_eq!(read, EVENT_QUEUE);
    assert_eq!(last, Some(RouterEvent::Closed { reason: RouterCloseReason::EventsNotRead }));
    assert_eq!(events.next().await, None);
    engine.close().await;
}
