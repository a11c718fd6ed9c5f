//! What administrators change of a room.

use super::{Deliveries, PeerId, RoomState};
use crate::error::SignalError;
use crate::identity::{GrantChange, Grants};
use crate::limits::GRANT_CHANGES_MAX;
use crate::wire::notice::Notice;
use sfu_core::ids::ProducerId;

impl RoomState {
    /// Whether newcomers are kept out.
    pub(crate) fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// Keeps newcomers out from now on, or lets them in again. Everybody is told, if that is news.
    pub(crate) fn set_locked(&mut self, is_locked: bool) -> Deliveries {
        if std::mem::replace(&mut self.is_locked, is_locked) == is_locked {
            return Deliveries::new();
        }
        self.to_joined(Notice::RoomLocked { is_locked })
    }

    /// Those who are called so, by a user's id (all their sockets) or a socket's, in the order of arrival.
    pub(crate) fn peers_named(&self, name: &str) -> Vec<PeerId> {
        let named =
            self.peers.values().filter(|peer| peer.identity.user_id == name || peer.identity.peer.as_str() == name);
        let mut named: Vec<_> = named.collect();
        named.sort_by_key(|peer| peer.arrival);
        named.into_iter().map(|peer| peer.identity.peer.clone()).collect()
    }

    /// Whose a producer is.
    pub(crate) fn owner_of(&self, id: &ProducerId) -> Option<&PeerId> {
        self.producers.get(id).map(|producer| &producer.owner)
    }

    /// Changes what somebody may do here, on top of earlier changes. It holds until the room ends.
    ///
    /// # Errors
    /// [`SignalError::ParticipantNotFound`], [`SignalError::TooManyGrantChanges`].
    pub(crate) fn change_grants(&mut self, name: &str, change: GrantChange) -> Result<Vec<PeerId>, SignalError> {
        let mut concerned = self.peers_named(name);
        let first = concerned.first().and_then(|peer| self.peers.get(peer)).ok_or(SignalError::ParticipantNotFound)?;
        let user_id = first.identity.user_id.clone();
        if !self.grant_changes.contains_key(&user_id) && self.grant_changes.len() >= GRANT_CHANGES_MAX {
            return Err(SignalError::TooManyGrantChanges { limit: GRANT_CHANGES_MAX });
        }
        let earlier = self.grant_changes.remove(&user_id).unwrap_or_default();
        // A socket's id names one, and the change is its user's.
        concerned = self.peers_named(&user_id);
        self.grant_changes.insert(user_id, change.after(earlier));
        Ok(concerned)
    }

    /// What somebody may do here whose token says `grants`.
    pub(crate) fn grants_of(&self, user_id: &str, grants: &Grants) -> Grants {
        self.grant_changes.get(user_id).map_or_else(|| grants.clone(), |change| change.applied_to(grants))
    }
}

#[cfg(test)]
mod tests;
