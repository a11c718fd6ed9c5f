//! A client of every vocabulary: Socket.IO 5 over Engine.IO 4 over one WebSocket, written from the protocols.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// What any one wait may take. Far more than it needs, so that only what never comes fails.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    next_ack: u32,
    /// What it was told, in that order.
    pub(crate) events: Vec<(String, Value)>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address, None, &Value::Null).await.expect("the namespace is joined")
    }

    /// Connects with what it has to say for itself: a header, and `auth`. The error is the server's.
    pub(crate) async fn try_connect(
        address: SocketAddr,
        authorization: Option<&str>,
        auth: &Value,
    ) -> Result<Self, Value> {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let mut request = url.into_client_request().expect("it is a request");
        if let Some(authorization) = authorization {
            request.headers_mut().insert("authorization", authorization.parse().expect("it is a header's value"));
        }
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("the server takes a WebSocket");
        let mut client = Self { socket, next_ack: 0, events: Vec::new() };
        assert!(client.packet().await.starts_with('0'), "Engine.IO opens");
        client.send(if auth.is_null() { "40".to_owned() } else { format!("40{auth}") }).await;
        let answer = client.packet().await;
        match answer.strip_prefix("44") {
            Some(refused) => Err(serde_json::from_str(refused).expect("a refusal is JSON")),
            None => {
                assert!(answer.starts_with("40"), "{answer}");
                Ok(client)
            }
        }
    }

    /// Waits until the server has sent it away: a disconnect packet, upon which clients do not come back by themselves.
    pub(crate) async fn sent_away(&mut self) {
        loop {
            let packet = self.packet().await;
            if packet == "41" {
                return;
            }
            self.note(&packet);
        }
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

    /// Says something without asking for an answer.
    pub(crate) async fn tell(&mut self, event: &str, payload: Value) {
        self.send(format!("42{}", json!([event, payload]))).await;
    }

    /// The payload of the next event of that name; each is heard once.
    pub(crate) async fn heard(&mut self, event: &str) -> Value {
        loop {
            if let Some(at) = self.events.iter().position(|(name, _)| name == event) {
                return self.events.remove(at).1;
            }
            let packet = self.packet().await;
            self.note(&packet);
        }
    }

    /// Waits for an event with this field, unless it was told already.
    pub(crate) async fn told(&mut self, event: &str, field: &str, value: &Value) -> Value {
        loop {
            let known = self.events.iter().find(|(name, payload)| name == event && payload[field] == *value);
            if let Some((_, payload)) = known {
                return payload.clone();
            }
            let packet = self.packet().await;
            self.note(&packet);
        }
    }

    fn note(&mut self, packet: &str) {
        let Some(body) = packet.strip_prefix("42") else { panic!("unexpected packet {packet}") };
        let mut event: Value = serde_json::from_str(body).expect("an event is JSON");
        let name = event[0].as_str().expect("an event has a name").to_owned();
        self.events.push((name, event[1].take()));
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
            let packet = match message.expect("the server stays connected").expect("a sound message") {
                Message::Text(text) => text.as_str().to_owned(),
                Message::Ping(_) | Message::Pong(_) => continue,
                other => panic!("unexpected message {other:?}"),
            };
            if packet != "2" {
                return packet;
            }
            self.send("3".to_owned()).await;
        }
    }
}
