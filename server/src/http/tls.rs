//! HTTPS: HTTP/1.1 and HTTP/2 on rustls, with a certificate that may be replaced while the server runs.

mod certificate;

use std::sync::Arc;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::crypto::ring;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

pub(crate) use certificate::{Certificate, CertificateError};

use crate::limits::{HTTP_HEAD_WAIT_MAX, TLS_HANDSHAKE_WAIT_MAX, TLS_HANDSHAKES_MAX};

/// Serves until told to stop, then until every request under way is answered.
pub(crate) async fn serve(
    mut listener: TcpListener,
    certificate: Arc<Certificate>,
    app: Router,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), rustls::Error> {
    let acceptor = acceptor(certificate)?;
    let connections = GracefulShutdown::new();
    let handshakes = Arc::new(Semaphore::new(TLS_HANDSHAKES_MAX));
    loop {
        let next = async {
            // An error: the semaphore was closed, which nobody does.
            let permit = handshakes.clone().acquire_owned().await.ok();
            // That of axum: it goes on after errors, and waits where there are no files left.
            let (stream, _) = axum::serve::Listener::accept(&mut listener).await;
            (stream, permit)
        };
        let (stream, permit) = tokio::select! {
            next = next => next,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        tokio::spawn(serve_connection(stream, permit, acceptor.clone(), app.clone(), connections.watcher()));
    }
    drop(listener);
    connections.shutdown().await;
    Ok(())
}

fn acceptor(certificate: Arc<Certificate>) -> Result<TlsAcceptor, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve_connection(
    stream: TcpStream,
    handshake: Option<OwnedSemaphorePermit>,
    acceptor: TlsAcceptor,
    app: Router,
    watcher: Watcher,
) {
    let stream = match tokio::time::timeout(TLS_HANDSHAKE_WAIT_MAX, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => return tracing::debug!("TLS handshake took too long"),
    };
    drop(handshake);
    // WebSockets over HTTP/2 (RFC 8441) are not offered: browsers open them by HTTP/1.1 then, which Socket.IO's server knows.
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HTTP_HEAD_WAIT_MAX);
    builder.http2().timer(TokioTimer::new());
    let service = TowerToHyperService::new(app);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error, "connection ended");
    }
}

#[cfg(test)]
mod tests;
