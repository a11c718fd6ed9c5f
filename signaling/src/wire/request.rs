//! The payloads of events. What they share (`roomId`, `callId`) is read by [`super::named_room`]; fields that the server
//! has no use for are left out, unless a wrong type in them must be told.

mod calls;

use std::num::NonZeroU8;

use serde::Deserialize;
use serde_json::{Map, Value};
use sfu_core::engine::{StreamTraceType, TransportTraceType};
use sfu_core::ids::{ConsumerId, ProducerId, TransportId};
use sfu_core::parameters::{ConsumerLayers, DtlsParameters, MediaKind, RtpCapabilities, RtpParameters};

pub(crate) use calls::{CallEvent, RegisterUser, Target, candidate, description};

use super::{optional_text, text};
use crate::error::SignalError;
use crate::identity::{GrantChange, Source};
use crate::limits::{APP_DATA_BYTES_MAX, MESSAGE_BYTES_MAX, USER_ID_BYTES_MAX, USER_NAME_BYTES_MAX};

/// `joinRoom`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JoinRoom {
    user_id: Option<String>,
    user_name: Option<String>,
    /// Checked and not kept: `consume` brings its own.
    #[serde(rename = "rtpCapabilities")]
    _rtp_capabilities: Option<RtpCapabilities>,
}

impl JoinRoom {
    /// The user's id and name, where given.
    pub(crate) fn identity(self) -> Result<(Option<String>, Option<String>), SignalError> {
        Ok((
            optional_text("userId", self.user_id, USER_ID_BYTES_MAX)?,
            optional_text("userName", self.user_name, USER_NAME_BYTES_MAX)?,
        ))
    }
}

/// `userOnline`, whose payload is the id itself.
pub(crate) fn user_id(payload: &Value) -> Result<String, SignalError> {
    match payload {
        Value::String(id) => text("userId", id, USER_ID_BYTES_MAX),
        _ => Err(SignalError::BadPayload("userId: expected a string".to_owned())),
    }
}

/// `createTransport` and `createWebRtcTransport`.
#[derive(Debug, Deserialize)]
pub(crate) struct CreateTransport {
    direction: Option<Direction>,
    producing: Option<bool>,
    consuming: Option<bool>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Send,
    Recv,
}

/// What a transport is for, and how that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TransportUse {
    /// The client sends on it: it can produce.
    pub(crate) sends: bool,
    /// The client receives on it: it can consume.
    pub(crate) receives: bool,
    /// Which kind of client made it; decides the connect ack and whether its consumers start paused.
    pub(crate) made_with: MadeWith,
}

impl TransportUse {
    /// The same for the engine.
    pub(crate) fn for_engine(self) -> sfu_core::engine::TransportUse {
        match (self.sends, self.receives) {
            (true, false) => sfu_core::engine::TransportUse::Produce,
            (false, true) => sfu_core::engine::TransportUse::Consume,
            _ => sfu_core::engine::TransportUse::Both,
        }
    }
}

/// The two kinds of clients differ in how they say what a transport is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MadeWith {
    /// `direction`: these resume their consumers themselves, and take any truthy connect ack for an error.
    Direction,
    /// `producing` and `consuming`: these never resume a consumer, and read a field of the connect ack.
    Flags,
}

impl CreateTransport {
    /// What the transport is for. `direction` counts where both are given.
    pub(crate) fn transport_use(&self) -> Result<TransportUse, SignalError> {
        let made_with = MadeWith::Direction;
        match (self.direction, self.producing, self.consuming) {
            (Some(Direction::Send), ..) => Ok(TransportUse { sends: true, receives: false, made_with }),
            (Some(Direction::Recv), ..) => Ok(TransportUse { sends: false, receives: true, made_with }),
            (None, None, None) => Err(SignalError::BadPayload("missing field `direction`".to_owned())),
            (None, producing, consuming) => {
                let (sends, receives) = (producing.unwrap_or(false), consuming.unwrap_or(false));
                if !sends && !receives {
                    return Err(SignalError::BadPayload("producing, consuming: one of them must be true".to_owned()));
                }
                Ok(TransportUse { sends, receives, made_with: MadeWith::Flags })
            }
        }
    }
}

