//! Start, run, stop.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use sfu_core::engine::{Engine, EngineError};
use signaling::{Signaling, SignalingOptions};
use socketioxide::SocketIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::http::tls::Certificate;
use crate::http::{self, Stats, StatsSource};
use crate::limits::{SHUTDOWN_MAX, SOCKET_BUFFER_MESSAGES_MAX, SOCKET_PAYLOAD_BYTES_MAX};
use crate::prepare::Prepared;
use crate::signals::{Rereading, StopSignals};
use crate::tokens::{self, TokensError};

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("cannot listen on {address} (PORT, HTTP_LISTEN_IP): {source}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("the media engine does not start (LISTEN_IP, RTC_MIN_PORT, RTC_MAX_PORT): {0}")]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Tokens(#[from] TokensError),
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
}

/// Serves until SIGINT or SIGTERM.
pub(crate) async fn run(config: Config, prepared: Prepared, rereading: Rereading) -> Result<(), ServeError> {
    let Prepared { engine, certificate, .. } = prepared;
    let mut stop_signals = StopSignals::new().map_err(ServeError::Signals)?;
    let listeners = bind(&config.http_ips, config.port).await?;
    let engine = Engine::start(engine)?;
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
    let watched = signaling.clone();
    let is_draining = Arc::new(move || watched.is_draining());
    let app = http::app(stats_source(engine.clone(), signaling.clone()), is_draining, api, layer, &config.frontend);

    let stopping = watch::Sender::new(false);
    let addresses: Vec<_> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let mut servers = serve_all(listeners, &app, certificate.as_ref(), &stopping);
    let watched = signaling.clone();
    tokio::spawn(crate::memory::watch(move || watched.stats().sockets));
    if let Some(certificate) = &certificate {
        tokio::spawn(certificate.clone().watch());
    }
    let to_open = address_to_open(&addresses, config.port, certificate.is_some());
    let (workers, drain_timeout) = (config.workers, config.drain_timeout);
    tokio::spawn(async move {
        if let Err(error) = rereading.obey(config, certificate).await {
            tracing::error!(%error, "cannot wait for SIGHUP");
        }
    });
    tracing::info!(?addresses, workers, "listening");
    // Nobody reading standard output is no reason to stop.
    writeln!(io::stdout(), "Sluice is ready: open {to_open}").ok();

    stop_signals.next().await;
    drain(&signaling, drain_timeout, &mut stop_signals).await;
    tracing::info!("stopping");
    let stop = async {
        signaling.shutdown().await;
        stopping.send_replace(true);
        socket_io.close().await;
        engine.close().await;
        while servers.join_next().await.is_some() {}
    };
    tokio::select! {
        stopped = tokio::time::timeout(SHUTDOWN_MAX, stop) => if stopped.is_err() {
            tracing::warn!("not everything closed in time");
        },
        () = stop_signals.next() => tracing::warn!("not everything is closed, and another signal came"),
    }
    tracing::info!("stopped");
    Ok(())
}

/// Waits for those who are in rooms, so long at most, or until another signal comes.
async fn drain(signaling: &Signaling, timeout: Duration, stop_signals: &mut StopSignals) {
    let rooms = signaling.stats().rooms;
    if rooms == 0 || timeout.is_zero() {
        return;
    }
    tracing::info!(rooms, timeout_ms = timeout.as_millis() as u64, "draining: another signal stops at once");
    tokio::select! {
        () = signaling.drain(timeout) => {}
        () = stop_signals.next() => tracing::info!("another signal came"),
    }
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

fn serve_all(
    listeners: Vec<TcpListener>,
    app: &Router,
    certificate: Option<&Arc<Certificate>>,
    stopping: &watch::Sender<bool>,
) -> JoinSet<()> {
    let mut servers = JoinSet::new();
    for listener in listeners {
        let (app, certificate, mut stopping) = (app.clone(), certificate.cloned(), stopping.subscribe());
        servers.spawn(async move {
            let result = match certificate {
                Some(certificate) => {
                    http::tls::serve(listener, certificate, app, stopping).await.map_err(io::Error::other)
                }
                None => {
                    let stopped = async move {
                        stopping.wait_for(|stopping| *stopping).await.ok();
                    };
                    axum::serve(listener, app).with_graceful_shutdown(stopped).await
                }
            };
            if let Err(error) = result {
                tracing::error!(%error, "HTTP stopped");
            }
        });
    }
    servers
}

/// Where a browser on this machine finds the client: localhost where that leads here, for it is a secure context.
fn address_to_open(addresses: &[SocketAddr], port: u16, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    let port = addresses.first().map_or(port, SocketAddr::port);
    let local = |address: &SocketAddr| address.ip().is_loopback() || address.ip().is_unspecified();
    match addresses.first() {
        Some(first) if !addresses.iter().any(local) => format!("{scheme}://{first}"),
        _ => format!("{scheme}://localhost:{port}"),
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
            assert_eq!(address_to_open(&addresses, 4000, false), expected);
        }
        let address = "192.0.2.7:443".parse().unwrap();
        assert_eq!(address_to_open(&[address], 443, true), "https://192.0.2.7:443");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind(&[address.ip()], address.port()).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {address} (PORT")), "{error}");
    }
}
