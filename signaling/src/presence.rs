//! Who is online, as a pure model: users by the ids that their sockets gave, whatever rooms those are in, and who must be
//! told when that changes. As in [`crate::room`], each change returns its [`Deliveries`].
//!
//! A user is online from the first of their sockets that says so until the last of them is gone. What changes is told to
//! the sockets that are online themselves.

mod shared;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use shared::Presence;

use crate::error::SignalError;
use crate::room::{Deliveries, PeerId};
use crate::wire::notice::Notice;

/// Whether a user can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Online,
    Offline,
}

/// A user as they are announced and listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserStatus {
    pub(crate) user_id: String,
    pub(crate) status: Status,
    /// RFC 3339, UTC: when they last came online, or went.
    pub(crate) last_seen: String,
}

#[derive(Debug)]
struct User {
    /// Never empty.
    sockets: Vec<PeerId>,
    last_seen: String,
    /// Counts up, so that lists come in the order of arrival.
    arrival: u64,
}

/// Who is online.
#[derive(Debug)]
pub(crate) struct PresenceState {
    users: HashMap<String, User>,
    user_ids: HashMap<PeerId, String>,
    arrivals: u64,
    sockets_max: usize,
}

impl PresenceState {
    pub(crate) fn new(sockets_max: usize) -> Self {
        Self { users: HashMap::new(), user_ids: HashMap::new(), arrivals: 0, sockets_max }
    }

    /// A socket says whose it is, for the first time or again; under another id it is the old one's no more. `now` is RFC
    /// 3339.
    ///
    /// # Errors
    /// [`SignalError::TooManyOnline`]; nothing has changed then.
    pub(crate) fn come(&mut self, socket: &PeerId, user_id: &str, now: &str) -> Result<Deliveries, SignalError> {
        let mut deliveries = Deliveries::new();
        match self.user_ids.get(socket) {
            Some(known) if known == user_id => return Ok(deliveries),
            Some(_) => deliveries.extend(self.go(socket, now)),
            None if self.user_ids.len() >= self.sockets_max => {
                return Err(SignalError::TooManyOnline { limit: self.sockets_max });
            }
            None => {}
        }
        self.user_ids.insert(socket.clone(), user_id.to_owned());
        if let Some(user) = self.users.get_mut(user_id) {
            user.sockets.push(socket.clone());
            now.clone_into(&mut user.last_seen);
            return Ok(deliveries);
        }
        self.arrivals = self.arrivals.wrapping_add(1);
        let user = User { sockets: vec![socket.clone()], last_seen: now.to_owned(), arrival: self.arrivals };
        self.users.insert(user_id.to_owned(), user);
        deliveries.extend(self.tell_others(user_id, Status::Online, now));
        Ok(deliveries)
    }

    /// A socket is gone. Does nothing for one that never said whose it is.
    pub(crate) fn go(&mut self, socket: &PeerId, now: &str) -> Deliveries {
        let Some(user_id) = self.user_ids.remove(socket) else {
            return Deliveries::new();
        };
        let Some(user) = self.users.get_mut(&user_id) else {
            return Deliveries::new();
        };
        user.sockets.retain(|other| other != socket);
        if !user.sockets.is_empty() {
            return Deliveries::new();
        }
        self.users.remove(&user_id);
        self.tell_others(&user_id, Status::Offline, now)
    }

    /// Tells all sockets of `receiver_id` that the user of `socket` is typing to them, or no longer.
    ///
    /// # Errors
    /// [`SignalError::NotOnline`], [`SignalError::ReceiverNotFound`].
    pub(crate) fn typing(
        &self,
        socket: &PeerId,
        receiver_id: &str,
        is_typing: bool,
    ) -> Result<Deliveries, SignalError> {
        let sender_id = self.user_ids.get(socket).ok_or(SignalError::NotOnline("typing"))?.clone();
        let receiver = self.users.get(receiver_id).ok_or(SignalError::ReceiverNotFound)?;
        let notice = Arc::new(Notice::Typing { sender_id, is_typing });
        Ok(receiver.sockets.iter().map(|to| (to.clone(), notice.clone())).collect())
    }

    /// Everybody online, in the order of arrival.
    pub(crate) fn online(&self) -> Vec<UserStatus> {
        let mut users: Vec<_> = self.users.iter().collect();
        users.sort_by_key(|(_, user)| user.arrival);
        let status = Status::Online;
        users
            .into_iter()
            .map(|(id, user)| UserStatus { user_id: id.clone(), status, last_seen: user.last_seen.clone() })
            .collect()
    }

    fn tell_others(&self, user_id: &str, status: Status, now: &str) -> Deliveries {
        let changed = UserStatus { user_id: user_id.to_owned(), status, last_seen: now.to_owned() };
        let notice = Arc::new(Notice::UserStatus(changed));
        self.user_ids
            .iter()
            .filter(|(_, whose)| *whose != user_id)
            .map(|(socket, _)| (socket.clone(), notice.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests;
