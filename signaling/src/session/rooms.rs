//! Entering, joining and leaving rooms, and what is said in them.

use std::collections::HashMap;
use std::time::SystemTime;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Membership, Session};
use crate::error::SignalError;
use crate::mailbox::Post;
use crate::registry;
use crate::room::Identity;
use crate::vocabulary::Vocabulary;
use crate::wire::reply::Reply;
use crate::wire::request::{JoinRoom, SendMessage};
use crate::wire::{decode, named_room};

impl Session {
    /// `createRoom`: get or create, and go there.
    pub(super) async fn create_room(&mut self, room: Option<String>) -> Result<Reply, SignalError> {
        let name = room.ok_or(SignalError::RoomNotNamed { field: self.room_field() })?;
        let membership = self.go_to(&name).await?;
        Ok(Reply::capabilities(membership.router.rtp_capabilities()))
    }

    /// `joinRoom`: go there and be announced.
    pub(super) async fn join_room(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let (user_id, user_name) = decode::<JoinRoom>(payload)?.identity()?;
        let name = room.ok_or(SignalError::RoomNotNamed { field: self.room_field() })?;
        let identity = self.identity(user_id, user_name);
        let peer = self.peer.clone();
        let membership = self.go_to(&name).await?;
        membership.joined = true;
        let (others, producers) = membership.room.change(|state| {
            let deliveries = state.join(identity);
            ((state.others(&peer), state.producers_for(&peer)), deliveries)
        });
        tracing::info!(room = name, "joined");
        Ok(Reply::Joined { others, producers })
    }

    /// Who this socket is in a room. What the token says counts for more than what the payload says.
    fn identity(&self, user_id: Option<String>, user_name: Option<String>) -> Identity {
        let named = self.access.user.as_ref();
        let user_id = named.map(|user| user.id.clone()).or(user_id).or_else(|| self.user_id.clone());
        let user_name = named.and_then(|user| user.name.clone()).or(user_name);
        Identity {
            is_hidden: self.access.grants.hidden,
            ..Identity::new(self.peer.clone(), user_id.as_deref(), user_name.as_deref())
        }
    }

    /// `leaveRoom`. The payload may be missing, or be the callback itself.
    pub(super) async fn leave_room(&mut self, payload: &Value) -> Result<Reply, SignalError> {
        if let Some(name) = named_room(payload)?
            && self.membership.as_ref().is_some_and(|membership| membership.room.name() != name)
        {
            return Err(SignalError::OtherRoom(name));
        }
        self.leave().await;
        Ok(Reply::Done)
    }

    /// `getRouterRtpCapabilities`.
    pub(super) async fn router_capabilities(&mut self, room: Option<String>) -> Result<Reply, SignalError> {
        let membership = self.enter(room).await?;
        Ok(Reply::capabilities(membership.router.rtp_capabilities()))
    }

    /// `getProducers`.
    pub(super) async fn producers(&mut self, room: Option<String>) -> Result<Reply, SignalError> {
        let peer = self.peer.clone();
        let membership = self.enter(room).await?;
        Ok(Reply::Producers(membership.room.read(|state| state.producers_for(&peer))))
    }

    /// `sendMessage`.
    pub(super) fn send_message(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let mut message = decode::<SendMessage>(payload)?.checked()?;
        if !self.grants.allows_data() {
            return Err(SignalError::NotGranted("sendMessage"));
        }
        if self.access.user.as_ref().is_some_and(|user| user.name.is_some()) {
            message.sender_name = None;
        }
        let peer = self.peer.clone();
        let membership = self.membership_in(room)?;
        if !membership.joined {
            return Err(SignalError::NotJoined("sendMessage"));
        }
        let timestamp = rfc3339(OffsetDateTime::now_utc());
        membership.room.change(|state| {
            let recipient = message.recipient_id.as_deref();
            match state.message(&peer, message.sender_name, message.text, recipient, timestamp) {
                Some(deliveries) => (Ok(Reply::Done), deliveries),
                None => (Err(SignalError::RecipientNotFound), Vec::new()),
            }
        })
    }

