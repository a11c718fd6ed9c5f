//! HTTPS with the whole server behind it: what Socket.IO's clients do over it.

use std::sync::Arc;

use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::Client;
use crate::process::{Folder, Server};

async fn connect(port: u16, trusted: &CertificateDer<'static>, alpn: &str) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

/// Harm prevented: over HTTP/2 a page of our own is taken for a foreign one, as no header says where it went; or WebSockets are lost.
#[tokio::test]
async fn pages_poll_by_http_2_and_open_websockets() {
    let folder = Folder::new("https");
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cert_file = folder.write("cert.pem", &cert.pem());
    let key_file = folder.write("key.pem", &signing_key.serialize_pem());
    let server = Server::start(&[], &[("TLS_CERT", &cert_file), ("TLS_KEY", &key_file)]);
    let port = server.port;

    let stream = connect(port, cert.der(), "h2").await;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let own = format!("https://localhost:{port}");
    for (origin, expected) in [(own.as_str(), 200), ("https://evil.example", 403)] {
        let url = format!("{own}/socket.io/?EIO=4&transport=polling");
        let request = Request::get(url).header("origin", origin).body(String::new()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), expected, "{origin}");
    }

    let stream = connect(port, cert.der(), "http/1.1").await;
    let mut client = Client::over(stream, &format!("ws://localhost:{port}")).await;
    assert!(client.ask("joinRoom", json!({"roomId": "r"})).await["participants"].is_array());
}