/// `connectTransport` and `connectWebRtcTransport`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectTransport {
    pub(crate) transport_id: TransportId,
    pub(crate) dtls_parameters: DtlsParameters,
}

/// `produce` and `startScreenShare`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Produce {
    pub(crate) transport_id: TransportId,
    pub(crate) kind: MediaKind,
    pub(crate) rtp_parameters: RtpParameters,
    app_data: Option<Map<String, Value>>,
}

impl Produce {
    /// Takes out `appData`, opaque but for its size. `screen`: it gets `type: "screen"` if it has no type.
    pub(crate) fn take_app_data(&mut self, screen: bool) -> Result<AppData, SignalError> {
        let mut app_data = self.app_data.take().unwrap_or_default();
        if screen {
            app_data.entry("type").or_insert_with(|| Value::from("screen"));
        }
        checked_app_data(app_data).map(AppData)
    }
}

/// What a client says of a producer.
#[derive(Debug)]
pub(crate) struct AppData(pub(crate) Value);

impl AppData {
    /// Whether the producer shows a screen.
    pub(crate) fn is_screen(&self) -> bool {
        self.0["type"] == "screen"
    }

    /// Which of its owner's sources a producer of that kind is.
    pub(crate) fn source(&self, kind: MediaKind) -> Source {
        let of_screen = ["screen", "screen-audio"];
        Source::of(kind, self.0["type"].as_str().is_some_and(|what| of_screen.contains(&what)))
    }
}

fn checked_app_data(app_data: Map<String, Value>) -> Result<Value, SignalError> {
    let app_data = Value::Object(app_data);
    if app_data.to_string().len() > APP_DATA_BYTES_MAX {
        return Err(SignalError::TooLong { field: "appData", limit: APP_DATA_BYTES_MAX });
    }
    Ok(app_data)
}

/// `consume`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Consume {
    pub(crate) producer_id: ProducerId,
    pub(crate) rtp_capabilities: RtpCapabilities,
    /// Left out: the socket's receive transport.
    pub(crate) transport_id: Option<TransportId>,
    /// Left out: all there are.
    pub(crate) preferred_layers: Option<ConsumerLayers>,
    app_data: Option<Map<String, Value>>,
}

impl Consume {
    /// Checks `appData`, which is the client's own: the answer has the producer's.
    pub(crate) fn checked(mut self) -> Result<Self, SignalError> {
        checked_app_data(self.app_data.take().unwrap_or_default())?;
        Ok(self)
    }
}

/// Events about one transport.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfTransport {
    pub(crate) transport_id: TransportId,
}

/// Events about one producer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfProducer {
    pub(crate) producer_id: ProducerId,
    /// Checked and not used: the producer knows its kind.
    #[serde(rename = "kind")]
    _kind: Option<MediaKind>,
}

/// Events about one consumer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfConsumer {
    pub(crate) consumer_id: ConsumerId,
}

/// `setPreferredLayers`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetPreferredLayers {
    pub(crate) consumer_id: ConsumerId,
    spatial_layer: u8,
    temporal_layer: Option<u8>,
}

impl SetPreferredLayers {
    /// The layers. Higher ones than there are mean the highest.
    pub(crate) fn layers(&self) -> ConsumerLayers {
        ConsumerLayers { spatial_layer: self.spatial_layer, temporal_layer: self.temporal_layer }
    }
}

/// `setPriority`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetPriority {
    pub(crate) consumer_id: ConsumerId,
    pub(crate) priority: NonZeroU8,
}

/// `setMaxIncomingBitrate` and `setMaxOutgoingBitrate`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetMaxBitrate {
    pub(crate) transport_id: TransportId,
    bitrate: u64,
}

