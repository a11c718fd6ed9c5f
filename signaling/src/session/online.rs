//! Who is online: what a socket says of its user, and asks of others, with or without a room.

use serde_json::Value;
use time::OffsetDateTime;

use super::Session;
use super::rooms::rfc3339;
use crate::error::SignalError;
use crate::wire::decode;
use crate::wire::notice::Notice;
use crate::wire::reply::Reply;
use crate::wire::request::{Typing, user_id};

impl Session {
    /// `userOnline`: from now on this socket is that user's.
    pub(super) fn user_online(&mut self, payload: &Value) -> Result<Reply, SignalError> {
        let said = user_id(payload)?;
        // A token's word counts for more.
        let user_id = self.access.user.as_ref().map_or(said, |user| user.id.clone());
        if self.access.grants.hidden {
            return Ok(self.online_users());
        }
        let now = rfc3339(OffsetDateTime::now_utc());
        let online = self.shared.presence.come(&self.peer, &self.mailbox, &user_id, &now)?;
        self.identify(user_id);
        self.is_online = true;
        self.tell(&Notice::OnlineUsers(online));
        Ok(Reply::Done)
    }

    /// `getOnlineUsers`. The answer is an announcement, not the ack.
    pub(super) fn online_users(&self) -> Reply {
        self.tell(&Notice::OnlineUsers(self.shared.presence.online()));
        Reply::Done
    }

    /// `typing`.
    pub(super) fn typing(&self, payload: Value) -> Result<Reply, SignalError> {
        if !self.grants.allows_data() {
            return Err(SignalError::NotGranted("typing"));
        }
        let (receiver_id, is_typing) = decode::<Typing>(payload)?.checked()?;
        self.shared.presence.typing(&self.peer, &receiver_id, is_typing)?;
        Ok(Reply::Done)
    }

    /// The socket is gone.
    pub(super) fn go_offline(&self) {
        if self.is_online {
            self.shared.presence.go(&self.peer, &rfc3339(OffsetDateTime::now_utc()));
        }
    }
}
