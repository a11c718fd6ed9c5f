//! What the peer-to-peer vocabulary tells. Only sockets that registered hear of it, whatever else they speak.

use serde_json::{Value, json};

/// An announcement about a call, or an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallNotice {
    /// This socket is that user's now; or is not, and why.
    Registered { user_id: Option<String>, socket_id: String, error: Option<String> },
    /// Whether a user can be called.
    Availability { is_available: bool },
    /// Somebody calls.
    Incoming { caller_id: String, caller_name: String, offer: Value },
    /// The callee accepted.
    Accepted { answer: Value },
    /// The callee did not want to.
    Rejected,
    /// It need not ring any more: the caller gave up, or another socket answered.
    Cancelled,
    /// The other side is out of the call.
    Ended,
    /// A candidate of the other side's.
    Candidate { candidate: Value, user_id: String },
    /// Nobody accepted in time.
    Unanswered,
    /// An event was not carried out.
    Error { message: String },
}

impl CallNotice {
    /// The event's name and its payload.
    pub(super) fn encode(&self) -> (&'static str, Value) {
        match self {
            Self::Registered { user_id, socket_id, error } => {
                let mut payload = json!({"userId": user_id, "socketId": socket_id, "success": error.is_none()});
                if let Some(error) = error {
                    payload["error"] = json!(error);
                }
                ("user-registered", payload)
            }
            Self::Availability { is_available } => ("user-availability-response", json!({"isAvailable": is_available})),
            // One kind of client reads `callerId`, the other `from`.
            Self::Incoming { caller_id, caller_name, offer } => (
                "incoming-call",
                json!({"callerId": caller_id, "callerName": caller_name, "offer": offer, "from": caller_id}),
            ),
            Self::Accepted { answer } => ("call-accepted", json!({"answer": answer})),
            Self::Rejected => ("call-rejected", json!({})),
            Self::Cancelled => ("call-cancelled", json!({})),
            Self::Ended => ("call-ended", json!({})),
            Self::Candidate { candidate, user_id } => {
                ("ice-candidate", json!({"candidate": candidate, "userId": user_id}))
            }
            Self::Unanswered => ("call-error", json!({"message": "the call was not answered"})),
            Self::Error { message } => ("call-error", json!({"message": message})),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Notice;
    use super::*;
    use crate::vocabulary::Vocabulary;

    #[test]
    fn every_notice_of_a_call_has_the_event_that_its_clients_listen_to() {
        let text = |text: &str| text.to_owned();
        for (notice, event, payload) in [
            (
                CallNotice::Registered { user_id: Some(text("ann")), socket_id: text("s"), error: None },
                "user-registered",
                json!({"userId": "ann", "socketId": "s", "success": true}),
            ),
            (
                CallNotice::Registered { user_id: None, socket_id: text("s"), error: Some(text("why")) },
                "user-registered",
                json!({"userId": null, "socketId": "s", "success": false, "error": "why"}),
            ),
            (
                CallNotice::Availability { is_available: true },
                "user-availability-response",
                json!({"isAvailable": true}),
            ),
            (
                CallNotice::Incoming { caller_id: text("ann"), caller_name: text("Ann"), offer: json!("o") },
                "incoming-call",
                json!({"callerId": "ann", "callerName": "Ann", "offer": "o", "from": "ann"}),
            ),
            (CallNotice::Accepted { answer: json!({"sdp": ""}) }, "call-accepted", json!({"answer": {"sdp": ""}})),
            (CallNotice::Rejected, "call-rejected", json!({})),
            (CallNotice::Cancelled, "call-cancelled", json!({})),
            (CallNotice::Ended, "call-ended", json!({})),
            (
                CallNotice::Candidate { candidate: json!(null), user_id: text("ann") },
                "ice-candidate",
                json!({"candidate": null, "userId": "ann"}),
            ),
            (CallNotice::Unanswered, "call-error", json!({"message": "the call was not answered"})),
            (CallNotice::Error { message: text("why") }, "call-error", json!({"message": "why"})),
        ] {
            let notice = Notice::Call(notice);
            // A socket may speak another vocabulary besides: these events have no other names there.
            for vocabulary in [Vocabulary::PeerToPeer, Vocabulary::Room, Vocabulary::Call] {
                assert_eq!(notice.encode(vocabulary), (event, payload.clone()));
            }
            assert!(!notice.is_of_room(), "whoever leaves a room still wants to know");
        }
    }
}
