//! Who speaks, and how loud: watching a router's audio producers.
//!
//! Four machines, each for itself, all told the time and fed with the levels of RFC 6464: [`AudioLevelObserver`] says who
//! was loud in the last interval, [`ActiveSpeakerObserver`] who holds the floor, [`LastN`] whose video is worth forwarding
//! because they spoke lately, [`LoudestN`] which audio is. They know producers by a key of the caller's, are told of each
//! by `add` or its first level, and forget it at `remove`: they hold no more than the producers that there are.

mod active_speaker;
mod audio_level;
mod last_n;
mod loudest_n;

pub use active_speaker::{ActiveSpeakerObserver, ActiveSpeakerOptions};
pub use audio_level::{AudioLevelObserver, AudioLevelOptions, Volumes};
pub use last_n::LastN;
pub use loudest_n::LoudestN;

/// What one event changed in a selection. At most one enters and one leaves at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<T> {
    /// Who is forwarded from now on.
    pub added: Option<T>,
    /// Who is no longer.
    pub removed: Option<T>,
}

impl<T> Change<T> {
    /// Nothing changed.
    pub const NONE: Self = Self { added: None, removed: None };

    /// Whether nothing changed.
    pub fn is_none(&self) -> bool {
        self.added.is_none() && self.removed.is_none()
    }
}
