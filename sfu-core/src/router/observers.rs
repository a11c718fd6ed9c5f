//! Who speaks in one room, and whom the room forwards because of it.

use std::time::Instant;

use super::RouterOptions;
use crate::observers::{
    ActiveSpeakerObserver, ActiveSpeakerOptions, AudioLevelObserver, Change, LastN, LoudestN, Volumes,
};
use crate::rtp::extensions::AudioLevel;
use crate::worker::{ProducerKey, TransportKey};

/// A room's observers. Participants are the transports that publish.
#[derive(Debug)]
pub(crate) struct Observers {
    levels: Option<AudioLevelObserver<ProducerKey>>,
    speaker: Option<ActiveSpeakerObserver<ProducerKey>>,
    pub(crate) last_n: LastN<TransportKey>,
    pub(crate) loudest_n: LoudestN<ProducerKey>,
}

impl Observers {
    pub(crate) fn new(options: &RouterOptions) -> Self {
        // Who spoke last is known by watching who speaks.
        let watches_speaker = options.active_speaker || options.last_n.is_some();
        Self {
            levels: options.audio_levels.map(AudioLevelObserver::new),
            speaker: watches_speaker.then(|| ActiveSpeakerObserver::new(ActiveSpeakerOptions::default())),
            last_n: LastN::new(options.last_n),
            loudest_n: LoudestN::new(options.loudest_n),
        }
    }

    /// A packet of an audio producer said how loud it is. Returns what that changes among the loudest.
    pub(crate) fn handle_level(
        &mut self,
        now: Instant,
        producer: ProducerKey,
        level: AudioLevel,
    ) -> Change<ProducerKey> {
        if let Some(levels) = &mut self.levels {
            levels.handle_level(now, producer, level);
        }
        if let Some(speaker) = &mut self.speaker {
            speaker.handle_level(now, producer, level);
        }
        self.loudest_n.handle_level(now, producer, level)
    }

    /// An audio producer closed.
    pub(crate) fn remove_audio(&mut self, now: Instant, producer: ProducerKey) -> Change<ProducerKey> {
        if let Some(levels) = &mut self.levels {
            levels.remove(producer);
        }
        if let Some(speaker) = &mut self.speaker {
            speaker.remove(producer);
        }
        self.loudest_n.remove(now, producer)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(levels) = &mut self.levels {
            levels.handle_timeout(now);
        }
        if let Some(speaker) = &mut self.speaker {
            speaker.handle_timeout(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let levels = self.levels.as_ref().and_then(AudioLevelObserver::poll_timeout);
        let speaker = self.speaker.as_ref().and_then(ActiveSpeakerObserver::poll_timeout);
        levels.into_iter().chain(speaker).min()
    }

    /// Who is dominant now, when that is news.
    pub(crate) fn poll_dominant(&mut self) -> Option<ProducerKey> {
        self.speaker.as_mut()?.poll_dominant()
    }

    /// How loud they are, when that is news.
    pub(crate) fn poll_volumes(&mut self) -> Option<Volumes<ProducerKey>> {
        self.levels.as_mut()?.poll_volumes()
    }
}