    /// The membership that an event is about, which may name its room.
    pub(super) fn membership_in(&mut self, room: Option<String>) -> Result<&mut Membership, SignalError> {
        let field = self.room_field();
        match (&mut self.membership, room) {
            (Some(membership), Some(name)) if membership.room.name() != name => Err(SignalError::OtherRoom(name)),
            (Some(membership), _) => Ok(membership),
            (None, _) => Err(SignalError::NoRoom { field }),
        }
    }

    /// The same for events that may come before any other: the room is entered. A socket that has joined a room stays
    /// in it; one that has not goes where it is called.
    pub(super) async fn enter(&mut self, room: Option<String>) -> Result<&mut Membership, SignalError> {
        let joined = self.membership.as_ref().is_some_and(|membership| membership.joined);
        match room {
            Some(name) if !joined => self.go_to(&name).await,
            room => self.membership_in(room),
        }
    }

    /// Leaves the room that the socket is in, with everything of the socket's.
    pub(super) async fn leave(&mut self) {
        let Some(membership) = self.membership.take() else {
            return;
        };
        // The others are told first: the media closes on its way.
        let router = self.shared.registry.leave(&membership.room, &self.peer);
        // What this room had to say is of no interest any more.
        while let Some(post) = self.inbox.try_post() {
            match post {
                Post::Notice(notice) if !notice.is_of_room() => self.tell(&notice),
                Post::Notice(_) | Post::TransportClosed(_) | Post::Order(_) => {}
            }
        }
        for transport in membership.transports.into_values() {
            transport.handle.close().await;
        }
        if let Some(router) = router {
            router.close().await;
        }
        self.grants = self.access.grants.clone();
        tracing::info!(room = membership.room.name(), "left");
    }

    /// Enters that room, unannounced, and leaves the one before. Stays where it is if that fails.
    async fn go_to(&mut self, name: &str) -> Result<&mut Membership, SignalError> {
        if self.membership.as_ref().is_none_or(|membership| membership.room.name() != name) {
            // Before anything is looked up: whether a room exists is nobody's business who may not enter it.
            if !self.access.grants.room.allows(name) {
                return Err(SignalError::RoomNotGranted { field: self.room_field() });
            }
            if self.access.is_expired(SystemTime::now()) {
                return Err(SignalError::TokenExpired);
            }
            if self.came_late {
                return Err(SignalError::Draining);
            }
            let registry = &self.shared.registry;
            let room = registry.enter(name, &self.peer, &self.mailbox, self.access.grants.room_admin)?;
            let router = match registry::router(&self.shared, &room).await {
                Ok(router) => router,
                Err(error) => {
                    registry.leave(&room, &self.peer);
                    return Err(error);
                }
            };
            self.leave().await;
            if let Some(user_id) = &self.user_id {
                room.change(|state| (state.identify(&self.peer, user_id), Vec::new()));
            }
            self.grants = self.grants_in(&room);
            self.membership = Some(Membership {
                room,
                router,
                joined: false,
                transports: HashMap::new(),
                transports_made: 0,
                producers: HashMap::new(),
                consumers: HashMap::new(),
            });
        }
        self.membership_in(None)
    }

    /// What this socket calls a room.
    fn room_field(&self) -> &'static str {
        match self.vocabulary {
            Some(Vocabulary::Call) => "callId",
            Some(Vocabulary::Room | Vocabulary::PeerToPeer) | None => "roomId",
        }
    }
}

/// To the millisecond, as JavaScript has it.
pub(super) fn rfc3339(time: OffsetDateTime) -> String {
    let time = time.replace_millisecond(time.millisecond()).unwrap_or(time);
    // Formatting fails for years beyond 9999 only.
    time.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_has_milliseconds() {
        for (nanos, expected) in [
            (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123Z"),
            (1_700_000_000_000_000_001, "2023-11-14T22:13:20Z"),
        ] {
            assert_eq!(rfc3339(OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap()), expected);
        }
    }
}
