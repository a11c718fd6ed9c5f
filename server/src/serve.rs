//! Start, run, stop.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use sfu_core::engine::{Engine, EngineError, EngineOptions};
use signaling::{Signaling, SignalingOptions};
use socketioxide::SocketIo;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{CodecSource, Config, ConfigError, interface_addresses, listen_addresses, read_codec_file};
use crate::http::{self, Stats, StatsSource};
use crate::limits::{SHUTDOWN_MAX, SOCKET_BUFFER_MESSAGES_MAX, SOCKET_PAYLOAD_BYTES_MAX};
use crate::tokens::{self, TokensError};

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot list this machine's addresses (set ANNOUNCED_IP): {0}")]
    Interfaces(io::Error),
    #[error("cannot listen on {address} (PORT, HTTP_LISTEN_IP): {source}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("the media engine does not start: {0}")]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Tokens(#[from] TokensError),
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

/// Serves until SIGINT or SIGTERM.
pub(crate) async fn run(config: Config) -> Result<(), ServeError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let listeners = bind(&config.http_ips, config.port).await?;
    let engine = Engine::start(engine_options(&config)?)?;
    let tokens = match &config.tokens {
        Some(tokens) => Some(tokens::verifier(tokens).await?),
        None => {
            tracing::warn!(
                "this server is OPEN: whoever reaches it may enter every room (no JWT_SECRET, JWT_PUBLIC_KEY_FILE or \
                 JWT_KEY_SET is set)"
            );
            None
        }
    };
    let api = http::ice_servers::routes(config.ice_servers.clone(), tokens.clone());
    let options = SignalingOptions {
        tokens,
        router: config.rooms.router.clone(),
        transport: config.rooms.transport,
        call_timeout: config.call_timeout,
        ..SignalingOptions::default()
    };
    let signaling = Signaling::new(engine.clone(), options);
    let (layer, socket_io) = SocketIo::builder()
        .max_payload(SOCKET_PAYLOAD_BYTES_MAX as u64)
        .ws_max_message_size(SOCKET_PAYLOAD_BYTES_MAX)
        .ws_max_frame_size(SOCKET_PAYLOAD_BYTES_MAX)
        .max_buffer_size(SOCKET_BUFFER_MESSAGES_MAX)
        .build_layer();
    signaling.attach(&socket_io);
    let app = http::app(stats_source(engine.clone(), signaling.clone()), api, layer, &config.frontend);

    let stopping = watch::Sender::new(false);
    let addresses: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let mut servers = serve_all(listeners, &app, &stopping);
    let watched = signaling.clone();
    tokio::spawn(crate::memory::watch(move || watched.stats().sockets));
    tracing::info!(?addresses, workers = config.workers, "listening");
    // Nobody reading standard output is no reason to stop.
    writeln!(io::stdout(), "Sluice is ready: open {}", address_to_open(&addresses, config.port)).ok();

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    let stop = async {
        signaling.shutdown().await;
        stopping.send_replace(true);
        socket_io.close().await;
        engine.close().await;
        while servers.join_next().await.is_some() {}
    };
    if tokio::time::timeout(SHUTDOWN_MAX, stop).await.is_err() {
        tracing::warn!("not everything closed in time");
    }
    tracing::info!("stopped");
    Ok(())
}

async fn bind(ips: &[IpAddr], port: u16) -> Result<Vec<TcpListener>, ServeError> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for ip in ips {
        // Where any free port will do, all addresses get the same one.
        let port = listeners.first().and_then(|first| first.local_addr().ok()).map_or(port, |first| first.port());
        let address = SocketAddr::new(*ip, port);
        let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Bind { address, source })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn engine_options(config: &Config) -> Result<EngineOptions, ServeError> {
    let wildcard = config.listen_ips.iter().any(IpAddr::is_unspecified);
    let interfaces = if wildcard { interface_addresses().map_err(ServeError::Interfaces)? } else { Vec::new() };
    Ok(EngineOptions {
        workers: config.workers,
        listen: listen_addresses(&config.listen_ips, &config.announced_ips, &interfaces),
        port_min: config.rtc_min_port,
        port_max: config.rtc_max_port,
        port_mode: config.rtc_ports,
        span_from_percent: config.span_from_percent,
        media_codecs: match &config.media_codecs {
            CodecSource::List(codecs) => codecs.clone(),
            CodecSource::File(path) => read_codec_file(path)?,
        },
    })
}

fn stats_source(engine: Engine, signaling: Signaling) -> StatsSource {
    Arc::new(move || {
        let (engine, signaling) = (engine.clone(), signaling.clone());
        Box::pin(async move {
            let media = engine.stats().await.total();
            let people = signaling.stats();
            Stats {
                rooms: people.rooms,
                peers: people.peers,
                workers: engine.worker_count(),
                sockets: people.sockets,
                transports: media.transports,
                producers: media.producers,
                consumers: media.consumers,
                calls: people.calls,
                strangers_dropped: media.strangers_dropped,
                packets_refused: media.packets_refused,
            }
        })
    })
}

fn serve_all(listeners: Vec<TcpListener>, app: &Router, stopping: &watch::Sender<bool>) -> JoinSet<()> {
    let mut servers = JoinSet::new();
    for listener in listeners {
        let (app, mut stopping) = (app.clone(), stopping.subscribe());
        servers.spawn(async move {
            let stopped = async move {
                stopping.wait_for(|stopping| *stopping).await.ok();
            };
            if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stopped).await {
                tracing::error!(%error, "HTTP stopped");
            }
        });
    }
    servers
}

/// Where a browser on this machine finds the client: localhost where that leads here, for it is a secure context.
fn address_to_open(addresses: &[SocketAddr], port: u16) -> String {
    let port = addresses.first().map_or(port, SocketAddr::port);
    let local = |address: &SocketAddr| address.ip().is_loopback() || address.ip().is_unspecified();
    match addresses.first() {
        Some(first) if !addresses.iter().any(local) => format!("http://{first}"),
        _ => format!("http://localhost:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_to_open_leads_to_the_server() {
        for (listening, expected) in [
            (&["127.0.0.1:4000"][..], "http://localhost:4000"),
            (&["0.0.0.0:80"], "http://localhost:80"),
            (&["192.0.2.7:4000"], "http://192.0.2.7:4000"),
            (&["[2001:db8::7]:4000"], "http://[2001:db8::7]:4000"),
            (&["192.0.2.7:4000", "[::1]:4000"], "http://localhost:4000"),
        ] {
            let addresses: Vec<_> = listening.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(address_to_open(&addresses, 4000), expected);
        }
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind(&[address.ip()], address.port()).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {address} (PORT")), "{error}");
    }
}
