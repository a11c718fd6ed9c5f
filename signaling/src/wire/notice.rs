//! What a socket is told without having asked, in its own vocabulary.

mod calls;
use std::time::Duration;

use serde_json::{Value, json};
use sfu_core::ids::{ConsumerId, ProducerId};
use sfu_core::parameters::ConsumerLayers;
use sfu_core::stats::{ConsumerScore, ProducerScore, TraceEvent, TraceTarget};

pub(crate) use calls::CallNotice;

use crate::identity::Grants;
use crate::presence::{Status, UserStatus};
use crate::room::{Identity, PauseReason, ProducerInfo};
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
    /// Nothing flows to one of this socket's consumers, or does not for another reason than before.
    ConsumerPaused(ConsumerId, PauseReason),
    /// Nothing keeps one of this socket's consumers from flowing any more.
    ConsumerResumed(ConsumerId),
    /// Other layers flow to one of this socket's consumers; `None`: none.
    LayersChanged(ConsumerId, Option<ConsumerLayers>),
    /// One of this socket's consumers arrives better or worse.
    ConsumerScore(ConsumerId, ConsumerScore),
    /// One of this socket's producers arrives better or worse.
    ProducerScore(ProducerId, Vec<ProducerScore>),
    /// Of one of this socket's producers, these spatial layers are used by anybody.
    ProducerLayersWanted(ProducerId, Vec<u8>),
    /// Somebody else speaks: the owner of this audio producer.
    ActiveSpeaker(ProducerInfo),
    /// How loud those are who are heard, loudest first.
    AudioLevels(Vec<Loudness>),
    /// Something happened to an object of this socket's that it asked to see.
    Trace(TraceTarget, Box<TraceEvent>),
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
    /// The server is about to stop: so long it waits at most for who is in a room.
    ServerDraining(Duration),
    /// A call of two people whose media does not come here.
    Call(CallNotice),
    /// An administrator has muted one of this socket's producers.
    ProducerMuted(ProducerId),
    /// An administrator has changed what this socket's user may do.
    GrantsChanged(Grants),
    /// An administrator keeps newcomers out of the room, or lets them in again.
    RoomLocked { is_locked: bool },
    /// An administrator has sent this socket away; it is disconnected next.
    Removed {
        /// The room's name.
        room_id: String,
    },
    /// The room's worker died, or an administrator closed it; the socket is disconnected next.
    RoomClosed {
        /// The room's name.
        room_id: String,
        /// Whether that is the end of it, rather than a mishap after which everybody begins afresh.
        by_admin: bool,
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

/// How loud somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loudness {
    pub(crate) producer: ProducerId,
    pub(crate) user_id: String,
    /// -127 to 0.
    pub(crate) volume_dbov: i8,
}

impl Notice {
    /// Whether this is news of the room that the socket is in, and none when it has left.
    pub(crate) fn is_of_room(&self) -> bool {
        !matches!(
            self,
            Self::OnlineUsers(_) | Self::UserStatus(_) | Self::Typing { .. } | Self::Call(_) | Self::ServerDraining(_)
        )
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
            Self::ConsumerPaused(id, reason) => ("consumerPaused", json!({"consumerId": id, "reason": reason})),
            Self::ConsumerResumed(id) => ("consumerResumed", json!({"consumerId": id})),
            Self::LayersChanged(id, layers) => (
                "layersChanged",
                json!({
                    "consumerId": id,
                    "spatialLayer": layers.map(|layers| layers.spatial_layer),
                    "temporalLayer": layers.and_then(|layers| layers.temporal_layer),
                }),
            ),
            Self::ConsumerScore(id, score) => ("score", json!({"consumerId": id, "score": score})),
            Self::ProducerScore(id, scores) => ("score", json!({"producerId": id, "score": scores})),
            Self::ProducerLayersWanted(id, layers) => {
                ("producerLayersWanted", json!({"producerId": id, "spatialLayers": layers}))
            }
            // The same for everybody: no vocabulary had these before.
            Self::ActiveSpeaker(ProducerInfo { id, owner, .. }) => {
                ("activeSpeaker", json!({"producerId": id, "userId": owner.user_id, "peerId": owner.peer.as_str()}))
            }
            Self::AudioLevels(levels) => {
                let level = |Loudness { producer, user_id, volume_dbov }: &Loudness| json!({"producerId": producer, "userId": user_id, "volume": volume_dbov});
                ("audioLevels", levels.iter().map(level).collect())
            }
            Self::Trace(target, event) => {
                let mut payload = json!(event);
                match target {
                    TraceTarget::Transport(id) => payload["transportId"] = json!(id),
                    TraceTarget::Producer(id) => payload["producerId"] = json!(id),
                    TraceTarget::Consumer(id) => payload["consumerId"] = json!(id),
                }
                ("trace", payload)
            }
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
            Self::ServerDraining(wait) => ("serverDraining", json!({"timeoutMs": wait.as_millis() as u64})),
            Self::Call(notice) => notice.encode(),
            Self::ProducerMuted(id) => ("producerMuted", json!({"producerId": id})),
            Self::GrantsChanged(grants) => ("grantsChanged", json!(grants)),
            Self::RoomLocked { is_locked } => ("roomLocked", json!({"locked": is_locked})),
            Self::Removed { room_id } => ("removed", json!({"roomId": room_id})),
            Self::RoomClosed { room_id, by_admin } => {
                ("roomClosed", json!({"roomId": room_id, "reason": if *by_admin { "closed" } else { "lost" }}))
            }
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
