//! Who somebody is and what they may do. A token says both ([`TokenVerifier`]); on a server without keys everybody is a
//! stranger who may do anything but administer ([`Access::open`]).

mod crypto;
mod grants;
mod keys;
mod verifier;

use std::time::SystemTime;

pub use self::grants::{GrantChange, Grants, Publish, RoomGrant, Source};
pub use self::keys::{KeyError, Keys, Signer, TokenError};
pub use self::verifier::{KeyRefresh, TokenVerifier, bearer};

/// What a token says, or what a stranger may do.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// Whose it is, if a token says so: `sub` and `name`. They win over what payloads say.
    pub user: Option<User>,
    /// What is allowed.
    pub grants: Grants,
    /// From when on it opens no more rooms. Who is in one stays.
    pub expires_at: Option<SystemTime>,
}

/// A person, by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// `sub`.
    pub id: String,
    /// `name`.
    pub name: Option<String>,
}

impl Access {
    /// Of a stranger, where the server is open.
    pub fn open() -> Self {
        Self { user: None, grants: Grants::open(), expires_at: None }
    }

    /// Whether it has expired.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}
