//! What rooms forward, what they are told, and what transports may carry.

use std::time::Duration;

use sfu_core::engine::{AudioLevelOptions, RouterOptions, WebRtcTransportOptions};

use super::{ConfigError, Settings};

/// Below this not even sound gets through, so it is a mistake (kilobits for bits, most likely).
const BITRATE_MIN_BPS: u64 = 30_000;

/// How rooms are set up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RoomConfig {
    /// Each room's router.
    pub(crate) router: RouterOptions,
    /// Each transport.
    pub(crate) transport: WebRtcTransportOptions,
}

pub(super) fn rooms(settings: &mut Settings) -> Result<RoomConfig, ConfigError> {
    let last_n = settings.take("--last-n", &["LAST_N"]);
    let loudest_n = settings.take("--loudest-n", &["LOUDEST_N"]);
    let level_interval = settings.take("--audio-level-interval-ms", &["AUDIO_LEVEL_INTERVAL_MS"]);
    let active_speaker = settings.take("--active-speaker", &["ACTIVE_SPEAKER"]);
    let initial_outgoing = settings.take("--initial-outgoing-bitrate", &["INITIAL_OUTGOING_BITRATE"]);
    let max_incoming = settings.take("--max-incoming-bitrate", &["MAX_INCOMING_BITRATE"]);
    let max_outgoing = settings.take("--max-outgoing-bitrate", &["MAX_OUTGOING_BITRATE"]);

    // More than ten are not heard together.
    let audio_levels = AudioLevelOptions { max_entries: 10, ..AudioLevelOptions::default() };
    let max_outgoing_bps = max_outgoing.parse_or(bitrate, None)?;
    let initial_outgoing_bps = initial_outgoing.parse_or(bitrate, None)?;
    if let (Some(initial), Some(max)) = (initial_outgoing_bps, max_outgoing_bps)
        && initial > max
    {
        return Err(ConfigError::new(&initial_outgoing, format!("MAX_OUTGOING_BITRATE is {max}")));
    }
    let defaults = WebRtcTransportOptions::default();
    let initial_default_bps = defaults.initial_outgoing_bps.min(max_outgoing_bps.unwrap_or(u64::MAX));
    Ok(RoomConfig {
        router: RouterOptions {
            audio_levels: level_interval
                .parse_or(interval, Some(audio_levels.interval))?
                .map(|interval| AudioLevelOptions { interval, ..audio_levels }),
            active_speaker: active_speaker.parse_or(on_or_off, true)?,
            last_n: last_n.parse_or(count, None)?,
            loudest_n: loudest_n.parse_or(count, None)?,
        },
        transport: WebRtcTransportOptions {
            initial_outgoing_bps: initial_outgoing_bps.unwrap_or(initial_default_bps),
            max_incoming_bps: max_incoming.parse_or(bitrate, None)?,
            max_outgoing_bps,
            ..defaults
        },
    })
}

fn count(text: &str) -> Result<Option<usize>, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.map(Some).ok_or_else(|| "expected a number, at least 1".to_owned())
}

fn interval(text: &str) -> Result<Option<Duration>, String> {
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(ms @ 250..=5_000) => Ok(Some(Duration::from_millis(ms))),
        _ => Err("expected milliseconds, 250 to 5000 (0: never)".to_owned()),
    }
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "1" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err("expected on or off".to_owned()),
    }
}

fn bitrate(text: &str) -> Result<Option<u64>, String> {
    let bps = text.parse().ok().filter(|bps| *bps >= BITRATE_MIN_BPS);
    bps.map(Some).ok_or_else(|| format!("expected bits per second, at least {BITRATE_MIN_BPS}"))
}
