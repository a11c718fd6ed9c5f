//! What happens when a worker fails, which no peer and no owner can bring about from outside.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::mpsc;

use super::*;
use crate::ids::{ProducerId, Ssrc};
use crate::negotiation::default_media_codecs;
use crate::parameters::MediaKind;
use crate::stats::{MAX_TRACES_WAITING, TraceDirection};
use crate::worker::{Delivery, EVENT_QUEUE, EventSink};

const DEADLINE: Duration = Duration::from_secs(30);

fn start(port_mode: PortMode, (port_min, port_max): (u16, u16)) -> Engine {
    Engine::start(EngineOptions {
        workers: 1,
        listen: vec![ListenAddress { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), announced: Vec::new() }],
        port_min,
        port_max,
        port_mode,
        span_from_percent: DEFAULT_SPAN_FROM_PERCENT,
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
    let answer = router.span.home().worker.call(|_, _| panic!("a fault of ours")).await;
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
            .span
            .home()
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

/// Harm prevented: who traces a busy producer and reads a little too slowly loses the whole room for it, or the closings that
/// wait behind the traces.
#[test]
fn traces_and_scores_that_are_not_read_are_dropped_before_the_queue_is_full() {
    let (sender, mut receiver) = mpsc::channel(EVENT_QUEUE + 1);
    let sink = EventSink { sender, ended_orderly: Arc::default() };
    let producer_id = ProducerId::random(&mut StdRng::seed_from_u64(1));
    let trace = || {
        let info = TraceInfo::Pli { ssrc: Ssrc(1) };
        let event = TraceEvent { timestamp: 0, direction: TraceDirection::In, info };
        RouterEvent::Trace { target: TraceTarget::Producer(producer_id), event: Box::new(event) }
    };
    let score = || RouterEvent::ProducerScore { producer_id, scores: Vec::new() };
    let closed = || RouterEvent::ProducerClosed { producer_id };
    let fill = |event: &dyn Fn() -> RouterEvent| {
        let taken = (0..=EVENT_QUEUE).take_while(|_| sink.offer(event()) == Delivery::Done).count();
        (taken, sink.offer(event()))
    };
    assert_eq!(fill(&trace), (MAX_TRACES_WAITING, Delivery::Dropped));
    assert_eq!(fill(&score), (EVENT_QUEUE / 2 - MAX_TRACES_WAITING, Delivery::Dropped));
    assert_eq!(fill(&closed), (EVENT_QUEUE / 2, Delivery::Refused));
    assert_eq!(sink.offer(trace()), Delivery::Dropped, "no reason to close the router");
    assert!(std::iter::from_fn(|| receiver.try_recv().ok()).take(EVENT_QUEUE / 2 + 1).last() == Some(closed()));
    assert_eq!(sink.offer(score()), Delivery::Done, "there is room again");
}

#[tokio::test]
async fn handles_give_statistics_until_they_are_closed() {
    let engine = start(PortMode::PerWorker, (20_000, 32_000));
    let (router, _events) = engine.create_router(RouterOptions::default()).await.unwrap();
    let transport = router.create_webrtc_transport(WebRtcTransportOptions::default()).await.unwrap();
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
    let producer = transport.produce(options).await.unwrap();
    let rtp_capabilities = engine.rtp_capabilities().clone();
    let options =
        ConsumerOptions { producer_id: producer.id(), rtp_capabilities, paused: false, preferred_layers: None };
    let consumer = transport.consume(options).await.unwrap();

    let stat = transport.get_stats().await.unwrap();
    assert_eq!((stat.transport_id, stat.bytes_received), (transport.id(), 0));
    assert_eq!(producer.get_stats().await.unwrap(), []);
    let stats = consumer.get_stats().await.unwrap();
    assert_eq!((stats[0].mime_type.as_str(), stats[0].kind), ("audio/opus", MediaKind::Audio));
    assert_eq!(transport.enable_trace_event(vec![TransportTraceType::Bwe]).await, Ok(()));
    assert_eq!(producer.enable_trace_event(vec![StreamTraceType::Sr]).await, Ok(()));
    assert_eq!(consumer.enable_trace_event(vec![StreamTraceType::Nack]).await, Ok(()));

    transport.close().await;
    assert_eq!(transport.get_stats().await.unwrap_err(), TransportError::Closed);
    assert_eq!(transport.enable_trace_event(Vec::new()).await, Err(TransportError::Closed));
    assert_eq!(producer.get_stats().await, Err(ObjectClosed));
    assert_eq!(consumer.get_stats().await, Err(ObjectClosed));
    assert_eq!(producer.enable_trace_event(Vec::new()).await, Err(ObjectClosed));
    assert_eq!(consumer.enable_trace_event(Vec::new()).await, Err(ObjectClosed));
    engine.close().await;
}

/// A room that is on both of two workers, with its consumer, and the parts' workers: home's first.
async fn spanning_room(engine: &Engine) -> (Router, RouterEvents, [WebRtcTransport; 2], Consumer) {
    let (router, events) = engine.create_router(RouterOptions::default()).await.unwrap();
    let sends = router.create_webrtc_transport(WebRtcTransportOptions::default()).await.unwrap();
    let used_for = TransportUse::Consume;
    let receives =
        router.create_webrtc_transport(WebRtcTransportOptions { used_for, ..Default::default() }).await.unwrap();
    assert_eq!(engine.stats().await.total().branches, 1);
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
    let producer_id = sends.produce(options).await.unwrap().id();
    let rtp_capabilities = engine.rtp_capabilities().clone();
    let options = ConsumerOptions { producer_id, rtp_capabilities, paused: false, preferred_layers: None };
    let consumer = receives.consume(options).await.unwrap();
    (router, events, [sends, receives], consumer)
}

fn start_spanning() -> Engine {
    Engine::start(spanning_options()).unwrap()
}

fn spanning_options() -> EngineOptions {
    EngineOptions {
        workers: 2,
        listen: vec![ListenAddress { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), announced: Vec::new() }],
        port_min: 20_000,
        port_max: 32_000,
        port_mode: PortMode::PerWorker,
        span_from_percent: 0,
        media_codecs: default_media_codecs(),
    }
}

/// Harm prevented: a fault in one worker costs a room of a thousand everybody, or half of it waits for a worker that is gone.
#[tokio::test]
async fn a_room_goes_on_without_the_branch_whose_worker_died() {
    let test = async {
        let engine = start_spanning();
        let (router, mut events, [sends, receives], consumer) = spanning_room(&engine).await;
        assert_eq!(receives.worker.call(|_, _| panic!("a fault of ours")).await, Err::<(), _>(WorkerGone));
        let reason = ConsumerCloseReason::TransportClosed;
        assert_eq!(events.next().await, Some(RouterEvent::ConsumerClosed { consumer_id: consumer.id(), reason }));
        let (transport_id, reason) = (receives.id(), TransportCloseReason::WorkerDied);
        assert_eq!(events.next().await, Some(RouterEvent::TransportClosed { transport_id, reason }));
        assert!(sends.restart_ice().await.is_ok(), "the rest of the room lives");
        // And it spans again, once the worker is back.
        loop {
            let used_for = TransportUse::Consume;
            let options = WebRtcTransportOptions { used_for, ..Default::default() };
            let transport = router.create_webrtc_transport(options).await.unwrap();
            if transport.worker.call(|shell, _| shell.core.borrow().branches().count()).await == Ok(1) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        engine.close().await;
    };
    tokio::time::timeout(DEADLINE, test).await.unwrap();
}

/// Harm prevented: viewers look at a branch to which nothing comes any more.
#[tokio::test]
async fn a_room_whose_home_died_closes_on_every_worker() {
    let test = async {
        let engine = start_spanning();
        let (router, mut events, [sends, receives], _) = spanning_room(&engine).await;
        assert_eq!(sends.worker.call(|_, _| panic!("a fault of ours")).await, Err::<(), _>(WorkerGone));
        assert_eq!(events.next().await, Some(RouterEvent::Closed { reason: RouterCloseReason::WorkerDied }));
        assert_eq!(events.next().await, None);
        assert_eq!(receives.restart_ice().await, Err(TransportError::Closed));
        let stats = receives.worker.call(|shell, _| shell.core.borrow().stats()).await.unwrap();
        assert_eq!((stats.branches, stats.transports, stats.consumers), (0, 0, 0));
        router.close().await;
        engine.close().await;
    };
    tokio::time::timeout(DEADLINE, test).await.unwrap();
}

/// Harm prevented: an owner who stopped reading is rid of the branch, and keeps a home full of ghosts.
#[tokio::test]
async fn a_room_whose_events_nobody_reads_closes_on_every_worker() {
    let test = async {
        let engine = start_spanning();
        let (router, mut events, [sends, receives], _) = spanning_room(&engine).await;
        let branch = receives.worker.call(|shell, _| shell.core.borrow().branches().next()).await.unwrap().unwrap();
        let consumer_id = "4d4b9a3e-7d0e-4c46-9d5e-6f3a5f8c8a11".parse().unwrap();
        let filled = receives.worker.call(move |shell, _| {
            for _ in 0..=EVENT_QUEUE {
                shell.deliver(
                    &mut shell.core.borrow_mut(),
                    branch,
                    RouterEvent::ConsumerProducerPaused { consumer_id },
                );
            }
        });
        filled.await.unwrap();
        let last = async {
            let mut last = None;
            while let Some(event) = events.next().await {
                last = Some(event);
            }
            last
        };
        assert_eq!(last.await, Some(RouterEvent::Closed { reason: RouterCloseReason::EventsNotRead }));
        while engine.stats().await.total().transports > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(sends.restart_ice().await, Err(TransportError::Closed));
        assert_eq!(receives.restart_ice().await, Err(TransportError::Closed));
        router.close().await;
        engine.close().await;
    };
    tokio::time::timeout(DEADLINE, test).await.unwrap();
}

/// Harm prevented: a room that has outgrown its worker's share goes on growing there, or is on all workers at once.
#[tokio::test]
async fn a_room_whose_home_is_beyond_its_share_spans_one_more_worker_and_only_for_who_consumes() {
    let options = EngineOptions { workers: 3, span_from_percent: DEFAULT_SPAN_FROM_PERCENT, ..spanning_options() };
    let engine = Engine::start(options).unwrap();
    let (router, _events) = engine.create_router(RouterOptions::default()).await.unwrap();
    let port = async |used_for| {
        let options = WebRtcTransportOptions { used_for, ..Default::default() };
        router.create_webrtc_transport(options).await.unwrap().ice_candidates()[0].port
    };
    let home = port(TransportUse::Consume).await;
    assert_eq!(engine.stats().await.total().branches, 0);
    let slot = &engine.inner.slots[router.span.home().slot];
    // So much that it has not faded by the end of the test.
    for _ in 0..100_000 {
        slot.load().expect_transport();
    }
    let branch = port(TransportUse::Consume).await;
    assert_ne!(branch, home);
    for _ in 0..5 {
        assert_eq!(port(TransportUse::Consume).await, branch);
        assert_eq!(port(TransportUse::Produce).await, home);
        assert_eq!(port(TransportUse::Both).await, home);
    }
    assert_eq!(engine.stats().await.total().branches, 1);
    // New rooms go elsewhere.
    let (other, _events) = engine.create_router(RouterOptions::default()).await.unwrap();
    let transport = other.create_webrtc_transport(WebRtcTransportOptions::default()).await.unwrap();
    assert_ne!(transport.ice_candidates()[0].port, home);
    engine.close().await;
}

/// Harm prevented: how busy a worker is is measured on another thread, or never, and everything lands on one.
#[tokio::test]
async fn a_worker_that_has_much_to_do_is_known_to() {
    let test = async {
        let engine = Engine::start(spanning_options()).unwrap();
        let [idle, busy] = &engine.inner.slots[..] else { panic!("two workers") };
        while busy.load().share() < 0.05 {
            let spin = |_: &std::rc::Rc<crate::worker::Shell>, _| {
                (0..1_000_000_u64).fold(0, |sum, n| std::hint::black_box(sum ^ n))
            };
            busy.client().call(spin).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert!(idle.load().share() < busy.load().share());
        engine.close().await;
    };
    tokio::time::timeout(DEADLINE, test).await.unwrap();
}
