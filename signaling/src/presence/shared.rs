//! What connects the model to the sessions: a lock around it, and the mailboxes of the sockets that are online.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{PresenceState, UserStatus};
use crate::error::SignalError;
use crate::mailbox::{Mailbox, Post};
use crate::room::{Deliveries, PeerId};

/// Who is online, for all sessions. Its lock is held for short steps without waiting, and no other is taken meanwhile.
#[derive(Debug)]
pub(crate) struct Presence {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: PresenceState,
    mailboxes: HashMap<PeerId, Mailbox>,
}

impl Inner {
    fn deliver(&self, deliveries: Deliveries) {
        for (socket, notice) in deliveries {
            if let Some(mailbox) = self.mailboxes.get(&socket) {
                mailbox.post(Post::Notice(notice));
            }
        }
    }
}

impl Presence {
    pub(crate) fn new(sockets_max: usize) -> Self {
        Self { inner: Mutex::new(Inner { state: PresenceState::new(sockets_max), mailboxes: HashMap::new() }) }
    }

    /// See [`PresenceState::come`]. The answer is everybody online, and every later change reaches the mailbox.
    pub(crate) fn come(
        &self,
        socket: &PeerId,
        mailbox: &Mailbox,
        user_id: &str,
        now: &str,
    ) -> Result<Vec<UserStatus>, SignalError> {
        let inner = &mut *self.lock();
        let deliveries = inner.state.come(socket, user_id, now)?;
        inner.mailboxes.insert(socket.clone(), mailbox.clone());
        inner.deliver(deliveries);
        Ok(inner.state.online())
    }

    /// See [`PresenceState::go`].
    pub(crate) fn go(&self, socket: &PeerId, now: &str) {
        let inner = &mut *self.lock();
        inner.mailboxes.remove(socket);
        let deliveries = inner.state.go(socket, now);
        inner.deliver(deliveries);
    }

    /// See [`PresenceState::typing`].
    pub(crate) fn typing(&self, socket: &PeerId, receiver_id: &str, is_typing: bool) -> Result<(), SignalError> {
        let inner = self.lock();
        let deliveries = inner.state.typing(socket, receiver_id, is_typing)?;
        inner.deliver(deliveries);
        Ok(())
    }

    /// Everybody online, in the order of arrival.
    pub(crate) fn online(&self) -> Vec<UserStatus> {
        self.lock().state.online()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
