//! Somebody in a room, whatever they speak.

use std::net::SocketAddr;

use serde_json::{Value, json};
use simulation::vectors;

use crate::client::Client;

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Vocabulary {
    Call,
    RoomByDirection,
    RoomByProducing,
}

/// Somebody in a room.
pub(crate) struct Member {
    pub(crate) vocabulary: Vocabulary,
    room: String,
    pub(crate) client: Client,
}

impl Member {
    pub(crate) async fn join(address: SocketAddr, room: &str, name: &str, vocabulary: Vocabulary) -> Self {
        let mut client = Client::connect(address).await;
        match vocabulary {
            Vocabulary::Call => {
                client.ask("createRoom", json!({"callId": room})).await;
                client.ask("joinRoom", json!({"callId": room, "userId": name})).await;
            }
            Vocabulary::RoomByDirection | Vocabulary::RoomByProducing => {
                client.ask("joinRoom", json!({"roomId": room, "userId": name, "userName": name})).await;
            }
        }
        Self { vocabulary, room: room.to_owned(), client }
    }

    /// A transport to send or to receive on; the answer is its id.
    pub(crate) async fn transport(&mut self, sends: bool) -> Value {
        let room = self.room.clone();
        let direction = if sends { "send" } else { "recv" };
        let answer = match self.vocabulary {
            Vocabulary::Call => {
                let mut answer = self.client.ask("createTransport", json!({"direction": direction})).await;
                answer["data"]["transport"].take()
            }
            Vocabulary::RoomByDirection => {
                self.client.ask("createWebRtcTransport", json!({"roomId": room, "direction": direction})).await
            }
            Vocabulary::RoomByProducing => {
                let wish = json!({"roomId": room, "producing": sends, "consuming": !sends});
                self.client.ask("createWebRtcTransport", wish).await
            }
        };
        id(&answer)
    }

    /// Publishes video on a transport of its own; the answer is the producer's id.
    pub(crate) async fn publish(&mut self, event: &str, app_data: Option<Value>) -> Value {
        let transport = self.transport(true).await;
        let (kind, parameters) = vectors::producer("vp8");
        let mut payload = json!({"transportId": transport, "kind": kind, "rtpParameters": parameters});
        if let Some(app_data) = app_data {
            payload["appData"] = app_data;
        }
        let mut answer = self.client.ask(event, payload).await;
        if self.vocabulary == Vocabulary::Call {
            answer = answer["data"].take();
        }
        id(&answer)
    }

    /// Receives a producer; the answer is the consumer's id.
    pub(crate) async fn consume(&mut self, transport: &Value, producer: &Value) -> Value {
        let capabilities = vectors::chromium();
        let wish = json!({"transportId": transport, "producerId": producer, "rtpCapabilities": capabilities});
        let mut answer = self.client.ask("consume", wish).await;
        if self.vocabulary == Vocabulary::Call {
            answer = answer["data"]["consumer"].take();
        }
        let consumer = id(&answer);
        self.client.ask("resumeConsumer", json!({"consumerId": consumer})).await;
        consumer
    }
}

/// The id in an answer.
pub(crate) fn id(answer: &Value) -> Value {
    assert!(answer["id"].is_string(), "{answer}");
    answer["id"].clone()
}
