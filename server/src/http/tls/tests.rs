use std::path::PathBuf;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::routing::get;
use hyper::client::conn::{http1, http2};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use time::OffsetDateTime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::config::TlsFiles;

/// A folder with a certificate in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sluice-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> TlsFiles {
        TlsFiles { cert: self.0.join("cert.pem"), key: self.0.join("key.pem") }
    }

    /// Replaces the pair; the answer is what a client must trust.
    fn renew(&self) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(self.files().cert, cert.pem()).unwrap();
        std::fs::write(self.files().key, signing_key.serialize_pem()).unwrap();
        cert.der().clone()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

async fn connect(port: u16, trusted: &CertificateDer<'static>, alpn: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// A server that says which version of HTTP it was asked by.
async fn start(certificate: Arc<Certificate>) -> (u16, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let app = Router::new().route("/", get(async |request: Request<Body>| format!("{:?}", request.version())));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stopping, stopped) = watch::channel(false);
    let server = tokio::spawn(async move { serve(listener, certificate, app, stopped).await.unwrap() });
    (port, stopping, server)
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_and_requests_are_answered_to_the_end() {
    let folder = Folder::new("versions");
    let trusted = folder.renew();
    let (port, stopping, server) = start(Arc::new(Certificate::load(&folder.files()).unwrap())).await;

    let stream = connect(port, &trusted, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("https://localhost/").body(Body::empty()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(to_bytes(Body::new(answer.into_body()), 100).await.unwrap(), "HTTP/2.0");

    for alpn in [&["http/1.1"][..], &[]] {
        let stream = connect(port, &trusted, alpn).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("/").header("host", "localhost").body(Body::empty()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(to_bytes(Body::new(answer.into_body()), 100).await.unwrap(), "HTTP/1.1");
    }

    // Idle connections are told to go, and do not hold up the end.
    stopping.send_replace(true);
    server.await.unwrap();
    connection.await.unwrap().unwrap();
}

/// Harm prevented: clients that connect and say nothing keep others out, or a plain request harms the server.
#[tokio::test]
async fn who_does_not_speak_tls_is_nobody_elses_problem() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let folder = Folder::new("plain");
    let trusted = folder.renew();
    let (port, _stopping, _server) = start(Arc::new(Certificate::load(&folder.files()).unwrap())).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    let mut plain = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).await.ok();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    connect(port, &trusted, &[]).await.unwrap();
}

/// Harm prevented: a renewed certificate waits for a restart, and the old one runs out; or half of a pair takes the server down.
#[tokio::test]
async fn a_replaced_pair_is_used_and_a_broken_one_is_not() {
    let folder = Folder::new("reload");
    let files = folder.files();
    let first = folder.renew();
    let certificate = Arc::new(Certificate::load(&files).unwrap());
    let (port, _stopping, _server) = start(certificate.clone()).await;
    assert!(!certificate.reload().unwrap());
    connect(port, &first, &[]).await.unwrap();

    let second = folder.renew();
    assert!(certificate.reload().unwrap());
    connect(port, &second, &[]).await.unwrap();
    connect(port, &first, &[]).await.unwrap_err();

    let key = std::fs::read(&files.key).unwrap();
    folder.renew();
    let other_key = std::fs::read(&files.key).unwrap();
    std::fs::write(&files.key, &key).unwrap();
    // The new certificate and the old key; then no key; then none that can be read: each is told once.
    let other = |error: CertificateError| error.to_string();
    assert!(other(certificate.reload().unwrap_err()).contains("TLS_KEY"));
    assert!(!certificate.reload().unwrap());
    std::fs::write(&files.key, "no key").unwrap();
    assert!(other(certificate.reload().unwrap_err()).contains("expected a private key in PEM"));
    std::fs::remove_file(&files.key).unwrap();
    assert!(other(certificate.reload().unwrap_err()).contains("cannot be read"));
    assert!(!certificate.reload().unwrap());
    connect(port, &second, &[]).await.unwrap();

    std::fs::write(&files.key, other_key).unwrap();
    assert!(certificate.reload().unwrap());
    connect(port, &second, &[]).await.unwrap_err();
}

#[test]
fn a_bad_pair_is_named_by_its_setting() {
    let folder = Folder::new("bad");
    let files = folder.files();
    let error = || Certificate::load(&files).unwrap_err().to_string();
    assert!(error().starts_with("TLS_CERT is `") && error().contains("cannot be read"), "{}", error());
    folder.renew();
    std::fs::write(&files.cert, "").unwrap();
    assert!(error().contains("expected certificates in PEM: there is none in it"), "{}", error());
    std::fs::write(&files.cert, vec![b'x'; 2 << 20]).unwrap();
    assert!(error().contains("more than 1048576 bytes"), "{}", error());
}

#[test]
fn dates_tell_an_old_certificate_from_a_wrong_clock() {
    let folder = Folder::new("dates");
    let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2030, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2031, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(folder.files().cert, parameters.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(folder.files().key, key.serialize_pem()).unwrap();
    let certificate = Certificate::load(&folder.files()).unwrap();
    let at = |year: i64| OffsetDateTime::from_unix_timestamp((year - 1970) * 31_557_600 + 86_400 * 30).unwrap();
    assert!(certificate.problem_at(at(2029)).unwrap().contains("is this machine's clock wrong?"));
    assert_eq!(certificate.problem_at(at(2030)), None);
    assert!(certificate.problem_at(at(2031)).unwrap().contains("browsers refuse it"));
}