impl SetMaxBitrate {
    /// The limit to hold, in bits per second, below the server's own if it has one; `None`: none. The client's 0 lifts
    /// its own.
    pub(crate) fn limit_bps(&self, own: Option<u64>) -> Option<u64> {
        let asked = (self.bitrate > 0).then_some(self.bitrate);
        asked.into_iter().chain(own).min()
    }
}

/// `getStats`, which is about one object of any kind; and a part of `enableTraceEvent`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfObject {
    transport_id: Option<TransportId>,
    producer_id: Option<ProducerId>,
    consumer_id: Option<ConsumerId>,
}

/// One object of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    Transport(TransportId),
    Producer(ProducerId),
    Consumer(ConsumerId),
}

impl OfObject {
    /// The one object that is named.
    pub(crate) fn object(&self) -> Result<Object, SignalError> {
        match (self.transport_id, self.producer_id, self.consumer_id) {
            (Some(id), None, None) => Ok(Object::Transport(id)),
            (None, Some(id), None) => Ok(Object::Producer(id)),
            (None, None, Some(id)) => Ok(Object::Consumer(id)),
            _ => Err(SignalError::BadPayload("transportId, producerId, consumerId: expected one of them".to_owned())),
        }
    }
}

/// `enableTraceEvent`: which types of the transport that the payload names.
#[derive(Debug, Deserialize)]
pub(crate) struct TransportTraces {
    pub(crate) types: Vec<TransportTraceType>,
}

/// `enableTraceEvent`: which types of the producer or consumer that the payload names.
#[derive(Debug, Deserialize)]
pub(crate) struct StreamTraces {
    pub(crate) types: Vec<StreamTraceType>,
}

/// `sendMessage`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendMessage {
    message: String,
    sender_name: Option<String>,
    recipient_id: Option<String>,
}

/// A chat message whose lengths are right.
#[derive(Debug)]
pub(crate) struct ChatMessage {
    pub(crate) text: String,
    /// What the sender calls themself in this message.
    pub(crate) sender_name: Option<String>,
    /// A user id or a socket id; `None`: everybody in the room.
    pub(crate) recipient_id: Option<String>,
}

impl SendMessage {
    /// Checks the lengths.
    pub(crate) fn checked(self) -> Result<ChatMessage, SignalError> {
        Ok(ChatMessage {
            text: text("message", &self.message, MESSAGE_BYTES_MAX)?,
            sender_name: optional_text("senderName", self.sender_name, USER_NAME_BYTES_MAX)?,
            // Empty is refused, not taken for everybody: a private message must not become a public one by a slip.
            recipient_id: self.recipient_id.map(|id| text("recipientId", &id, USER_ID_BYTES_MAX)).transpose()?,
        })
    }
}

/// Moderation of somebody in the room.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfParticipant {
    user_id: Option<String>,
    socket_id: Option<String>,
    peer_id: Option<String>,
}

impl OfParticipant {
    /// Who is meant: one id, a user's or a socket's.
    pub(crate) fn named(self) -> Result<String, SignalError> {
        match (self.user_id, self.socket_id.or(self.peer_id)) {
            (Some(id), None) => text("userId", &id, USER_ID_BYTES_MAX),
            (None, Some(id)) => text("socketId", &id, USER_ID_BYTES_MAX),
            _ => Err(SignalError::BadPayload("userId, socketId: expected one of them".to_owned())),
        }
    }
}

/// `updateGrants`.
#[derive(Debug, Deserialize)]
pub(crate) struct UpdateGrants {
    #[serde(flatten)]
    pub(crate) participant: OfParticipant,
    pub(crate) grants: GrantChange,
}

/// `lockRoom`.
#[derive(Debug, Deserialize)]
pub(crate) struct LockRoom {
    pub(crate) locked: bool,
}

/// `typing`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Typing {
    receiver_id: String,
    is_typing: bool,
}

impl Typing {
    /// The receiver's user id, and whether the sender is at it.
    pub(crate) fn checked(self) -> Result<(String, bool), SignalError> {
        Ok((text("receiverId", &self.receiver_id, USER_ID_BYTES_MAX)?, self.is_typing))
    }
}
