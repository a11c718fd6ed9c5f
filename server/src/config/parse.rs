//! Parsers of single values. Each says what it expected.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use sfu_core::engine::PortMode;

use super::{LogFormat, Origins};
use crate::limits::{DRAIN_TIMEOUT_MAX, WORKERS_MAX};

/// Below this not even sound gets through, so it is a mistake (kilobits for bits, most likely).
const BITRATE_MIN_BPS: u64 = 30_000;

pub(super) fn any(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    Ok(text.into())
}

pub(super) fn http_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "expected a port, 0 to 65535 (0: any that is free)".to_owned())
}

pub(super) fn rtc_port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| "expected a port, 1 to 65535".to_owned())
}

pub(super) fn port_mode(text: &str) -> Result<PortMode, String> {
    match text {
        "worker" => Ok(PortMode::PerWorker),
        "transport" => Ok(PortMode::PerTransport),
        _ => Err("expected `worker` (a port for each worker) or `transport` (a port for each transport)".to_owned()),
    }
}

pub(super) fn worker_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=WORKERS_MAX).contains(count));
    count.ok_or_else(|| format!("expected a number of workers, 1 to {WORKERS_MAX}"))
}

pub(super) fn percent(text: &str) -> Result<u8, String> {
    let percent = text.parse().ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| "expected a share in percent, 0 to 100".to_owned())
}

/// Below a second nobody can answer, and nobody lets it ring for longer than some minutes: a mistake of the unit.
pub(super) fn ring_time(text: &str) -> Result<Duration, String> {
    let ms = text.parse().ok().filter(|ms| (1_000..=600_000).contains(ms));
    ms.map(Duration::from_millis).ok_or_else(|| "expected milliseconds, 1000 to 600000".to_owned())
}

/// A level, or several parts separated by commas: a level for everything and `target=level` for parts.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let text = text.to_ascii_lowercase();
    for part in text.split(',') {
        let (target, level) = part.split_once('=').map_or((None, part), |(target, level)| (Some(target), level));
        let good_target = target.is_none_or(|target| {
            !target.is_empty() && target.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b))
        });
        if !LEVELS.contains(&level) || !good_target {
            return Err(format!("expected one of {}", LEVELS.join(", ")));
        }
    }
    Ok(text)
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text.to_ascii_lowercase().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected text or json".to_owned()),
    }
}

pub(super) fn drain_timeout(text: &str) -> Result<Duration, String> {
    let timeout = text.parse().ok().map(Duration::from_millis).filter(|timeout| *timeout <= DRAIN_TIMEOUT_MAX);
    timeout.ok_or_else(|| format!("expected milliseconds, 0 to {}", DRAIN_TIMEOUT_MAX.as_millis()))
}

pub(super) fn origins(text: &str) -> Result<Origins, String> {
    if text == "*" {
        return Ok(Origins::Any);
    }
    let origin = |part: &str| {
        let part = part.trim().trim_end_matches('/');
        let host = part.strip_prefix("http://").or_else(|| part.strip_prefix("https://"))?;
        let good = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]_".contains(&b));
        good.then(|| HeaderValue::from_str(&part.to_ascii_lowercase()).ok()).flatten()
    };
    let list: Option<Vec<_>> = text.split(',').map(origin).collect();
    list.map(Origins::List)
        .ok_or_else(|| "expected origins such as https://example.org, separated by commas, or *".to_owned())
}

pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "expected a number, at least 1".to_owned())
}

pub(super) fn audio_level_interval(text: &str) -> Result<Option<Duration>, String> {
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(ms @ 250..=5_000) => Ok(Some(Duration::from_millis(ms))),
        _ => Err("expected milliseconds, 250 to 5000 (0: never)".to_owned()),
    }
}

pub(super) fn on_or_off(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "1" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err("expected on or off".to_owned()),
    }
}

pub(super) fn bitrate(text: &str) -> Result<u64, String> {
    let bps = text.parse().ok().filter(|bps| *bps >= BITRATE_MIN_BPS);
    bps.ok_or_else(|| format!("expected bits per second, at least {BITRATE_MIN_BPS}"))
}
