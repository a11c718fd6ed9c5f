//! TCP connections that break the rules.

use std::time::{Duration, Instant};

use sfu_core::engine::{Engine, RouterOptions, WebRtcTransport, WebRtcTransportOptions};
use sfu_core::parameters::IceProtocol;
use sfu_core::transport::framing::MAX_FRAME_LEN;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stun;
use crate::support::{LOOPBACK_V4, options, start, within};

/// When a connection that has validated nothing is closed.
const VALIDATION_TIMEOUT: Duration = Duration::from_secs(10);

async fn engine_and_transport() -> (Engine, WebRtcTransport) {
    let engine = start(options(LOOPBACK_V4));
    let (router, _events) = engine.create_router(RouterOptions::default()).await.expect("a router");
    let options = WebRtcTransportOptions { enable_udp: false, enable_tcp: true, ..WebRtcTransportOptions::default() };
    let transport = router.create_webrtc_transport(options).await.expect("a transport");
    (engine, transport)
}

async fn connect(transport: &WebRtcTransport) -> TcpStream {
    let candidate = &transport.ice_candidates()[0];
    assert_eq!(candidate.protocol, IceProtocol::Tcp);
    within("the worker accepts", TcpStream::connect((candidate.address.as_str(), candidate.port)))
        .await
        .expect("a connection")
}

/// Whether the connection ends before anything comes.
async fn is_closed(connection: &mut TcpStream) -> bool {
    let mut byte = [0];
    !matches!(within("the connection says something", connection.read(&mut byte)).await, Ok(1))
}

async fn is_answered(connection: &mut TcpStream, transport: &WebRtcTransport) -> bool {
    let check = stun::check(transport);
    let frame = [&(check.len() as u16).to_be_bytes()[..], &check].concat();
    if connection.write_all(&frame).await.is_err() {
        return false;
    }
    let mut header = [0; 2];
    if within("an answer or the end", connection.read_exact(&mut header)).await.is_err() {
        return false;
    }
    let mut answer = vec![0; usize::from(u16::from_be_bytes(header))];
    within("the rest of it", connection.read_exact(&mut answer)).await.is_ok() && answer.starts_with(&[1, 1])
}

#[tokio::test]
async fn a_connection_that_validates_nothing_is_closed_and_one_that_does_is_kept() {
    let (engine, transport) = engine_and_transport().await;
    let opened = Instant::now();
    let mut silent = connect(&transport).await;
    let mut noisy = connect(&transport).await;
    noisy.write_all(&[0, 4, 0x80, 1, 2, 3]).await.expect("a frame that is no STUN");
    let mut valid = connect(&transport).await;
    assert!(is_answered(&mut valid, &transport).await);

    assert!(is_closed(&mut silent).await);
    assert!(is_closed(&mut noisy).await);
    assert!(opened.elapsed() >= VALIDATION_TIMEOUT - Duration::from_millis(100), "a slow peer has its time");
    assert!(is_answered(&mut valid, &transport).await, "who proved itself stays");
    engine.close().await;
}

#[tokio::test]
async fn an_oversized_frame_closes_its_connection_and_no_other() {
    let (engine, transport) = engine_and_transport().await;
    let mut good = connect(&transport).await;
    assert!(is_answered(&mut good, &transport).await);
    let mut bad = connect(&transport).await;
    assert!(is_answered(&mut bad, &transport).await);

    bad.write_all(&(MAX_FRAME_LEN as u16 + 1).to_be_bytes()).await.expect("a header");
    assert!(is_closed(&mut bad).await);
    assert!(is_answered(&mut good, &transport).await);
    // The transport itself can be reached anew.
    assert!(is_answered(&mut connect(&transport).await, &transport).await);
    engine.close().await;
}

#[tokio::test]
async fn a_check_that_comes_byte_by_byte_is_answered() {
    let (engine, transport) = engine_and_transport().await;
    let mut connection = connect(&transport).await;
    connection.set_nodelay(true).expect("a socket option");
    let check = stun::check(&transport);
    for byte in [&(check.len() as u16).to_be_bytes()[..], &check].concat() {
        connection.write_all(&[byte]).await.expect("a byte");
        tokio::task::yield_now().await;
    }
    let mut answer = [0; 4];
    within("an answer", connection.read_exact(&mut answer)).await.expect("an answer");
    assert_eq!(answer[2..], [1, 1]);
    engine.close().await;
}
