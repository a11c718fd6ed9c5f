//! What administrators of a room do to others in it, and what becomes of that in the others' sessions.

use serde_json::Value;
use sfu_core::ids::{ConsumerId, ProducerId};

use super::{Membership, Session};
use crate::error::SignalError;
use crate::identity::Grants;
use crate::mailbox::{Order, Post};
use crate::registry::Room;
use crate::wire::decode;
use crate::wire::notice::Notice;
use crate::wire::reply::Reply;
use crate::wire::request::{LockRoom, OfParticipant, OfProducer, UpdateGrants};

impl Session {
    /// `removeParticipant`: all sockets of a user, or one socket. They are disconnected, and do not come back by themselves.
    pub(super) fn remove_participant(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let name = decode::<OfParticipant>(payload)?.named()?;
        let room = &self.administered(room, "removeParticipant")?.room;
        let peers = room.read(|state| state.peers_named(&name));
        if peers.is_empty() {
            return Err(SignalError::ParticipantNotFound);
        }
        room.send_away(&peers, Notice::Removed { room_id: room.name().to_owned() });
        tracing::info!(room = room.name(), sockets = peers.len(), "sent away");
        Ok(Reply::Done)
    }

    /// `muteProducer`: its owner is told, and may unmute.
    pub(super) fn mute_producer(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let id = decode::<OfProducer>(payload)?.producer_id;
        let room = &self.administered(room, "muteProducer")?.room;
        let owner = room.read(|state| state.owner_of(&id).cloned()).ok_or(SignalError::ProducerNotFound(id))?;
        room.order(&owner, Order::Mute(id));
        Ok(Reply::Done)
    }

    /// `updateGrants`: what somebody may do here from now on. What is not allowed any more ends at once.
    pub(super) fn update_grants(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let UpdateGrants { participant, grants: change } = decode(payload)?;
        let name = participant.named()?;
        let room = &self.administered(room, "updateGrants")?.room;
        let concerned = room.change(|state| (state.change_grants(&name, change), Vec::new()))?;
        for peer in &concerned {
            room.order(peer, Order::Grants);
        }
        Ok(Reply::Done)
    }

    /// `lockRoom`: keeps newcomers out, or lets them in again.
    pub(super) fn lock_room(&mut self, room: Option<String>, payload: Value) -> Result<Reply, SignalError> {
        let LockRoom { locked } = decode(payload)?;
        let room = &self.administered(room, "lockRoom")?.room;
        room.announce(|state| state.set_locked(locked));
        Ok(Reply::Done)
    }

    /// `closeRoom`: sends everybody away, the administrator too.
    pub(super) fn close_room(&mut self, room: Option<String>) -> Result<Reply, SignalError> {
        let room = self.administered(room, "closeRoom")?.room.clone();
        self.shared.registry.dissolve(&room);
        tracing::info!(room = room.name(), "closed by an administrator");
        Ok(Reply::Done)
    }

    /// Does what an administrator wants of this socket.
    pub(super) async fn carry_out_order(&mut self, order: Order) {
        match order {
            Order::Mute(id) => self.be_muted(id).await,
            Order::Grants => self.apply_grants().await,
        }
    }

    /// What this socket's token allows in a room, with what administrators have changed there.
    pub(super) fn grants_in(&self, room: &Room) -> Grants {
        let grants = &self.access.grants;
        match &self.access.user {
            Some(user) => room.read(|state| state.grants_of(&user.id, grants)),
            None => grants.clone(),
        }
    }

    fn administered(&mut self, room: Option<String>, event: &'static str) -> Result<&Membership, SignalError> {
        // Who is in no room is told that first, whoever they are.
        let is_admin = self.grants.room_admin;
        let membership = self.membership_in(room)?;
        if is_admin { Ok(membership) } else { Err(SignalError::NotAdmin(event)) }
    }

    async fn be_muted(&self, id: ProducerId) {
        let Some(membership) = &self.membership else { return };
        let Ok(producer) = membership.producer(&id) else { return };
        // An error: it closed meanwhile, which mutes it too.
        if producer.handle.pause().await.is_ok() {
            membership.room.announce(|state| state.set_producer_paused(&id, true));
            self.tell(&Notice::ProducerMuted(id));
        }
    }

    async fn apply_grants(&mut self) {
        let Some(membership) = &self.membership else { return };
        let grants = self.grants_in(&membership.room);
        if grants == self.grants {
            return;
        }
        self.grants = grants;
        self.tell(&Notice::GrantsChanged(self.grants.clone()));
        let Some(membership) = &mut self.membership else { return };
        let forbidden: Vec<ProducerId> = membership
            .producers
            .iter()
            .filter(|(_, producer)| !self.grants.allows_publishing(producer.source))
            .map(|(id, _)| *id)
            .collect();
        for id in forbidden {
            if let Some(producer) = membership.producers.remove(&id) {
                let closed = membership.room.change(|state| (state.producer(&id), state.close_producer(&id)));
                producer.handle.close().await;
                // Its owner did not ask for it, and is told as the others are.
                if let Some(info) = closed {
                    self.mailbox.post(Post::Notice(Notice::ProducerClosed(info).into()));
                }
            }
        }
        let consumers: Vec<ConsumerId> =
            if self.grants.can_subscribe { Vec::new() } else { membership.consumers.keys().copied().collect() };
        for id in consumers {
            if let Some(consumer) = membership.consumers.remove(&id) {
                membership.room.announce(|state| state.consumer_closed(&id));
                consumer.handle.close().await;
            }
        }
    }
}
