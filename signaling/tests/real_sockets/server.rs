//! A server of its own for each test, on the loopback interface.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use sfu_core::engine::{Engine, EngineOptions, ListenAddress, PortMode, RouterOptions};
use sfu_core::negotiation::default_media_codecs;
use signaling::identity::TokenVerifier;
use signaling::{Signaling, SignalingOptions};
use socketioxide::SocketIo;
use tokio::net::TcpListener;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Serves until the test's runtime ends. Where to find it.
pub(crate) async fn start(router: RouterOptions) -> SocketAddr {
    start_with(SignalingOptions { router, ..SignalingOptions::default() }).await.0
}

/// The same, for those with a token only.
pub(crate) async fn start_for(tokens: TokenVerifier) -> SocketAddr {
    start_with(SignalingOptions { tokens: Some(Arc::new(tokens)), ..SignalingOptions::default() }).await.0
}

/// The same with more to set, and to ask.
pub(crate) async fn start_with(options: SignalingOptions) -> (SocketAddr, Signaling) {
    let engine = Engine::start(EngineOptions {
        workers: 2,
        listen: vec![ListenAddress { ip: LOOPBACK, announced: Vec::new() }],
        // Wide, so that tests which run side by side find ports.
        port_min: 20_000,
        port_max: 32_000,
        port_mode: PortMode::PerWorker,
        // Rooms span both from the start: nobody may notice.
        span_from_percent: 0,
        media_codecs: default_media_codecs(),
    });
    let engine = engine.expect("the engine starts on the loopback interface");
    let (service, io) = SocketIo::new_svc();
    let signaling = Signaling::new(engine, options);
    signaling.attach(&io);
    let listener = TcpListener::bind((LOOPBACK, 0)).await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(served.with_upgrades());
        }
    });
    (address, signaling)
}
