//! How a router is set up.

use crate::observers::AudioLevelOptions;

/// How a router is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct RouterOptions {
    /// Whether, and how, it is told how loud the audio producers are.
    pub audio_levels: Option<AudioLevelOptions>,
    /// Whether it is told who speaks.
    pub active_speaker: bool,
    /// Only the video of this many participants who spoke most recently is forwarded.
    pub last_n: Option<usize>,
    /// Only this many of the loudest audio producers are forwarded.
    pub loudest_n: Option<usize>,
}

impl Default for RouterOptions {
    /// Everybody is forwarded, and it is told who speaks and how loud they are.
    fn default() -> Self {
        Self { audio_levels: Some(AudioLevelOptions::default()), active_speaker: true, last_n: None, loudest_n: None }
    }
}
