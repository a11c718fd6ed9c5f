//! What rooms forward, what they are told, and what transports may carry.

use sfu_core::engine::{AudioLevelOptions, RouterOptions, WebRtcTransportOptions};

use super::ConfigError;
use super::settings::Values;

/// How rooms are set up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RoomConfig {
    /// Each room's router.
    pub(crate) router: RouterOptions,
    /// Each transport.
    pub(crate) transport: WebRtcTransportOptions,
}

pub(super) fn rooms(values: &Values, problems: &mut Vec<ConfigError>) -> RoomConfig {
    let (initial, max) = (&values.initial_outgoing_bitrate, &values.max_outgoing_bitrate);
    let max_outgoing_bps = max.value.unwrap_or(u64::MAX);
    // Only an estimate that was asked for can contradict the limit.
    if initial.is_set() && initial.is_sound() && max.is_sound() && initial.value > max_outgoing_bps {
        problems.push(initial.conflict(format!("MAX_OUTGOING_BITRATE is {max_outgoing_bps}")));
    }
    // More than ten are not heard together.
    let audio_levels = |interval| AudioLevelOptions { max_entries: 10, interval, ..AudioLevelOptions::default() };
    RoomConfig {
        router: RouterOptions {
            audio_levels: values.audio_level_interval_ms.value.map(audio_levels),
            active_speaker: values.active_speaker.value,
            last_n: values.last_n.value,
            loudest_n: values.loudest_n.value,
        },
        transport: WebRtcTransportOptions {
            initial_outgoing_bps: initial.value.min(max_outgoing_bps),
            max_incoming_bps: values.max_incoming_bitrate.value,
            max_outgoing_bps: max.value,
            ..WebRtcTransportOptions::default()
        },
    }
}
