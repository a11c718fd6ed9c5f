//! The events of the call vocabulary, with the answers that a load needs.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::parameters::{ConsumerParameters, TransportParameters};
use super::socket_io::{SignalError, SocketIo};

/// A peer's connection to its room.
#[derive(Debug, Clone)]
pub struct Call {
    socket: SocketIo,
    room: String,
}

/// What a transport is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Send,
    /// From the server.
    Receive,
}

/// Media that somebody else sends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteProducer {
    /// For `consume`.
    pub producer_id: String,
    /// `audio` or `video`.
    pub kind: String,
}

impl Call {
    /// Speaks over `socket`, in the room with this name.
    pub fn new(socket: SocketIo, room: &str) -> Self {
        Self { socket, room: room.to_owned() }
    }

    /// `createRoom`: makes the room unless it is there; answers its RTP capabilities.
    ///
    /// # Errors
    /// [`SignalError`], as for all events.
    pub async fn create_room(&self) -> Result<Value, SignalError> {
        self.ask_for("createRoom", json!({ "callId": self.room }), "rtpCapabilities").await
    }

    /// `joinRoom`.
    ///
    /// # Errors
    /// [`SignalError`].
    pub async fn join(&self, user_id: &str, rtp_capabilities: &Value) -> Result<(), SignalError> {
        let payload = json!({ "callId": self.room, "userId": user_id, "rtpCapabilities": rtp_capabilities });
        self.ask("joinRoom", payload).await.map(drop)
    }

    /// `createTransport`.
    ///
    /// # Errors
    /// [`SignalError`].
    pub async fn create_transport(&self, direction: Direction) -> Result<TransportParameters, SignalError> {
        let direction = if direction == Direction::Send { "send" } else { "recv" };
        self.ask_for("createTransport", json!({ "direction": direction }), "transport").await
    }

    /// `connectTransport`, with the fingerprint of a DTLS client.
    ///
    /// # Errors
    /// [`SignalError`].
    pub async fn connect_transport(&self, transport_id: &str, fingerprint: &str) -> Result<(), SignalError> {
        let fingerprints = json!([{ "algorithm": "sha-256", "value": fingerprint }]);
        let dtls_parameters = json!({ "role": "client", "fingerprints": fingerprints });
        let payload = json!({ "transportId": transport_id, "dtlsParameters": dtls_parameters });
        self.ask("connectTransport", payload).await.map(drop)
    }

    /// `produce`; answers the producer's id.
    ///
    /// # Errors
    /// [`SignalError`].
    pub async fn produce(&self, transport_id: &str, kind: &str, rtp_parameters: Value) -> Result<String, SignalError> {
        let payload =
            json!({ "transportId": transport_id, "kind": kind, "rtpParameters": rtp_parameters, "appData": {} });
        self.ask_for("produce", payload, "id").await
    }

    /// `getProducers`: those of the others.
    ///
    /// # Errors
    /// [`SignalError`].
    pub async fn producers(&self) -> Result<Vec<RemoteProducer>, SignalError> {
        self.ask_for("getProducers", json!({ "callId": self.room }), "producers").await
    }

    /// `consume`: the consumer is paused until [`Self::resume`]. `spatial_layer`: the size that is wanted, if not the best.
    ///
    /// # Errors
    /// [`SignalError`].
    pub async fn consume(
        &self,
        transport_id: &str,
        producer_id: &str,
        rtp_capabilities: &Value,
        spatial_layer: Option<u8>,
    ) -> Result<ConsumerParameters, SignalError> {
        let mut payload = json!({
            "transportId": transport_id, "producerId": producer_id, "rtpCapabilities": rtp_capabilities,
        });
        if let Some(spatial_layer) = spatial_layer {
            payload["preferredLayers"] = json!({ "spatialLayer": spatial_layer });
        }
        self.ask_for("consume", payload, "consumer").await
    }

    /// `resumeConsumer`.
    ///
    /// # Errors
    /// [`SignalError`].
    pub async fn resume(&self, consumer_id: &str) -> Result<(), SignalError> {
        self.ask("resumeConsumer", json!({ "consumerId": consumer_id })).await.map(drop)
    }

    /// `leaveRoom`.
    ///
    /// # Errors
    /// [`SignalError`].
    pub async fn leave(&self) -> Result<(), SignalError> {
        self.ask("leaveRoom", json!({ "callId": self.room })).await.map(drop)
    }

    /// One field of the answer's data.
    async fn ask_for<T: DeserializeOwned>(&self, event: &str, payload: Value, field: &str) -> Result<T, SignalError> {
        let mut data = self.ask(event, payload).await?;
        let value = data.get_mut(field).map(Value::take).unwrap_or_default();
        serde_json::from_value(value)
            .map_err(|error| SignalError::Answer { event: event.to_owned(), problem: format!("{field}: {error}") })
    }

    /// The answer's data.
    async fn ask(&self, event: &str, payload: Value) -> Result<Value, SignalError> {
        let answer = self.socket.ask(event, payload).await?;
        data(event, answer)
    }
}

/// Opens the envelope.
fn data(event: &str, mut answer: Value) -> Result<Value, SignalError> {
    let event = event.to_owned();
    match answer.get("success").and_then(Value::as_bool) {
        Some(true) => Ok(answer.get_mut("data").map(Value::take).unwrap_or_default()),
        Some(false) => {
            let reason = answer.get("error").map_or_else(
                || "it gave no reason".to_owned(),
                |error| error.as_str().map_or_else(|| error.to_string(), str::to_owned),
            );
            Err(SignalError::Refused { event, reason })
        }
        None => Err(SignalError::Answer { event, problem: "it is not {success, data} or {success, error}".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_opened_and_a_refusal_names_what_was_asked() {
        assert_eq!(data("produce", json!({ "success": true, "data": { "id": 1 } })).unwrap(), json!({ "id": 1 }));
        assert_eq!(data("leaveRoom", json!({ "success": true })).unwrap(), Value::Null);
        let refused = data("consume", json!({ "success": false, "error": "no such producer" })).unwrap_err();
        assert_eq!(refused.to_string(), "the server refused consume: no such producer");
        let odd = data("joinRoom", json!({ "peers": [] })).unwrap_err();
        assert!(matches!(odd, SignalError::Answer { .. }), "{odd}");
    }
}
