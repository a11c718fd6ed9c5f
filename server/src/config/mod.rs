//! The configuration: from flags and the environment to values that are known to be good. Pure; `main` hands in the
//! environment. A bad value is refused with one sentence that names the variable and the value.

mod addresses;
mod args;
mod codecs;
mod rooms;
mod settings;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use sfu_core::engine::{DEFAULT_SPAN_FROM_PERCENT, PortMode};
use sfu_core::negotiation::{MediaCodec, default_media_codecs};
use signaling::limits::CALL_RING_MS;

pub(crate) use addresses::{interface_addresses, listen_addresses};
pub(crate) use args::Args;
pub(crate) use codecs::read_codec_file;
pub(crate) use rooms::RoomConfig;
use settings::{Setting, Settings};

use crate::limits::WORKERS_MAX;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// HTTP and Socket.IO.
    pub(crate) port: u16,
    /// Addresses that HTTP listens on.
    pub(crate) http_ips: Vec<IpAddr>,
    /// Addresses that media is sent from and received on.
    pub(crate) listen_ips: Vec<IpAddr>,
    /// What candidates say instead of the listen addresses of the same family.
    pub(crate) announced_ips: Vec<IpAddr>,
    pub(crate) rtc_min_port: u16,
    pub(crate) rtc_max_port: u16,
    pub(crate) rtc_ports: PortMode,
    pub(crate) workers: usize,
    pub(crate) span_from_percent: u8,
    pub(crate) log_filter: String,
    pub(crate) frontend: Origins,
    pub(crate) media_codecs: CodecSource,
    pub(crate) rooms: RoomConfig,
    /// How long a call between two rings.
    pub(crate) call_timeout: Duration,
}

/// Origins whose pages may use the server, besides its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Origins {
    /// Any.
    Any,
    /// These; possibly none.
    List(Vec<HeaderValue>),
}

/// Where the list of media codecs comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CodecSource {
    /// The list itself.
    List(Vec<MediaCodec>),
    /// A JSON file, read at the start.
    File(PathBuf),
}

/// A bad value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is `{value}`: {problem}")]
pub(crate) struct ConfigError {
    /// The variable or flag.
    pub(crate) name: String,
    pub(crate) value: String,
    /// What was expected.
    pub(crate) problem: String,
}

impl ConfigError {
    fn new(setting: &Setting, problem: impl ToString) -> Self {
        Self { name: setting.name.clone(), value: setting.value.clone(), problem: problem.to_string() }
    }
}

