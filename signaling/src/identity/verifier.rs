//! The keys that are in use, which may be exchanged while the server runs.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, watch};

use super::Access;
use super::keys::{Keys, TokenError};
use crate::limits::TOKEN_KEY_REFRESH_WAIT_MS;

/// The token of an `Authorization` header (RFC 6750, section 2.1).
pub fn bearer(header: &str) -> Option<String> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// Checks tokens. Shared by all who let somebody in.
#[derive(Debug)]
pub struct TokenVerifier {
    keys: RwLock<Arc<Keys>>,
    refresh: Option<KeyRefresh>,
}

/// How fresh keys are asked for, where they come from elsewhere: when a token is signed with one that is not known.
#[derive(Debug, Clone)]
pub struct KeyRefresh {
    /// Told when a key is missing.
    wanted: Arc<Notify>,
    /// Counts the answers, with new keys or without.
    answers: watch::Sender<u64>,
}

impl KeyRefresh {
    fn new() -> Self {
        Self { wanted: Arc::new(Notify::new()), answers: watch::Sender::new(0) }
    }

    /// Resolves when fresh keys are wanted.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// They have been looked for: whoever waits looks again.
    pub fn answered(&self) {
        self.answers.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Asks, and waits for the answer, but not for long.
    async fn ask(&self) {
        let mut answers = self.answers.subscribe();
        self.wanted.notify_one();
        let wait = Duration::from_millis(TOKEN_KEY_REFRESH_WAIT_MS);
        // Without an answer the keys are those that there were.
        tokio::time::timeout(wait, answers.changed()).await.ok();
    }
}

impl TokenVerifier {
    /// With keys that stay.
    pub fn new(keys: Keys) -> Self {
        Self { keys: RwLock::new(Arc::new(keys)), refresh: None }
    }

    /// With keys that somebody else brings, and asks for again when one is missing.
    pub fn refreshed(keys: Keys) -> (Self, KeyRefresh) {
        let refresh = KeyRefresh::new();
        (Self { keys: RwLock::new(Arc::new(keys)), refresh: Some(refresh.clone()) }, refresh)
    }

    /// The same of who may have brought none.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn admit(&self, token: Option<&str>) -> Result<Access, TokenError> {
        self.verify(token.ok_or(TokenError::Missing)?).await
    }

    /// Exchanges the keys. Who was let in by an old one stays.
    pub fn set_keys(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// See [`Keys::verify`]. Where keys come from elsewhere, an unknown one is waited for, for
    /// [`TOKEN_KEY_REFRESH_WAIT_MS`] at most.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn verify(&self, token: &str) -> Result<Access, TokenError> {
        let first = self.keys().verify(token, SystemTime::now());
        match (&first, &self.refresh) {
            (Err(TokenError::UnknownKey), Some(refresh)) => {
                refresh.ask().await;
                self.keys().verify(token, SystemTime::now())
            }
            _ => first,
        }
    }

    fn keys(&self) -> Arc<Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
