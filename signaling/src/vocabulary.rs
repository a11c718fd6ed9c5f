//! Which vocabulary a socket speaks.

use serde_json::Value;

/// A client's dialect: the names of its events and the shape of its acks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    /// `createRoom`, `createTransport`, …; acks are envelopes.
    Call,
    /// `getRouterRtpCapabilities`, `createWebRtcTransport`, …; acks are flat.
    Room,
}

impl Vocabulary {
    /// What this event tells about its sender; `None` if both vocabularies have it. A socket keeps what its first telling
    /// event told. The event's name counts before the payload, and `callId` before `roomId`.
    pub(crate) fn told_by(event: &str, payload: &Value) -> Option<Self> {
        match event {
            "createRoom" | "createTransport" | "connectTransport" => return Some(Self::Call),
            "getRouterRtpCapabilities"
            | "createWebRtcTransport"
            | "connectWebRtcTransport"
            | "startScreenShare"
            | "stopScreenShare"
            | "producerClosed"
            | "sendMessage"
            | "userOnline"
            | "getOnlineUsers"
            | "typing" => return Some(Self::Room),
            _ => {}
        }
        let app_data = payload.get("appData").unwrap_or(&Value::Null);
        if payload.get("callId").is_some() {
            Some(Self::Call)
        } else if payload.get("roomId").is_some() || app_data.get("roomId").is_some() {
            Some(Self::Room)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_telling_event_decides() {
        let (call, room) = (Some(Vocabulary::Call), Some(Vocabulary::Room));
        for (event, payload, expected) in [
            ("createRoom", json!({"callId": "c"}), call),
            ("createRoom", json!(null), call),
            ("createTransport", json!({"direction": "send"}), call),
            ("connectTransport", json!({"transportId": "t"}), call),
            ("joinRoom", json!({"callId": "c", "userId": "u"}), call),
            // Even a value that will be refused: the refusal must come in a shape that the client reads.
            ("joinRoom", json!({"callId": 5}), call),
            ("joinRoom", json!({"callId": "c", "roomId": "r"}), call),
            ("joinRoom", json!({"roomId": "r"}), room),
            ("getRouterRtpCapabilities", json!({"roomId": "r"}), room),
            ("createWebRtcTransport", json!({"callId": "c", "direction": "send"}), room),
            ("connectWebRtcTransport", json!({}), room),
            ("startScreenShare", json!({}), room),
            ("sendMessage", json!({}), room),
            ("userOnline", json!("u"), room),
            ("getOnlineUsers", json!(null), room),
            ("typing", json!({"receiverId": "u"}), room),
            ("produce", json!({"appData": {"roomId": "r"}}), room),
            ("getProducers", json!({"callId": "c"}), call),
            ("getProducers", json!({"roomId": "r"}), room),
            ("produce", json!({"transportId": "t", "appData": {}}), None),
            ("consume", json!({"producerId": "p"}), None),
            ("leaveRoom", json!(null), None),
            ("leaveRoom", json!("text"), None),
            ("resumeConsumer", json!({"consumerId": "c"}), None),
        ] {
            assert_eq!(Vocabulary::told_by(event, &payload), expected, "{event} {payload}");
        }
    }
}