impl Config {
    /// Reads flags (which win) and the environment. Besides the configuration there may be sentences to warn with. Empty
    /// values count as absent, as compose files pass on variables that are not set.
    pub(crate) fn from_env(
        environment: impl IntoIterator<Item = (String, String)>,
        args: Args,
    ) -> Result<(Self, Vec<String>), ConfigError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::resolve(Settings::new(environment, args), cores)
    }

    fn resolve(mut settings: Settings, cores: usize) -> Result<(Self, Vec<String>), ConfigError> {
        let port = settings.take("--port", &["PORT"]);
        let http_ip = settings.take("--http-listen-ip", &["HTTP_LISTEN_IP"]);
        let listen_ip = settings.take("--listen-ip", &["LISTEN_IP", "MEDIASOUP_LISTEN_IP"]);
        let announced_ip = settings.take("--announced-ip", &["ANNOUNCED_IP", "MEDIASOUP_ANNOUNCED_IP"]);
        let min_port = settings.take("--rtc-min-port", &["RTC_MIN_PORT", "MEDIASOUP_RTP_MIN_PORT"]);
        let max_port = settings.take("--rtc-max-port", &["RTC_MAX_PORT", "MEDIASOUP_RTP_MAX_PORT"]);
        let rtc_ports = settings.take("--rtc-ports", &["RTC_PORTS"]);
        let workers = settings.take("--workers", &["WORKERS"]);
        let span_from_percent = settings.take("--span-from-percent", &["SPAN_FROM_PERCENT"]);
        let log_level = settings.take("--log-level", &["LOG_LEVEL"]);
        let frontend_url = settings.take("--frontend-url", &["FRONTEND_URL"]);
        let media_codecs = settings.take("--media-codecs", &["MEDIA_CODECS"]);
        let call_timeout = settings.take("--call-timeout-ms", &["CALL_TIMEOUT_MS"]);

        let listen_ips = listen_ip.parse_or(addresses::ip_list, vec![IpAddr::from([127, 0, 0, 1])])?;
        let announced_ips = announced_ip.parse_or(addresses::ip_list, Vec::new())?;
        for announced in &announced_ips {
            if announced.is_unspecified() {
                return Err(ConfigError::new(&announced_ip, "nobody can send to that address"));
            }
            if !listen_ips.iter().any(|listen| listen.is_ipv4() == announced.is_ipv4()) {
                return Err(ConfigError::new(&announced_ip, "no listen address is of that family"));
            }
        }
        let rtc_ports = rtc_ports.parse_or(port_mode, PortMode::PerWorker)?;
        let rtc_min_port = min_port.parse_or(rtc_port, 40_000)?;
        let rtc_max_port = max_port.parse_or(rtc_port, 49_999)?;
        if rtc_min_port > rtc_max_port {
            let (guilty, problem) = if max_port.is_set() {
                (&max_port, format!("the first port of the range is {rtc_min_port}"))
            } else {
                (&min_port, format!("the last port of the range is {rtc_max_port}"))
            };
            return Err(ConfigError::new(guilty, problem));
        }
        let ports = usize::from(rtc_max_port - rtc_min_port) + 1;
        // Cores that have no port stay without a worker, unless their number was asked for.
        let default_workers = if rtc_ports == PortMode::PerWorker { cores.min(ports) } else { cores };
        let worker_count = workers.parse_or(worker_count, default_workers.clamp(1, WORKERS_MAX))?;
        if rtc_ports == PortMode::PerWorker && worker_count > ports {
            let problem = format!("each worker needs a port, and {rtc_min_port} to {rtc_max_port} are {ports}");
            return Err(ConfigError::new(&workers, problem));
        }
        let port_number = port.parse_or(http_port, 4_000)?;
        // Transports take whichever port is free; workers need theirs.
        let worker_ports = usize::from(rtc_min_port)..usize::from(rtc_min_port) + worker_count;
        if rtc_ports == PortMode::PerWorker && worker_ports.contains(&usize::from(port_number)) {
            let problem = format!("that port is for media ({worker_count} workers, from {rtc_min_port} on)");
            return Err(ConfigError::new(&port, problem));
        }
        let config = Self {
            port: port_number,
            http_ips: http_ip.parse_or(addresses::ip_list, listen_ips.clone())?,
            listen_ips,
            announced_ips,
            rtc_min_port,
            rtc_max_port,
            rtc_ports,
            workers: worker_count,
            span_from_percent: span_from_percent.parse_or(percent, DEFAULT_SPAN_FROM_PERCENT)?,
            log_filter: log_level.parse_or(log_filter, "info".to_owned())?,
            frontend: frontend_url.parse_or(origins, Origins::List(Vec::new()))?,
            media_codecs: media_codecs.parse_or(codecs::source, CodecSource::List(default_media_codecs()))?,
            rooms: rooms::rooms(&mut settings)?,
            call_timeout: call_timeout.parse_or(ring_time, Duration::from_millis(CALL_RING_MS))?,
        };
        Ok((config, settings.warnings))
    }
}

fn http_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "expected a port, 0 to 65535 (0: any that is free)".to_owned())
}

fn rtc_port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| "expected a port, 1 to 65535".to_owned())
}

fn port_mode(text: &str) -> Result<PortMode, String> {
    match text {
        "worker" => Ok(PortMode::PerWorker),
        "transport" => Ok(PortMode::PerTransport),
        _ => Err("expected `worker` (a port for each worker) or `transport` (a port for each transport)".to_owned()),
    }
}

fn worker_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=WORKERS_MAX).contains(count));
    count.ok_or_else(|| format!("expected a number of workers, 1 to {WORKERS_MAX}"))
}

fn percent(text: &str) -> Result<u8, String> {
    let percent = text.parse().ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| "expected a share in percent, 0 to 100".to_owned())
}

/// Below a second nobody can answer, and nobody lets it ring for longer than some minutes: a mistake of the unit.
fn ring_time(text: &str) -> Result<Duration, String> {
    let ms = text.parse().ok().filter(|ms| (1_000..=600_000).contains(ms));
    ms.map(Duration::from_millis).ok_or_else(|| "expected milliseconds, 1000 to 600000".to_owned())
}

/// A level, or several parts separated by commas: a level for everything and `target=level` for parts.
fn log_filter(text: &str) -> Result<String, String> {
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

fn origins(text: &str) -> Result<Origins, String> {
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

#[cfg(test)]
mod tests;
