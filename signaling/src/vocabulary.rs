//! Which vocabulary a socket speaks.

use serde_json::Value;

use crate::wire::request::CallEvent;

/// A client's dialect: the names of its events and the shape of its acks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    /// `createRoom`, `createTransport`, …; acks are envelopes.
    Call,
    /// `getRouterRtpCapabilities`, `createWebRtcTransport`, …; acks are flat.
    Room,
    /// `register-user`, `initiate-call`, …; no acks are used. In rooms it is told what the room vocabulary is told.
    PeerToPeer,
}

impl Vocabulary {
    /// What this event tells about its sender; `None` if several vocabularies have it. A socket keeps what its first telling
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
            "register-user" => return Some(Self::PeerToPeer),
            _ if CallEvent::named(event).is_some() => return Some(Self::PeerToPeer),
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
        let peer_to_peer = Some(Vocabulary::PeerToPeer);
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
            ("register-user", json!({"userId": "u"}), peer_to_peer),
            ("check-user-availability", json!({"targetUserId": "u"}), peer_to_peer),
            ("initiate-call", json!({"to": "u", "callId": "c"}), peer_to_peer),
            ("call-accepted", json!({"to": "u", "roomId": "r"}), peer_to_peer),
            ("call-rejected", json!(null), peer_to_peer),
            ("cancel-call", json!([]), peer_to_peer),
            ("call-ended", json!("text"), peer_to_peer),
            ("ice-candidate", json!({}), peer_to_peer),
            ("call-error", json!({}), None),
        ] {
            assert_eq!(Vocabulary::told_by(event, &payload), expected, "{event} {payload}");
        }
    }
}
