//! What a socket is told without having asked, in its own vocabulary.

use serde_json::{Value, json};
use sfu_core::ids::ConsumerId;

use crate::presence::{Status, UserStatus};
use crate::room::{Identity, ProducerInfo};
use crate::vocabulary::Vocabulary;

/// An announcement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Notice {
    /// Somebody joined, or joined again under another name.
    PeerJoined(Identity),
    /// Somebody who had joined left.
    PeerLeft(Identity),
    /// Somebody sends something new.
    NewProducer(ProducerInfo),
    /// Somebody stopped sending.
    ProducerClosed(ProducerInfo),
    /// Somebody muted.
    ProducerPaused(ProducerInfo),
    /// Somebody unmuted.
    ProducerResumed(ProducerInfo),
    /// A consumer of this socket's closed, with its producer or its transport.
    ConsumerClosed(ConsumerId),
    /// The producer of one of this socket's consumers paused.
    ConsumerPaused(ConsumerId),
    /// The producer of one of this socket's consumers resumed.
    ConsumerResumed(ConsumerId),
    /// A chat message.
    Message(Message),
    /// Everybody who is online.
    OnlineUsers(Vec<UserStatus>),
    /// Somebody came online, or went.
    UserStatus(UserStatus),
    /// Somebody types to this user, or no longer.
    Typing {
        /// Their user id.
        sender_id: String,
        is_typing: bool,
    },
    /// The room's worker died; the socket is disconnected next.
    RoomClosed {
        /// The room's name.
        room_id: String,
    },
}

/// A chat message as it is delivered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message {
    pub(crate) sender_id: String,
    pub(crate) sender_name: String,
    pub(crate) text: String,
    /// RFC 3339, UTC.
    pub(crate) timestamp: String,
    pub(crate) private: bool,
}

impl Notice {
    /// Whether this is news of the room that the socket is in, and none when it has left.
    pub(crate) fn is_of_room(&self) -> bool {
        !matches!(self, Self::OnlineUsers(_) | Self::UserStatus(_) | Self::Typing { .. })
    }

    /// The event's name and its payload.
    pub(crate) fn encode(&self, vocabulary: Vocabulary) -> (&'static str, Value) {
        let call = vocabulary == Vocabulary::Call;
        match self {
            Self::PeerJoined(who) if call => {
                ("peerJoined", json!({"peerId": who.peer.as_str(), "userId": who.user_id}))
            }
            Self::PeerJoined(who) => ("userJoined", participant(who)),
            Self::PeerLeft(who) if call => ("peerLeft", json!({"peerId": who.peer.as_str(), "userId": who.user_id})),
            Self::PeerLeft(who) => ("userLeft", json!({"userId": who.user_id, "socketId": who.peer.as_str()})),
            Self::NewProducer(producer) => {
                let mut payload = listed(producer, vocabulary);
                if !call {
                    payload["socketId"] = json!(producer.owner.peer.as_str());
                }
                ("newProducer", payload)
            }
            Self::ProducerClosed(producer) => {
                let owner = if call { "peerId" } else { "socketId" };
                let mut payload = json!({"producerId": producer.id, "userId": producer.owner.user_id});
                payload[owner] = json!(producer.owner.peer.as_str());
                ("producerClosed", payload)
            }
            Self::ProducerPaused(producer) => ("producerPaused", pause_payload(producer, vocabulary)),
            Self::ProducerResumed(producer) => ("producerResumed", pause_payload(producer, vocabulary)),
            Self::ConsumerClosed(id) => ("consumerClosed", json!({"consumerId": id})),
            Self::ConsumerPaused(id) => ("consumerPaused", json!({"consumerId": id})),
            Self::ConsumerResumed(id) => ("consumerResumed", json!({"consumerId": id})),
            Self::Message(message) => (
                "messageReceived",
                json!({
                    "senderId": message.sender_id,
                    "senderName": message.sender_name,
                    "message": message.text,
                    "timestamp": message.timestamp,
                    "isPrivate": message.private,
                }),
            ),
            Self::OnlineUsers(users) => ("onlineUsersList", users.iter().map(user_status).collect()),
            Self::UserStatus(user) => ("userStatusChanged", user_status(user)),
            Self::Typing { sender_id, is_typing } => {
                ("userTyping", json!({"senderId": sender_id, "isTyping": is_typing}))
            }
            Self::RoomClosed { room_id } => ("roomClosed", json!({"roomId": room_id})),
        }
    }
}

/// A participant as the room vocabulary has it.
pub(super) fn participant(who: &Identity) -> Value {
    json!({"userId": who.user_id, "userName": who.user_name, "socketId": who.peer.as_str()})
}

/// A producer as each vocabulary lists it.
pub(super) fn listed(producer: &ProducerInfo, vocabulary: Vocabulary) -> Value {
    let mut entry = json!({
        "producerId": producer.id,
        "userId": producer.owner.user_id,
        "kind": producer.kind,
        "appData": *producer.app_data,
    });
    if vocabulary == Vocabulary::Call {
        entry["peerId"] = json!(producer.owner.peer.as_str());
    }
    entry
}

fn pause_payload(producer: &ProducerInfo, vocabulary: Vocabulary) -> Value {
    let mut payload = json!({"producerId": producer.id, "userId": producer.owner.user_id, "kind": producer.kind});
    if vocabulary == Vocabulary::Call {
        payload["peerId"] = json!(producer.owner.peer.as_str());
    }
    payload
}

fn user_status(user: &UserStatus) -> Value {
    let status = match user.status {
        Status::Online => "online",
        Status::Offline => "offline",
    };
    json!({"userId": user.user_id, "status": status, "lastSeen": user.last_seen})
}
