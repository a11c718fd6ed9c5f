//! Who can be called: users by the ids that their sockets registered, and which call each is in.

use std::collections::HashMap;

use super::CallId;
use crate::error::SignalError;
use crate::limits::SOCKETS_PER_USER_MAX;
use crate::room::PeerId;

#[derive(Debug)]
struct User {
    /// Never empty.
    sockets: Vec<PeerId>,
    /// The one call that the user is in, from whichever socket: busy or not is of users.
    call: Option<CallId>,
}

#[derive(Debug)]
struct Socket {
    user_id: String,
    user_name: String,
    /// With whom the latest call was that this socket had a part in and has no more. What the client still says about that
    /// call crossed the news of its end.
    last_partner: Option<String>,
}

/// The users and their sockets.
#[derive(Debug)]
pub(super) struct Registered {
    users: HashMap<String, User>,
    sockets: HashMap<PeerId, Socket>,
    sockets_max: usize,
}

impl Registered {
    pub(super) fn new(sockets_max: usize) -> Self {
        Self { users: HashMap::new(), sockets: HashMap::new(), sockets_max }
    }

    /// Whether that socket could be that user's, too.
    pub(super) fn check_room_for(&self, socket: &PeerId, user_id: &str) -> Result<(), SignalError> {
        let known = self.sockets.get(socket);
        if known.is_none() && self.sockets.len() >= self.sockets_max {
            return Err(SignalError::TooManyRegistered { limit: self.sockets_max });
        }
        let is_new_there = known.is_none_or(|known| known.user_id != user_id);
        if is_new_there && self.sockets_of(user_id).len() >= SOCKETS_PER_USER_MAX {
            return Err(SignalError::TooManySocketsOfUser);
        }
        Ok(())
    }

    /// The socket is that user's; if it was before, under that name from now on. The id stands in for a missing name.
    pub(super) fn add(&mut self, socket: &PeerId, user_id: &str, user_name: Option<&str>) {
        let user_name = user_name.unwrap_or(user_id).to_owned();
        if let Some(known) = self.sockets.get_mut(socket) {
            known.user_name = user_name;
            return;
        }
        let entry = Socket { user_id: user_id.to_owned(), user_name, last_partner: None };
        self.sockets.insert(socket.clone(), entry);
        match self.users.get_mut(user_id) {
            Some(user) => user.sockets.push(socket.clone()),
            None => {
                let user = User { sockets: vec![socket.clone()], call: None };
                self.users.insert(user_id.to_owned(), user);
            }
        }
    }

    /// The socket is nobody's any more. A user without sockets is gone.
    pub(super) fn remove(&mut self, socket: &PeerId) {
        let Some(Socket { user_id, .. }) = self.sockets.remove(socket) else {
            return;
        };
        if let Some(user) = self.users.get_mut(&user_id) {
            user.sockets.retain(|other| other != socket);
            if user.sockets.is_empty() {
                self.users.remove(&user_id);
            }
        }
    }

    pub(super) fn is_known(&self, user_id: &str) -> bool {
        self.users.contains_key(user_id)
    }

    pub(super) fn user_of(&self, socket: &PeerId) -> Option<&str> {
        self.sockets.get(socket).map(|socket| &*socket.user_id)
    }

    pub(super) fn name_of(&self, socket: &PeerId) -> &str {
        self.sockets.get(socket).map_or("", |socket| &socket.user_name)
    }

    pub(super) fn sockets_of(&self, user_id: &str) -> &[PeerId] {
        self.users.get(user_id).map_or(&[], |user| &user.sockets)
    }

    pub(super) fn call_of(&self, user_id: &str) -> Option<CallId> {
        self.users.get(user_id)?.call
    }

    pub(super) fn set_call(&mut self, user_id: &str, call: Option<CallId>) {
        if let Some(user) = self.users.get_mut(user_id) {
            user.call = call;
        }
    }

    pub(super) fn last_partner(&self, socket: &PeerId) -> Option<&str> {
        self.sockets.get(socket)?.last_partner.as_deref()
    }

    /// The socket has no part any more in a call with that user.
    pub(super) fn remember(&mut self, socket: &PeerId, partner_id: &str) {
        if let Some(socket) = self.sockets.get_mut(socket) {
            socket.last_partner = Some(partner_id.to_owned());
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.sockets.is_empty()
    }

    /// The users and the calls that they are in.
    #[cfg(test)]
    pub(super) fn users(&self) -> impl Iterator<Item = (&str, Option<CallId>)> {
        self.users.iter().map(|(id, user)| (&**id, user.call))
    }
}
