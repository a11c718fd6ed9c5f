//! The end: draining, a second signal, nobody there.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::process::Server;

/// Longer than any test waits: what ends sooner was not ended by it.
const NEVER: (&str, &str) = ("DRAIN_TIMEOUT_MS", "3600000");

/// The first line of the answer to `GET /health`.
async fn health(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap().to_owned()
}

fn is_refused(answer: &Value) -> bool {
    *answer == json!({"error": "the server is about to stop and takes nobody new; try again in a moment"})
}

/// Harm prevented: an update of the server cuts every conversation off in the middle, or never comes about for new ones begin.
#[tokio::test]
async fn who_is_in_a_room_is_waited_for_and_nobody_new_comes() {
    let mut server = Server::start(&[], &[NEVER]);
    let mut ann = Client::connect(server.port).await;
    ann.ask("joinRoom", json!({"roomId": "r", "userId": "ann"})).await;
    let mut ben = Client::connect(server.port).await;
    assert!(health(server.port).await.contains("200"));
    server.signal(Signal::SIGTERM);
    // Everybody is told, in a room or not.
    for client in [&mut ann, &mut ben] {
        let told = client.told("serverDraining").await;
        assert!(told["timeoutMs"].as_u64().is_some_and(|left| left <= 3_600_000), "{told}");
    }
    assert!(health(server.port).await.contains("503"));
    let mut cem = Client::connect(server.port).await;
    cem.told("serverDraining").await;
    // A room that is there is open to who was there, a new one to nobody; who comes now comes too late.
    assert!(ben.ask("joinRoom", json!({"roomId": "r", "userId": "ben"})).await["participants"].is_array());
    assert!(is_refused(&ben.ask("joinRoom", json!({"roomId": "s"})).await));
    assert!(is_refused(&cem.ask("joinRoom", json!({"roomId": "r"})).await));
    assert!(is_refused(&cem.ask("getRouterRtpCapabilities", json!({"roomId": "s"})).await));
    let mut dora = Client::connect(server.port).await;
    let answer = dora.ask("createRoom", json!({"callId": "s"})).await;
    assert_eq!(answer["success"], json!(false), "{answer}");

    ann.ask("leaveRoom", json!({"roomId": "r"})).await;
    ben.ask("leaveRoom", json!({"roomId": "r"})).await;
    assert!(server.ended().success());
}

#[tokio::test]
async fn a_second_signal_waits_for_nobody() {
    for second in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = Server::start(&[], &[NEVER]);
        let mut ann = Client::connect(server.port).await;
        ann.ask("joinRoom", json!({"roomId": "r"})).await;
        server.signal(Signal::SIGINT);
        ann.told("serverDraining").await;
        server.signal(second);
        assert!(server.ended().success());
    }
}

#[tokio::test]
async fn the_wait_has_an_end() {
    let mut server = Server::start(&[], &[("DRAIN_TIMEOUT_MS", "1")]);
    let mut ann = Client::connect(server.port).await;
    ann.ask("joinRoom", json!({"roomId": "r"})).await;
    server.signal(Signal::SIGTERM);
    assert!(server.ended().success());
}

/// Harm prevented: who develops waits for nobody after each Ctrl-C.
#[tokio::test]
async fn with_nobody_in_a_room_the_end_comes_at_once() {
    let mut server = Server::start(&[], &[NEVER]);
    let _idle = Client::connect(server.port).await;
    server.signal(Signal::SIGINT);
    assert!(server.ended().success());
}
