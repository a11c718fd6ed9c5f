//! A client of the room vocabulary: Socket.IO 5 over Engine.IO 4 over one WebSocket, written from the protocols.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// What any one wait may take. Far more than it needs, so that only what never comes fails.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Client<S = TcpStream> {
    socket: WebSocketStream<S>,
    next_ack: u32,
    /// What it was told, in that order.
    events: Vec<(String, Value)>,
}

impl Client {
    pub(crate) async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
        Self::over(stream, &format!("ws://localhost:{port}")).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn over(stream: S, server: &str) -> Self {
        let url = format!("{server}/socket.io/?EIO=4&transport=websocket");
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.expect("the server takes a WebSocket");
        let mut client = Self { socket, next_ack: 0, events: Vec::new() };
        assert!(client.packet().await.starts_with('0'), "Engine.IO opens");
        client.send("40".to_owned()).await;
        assert!(client.packet().await.starts_with("40"), "the namespace is joined");
        client
    }

    /// The answer to an event, whatever it says.
    pub(crate) async fn ask(&mut self, event: &str, payload: Value) -> Value {
        let id = self.next_ack;
        self.next_ack += 1;
        self.send(format!("42{id}{}", json!([event, payload]))).await;
        let prefix = format!("43{id}[");
        loop {
            let packet = self.packet().await;
            if packet.starts_with(&prefix) {
                let mut arguments: Value = serde_json::from_str(&packet[prefix.len() - 1..]).expect("an ack is JSON");
                return arguments[0].take();
            }
            self.note(&packet);
        }
    }

    /// Waits for an event, unless it was told already.
    pub(crate) async fn told(&mut self, event: &str) -> Value {
        loop {
            if let Some((_, payload)) = self.events.iter().find(|(name, _)| name == event) {
                return payload.clone();
            }
            let packet = self.packet().await;
            self.note(&packet);
        }
    }

    fn note(&mut self, packet: &str) {
        let body = packet.strip_prefix("42").unwrap_or_else(|| panic!("unexpected packet {packet}"));
        let mut event: Value = serde_json::from_str(body).expect("an event is JSON");
        self.events.push((event[0].as_str().expect("an event has a name").to_owned(), event[1].take()));
    }

    async fn send(&mut self, packet: String) {
        self.socket.send(Message::text(packet)).await.expect("the server takes what is sent");
    }

    /// The next packet that is no heartbeat.
    async fn packet(&mut self) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let message = timeout_at(deadline, self.socket.next()).await;
            let message = message.unwrap_or_else(|_| panic!("nothing within {DEADLINE:?}; told: {:#?}", self.events));
            match message.expect("the server stays connected").expect("a sound message") {
                Message::Text(text) if text.as_str() == "2" => self.send("3".to_owned()).await,
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("unexpected message {other:?}"),
            }
        }
    }
}
