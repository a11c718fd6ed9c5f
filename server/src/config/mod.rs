//! The configuration: from flags, the environment and a file to values that are known to be good. `main` hands in the first
//! two. Everything that is wrong is told at once, a sentence each, which names what was given, where, and what was expected.
//!
//! All settings are declared in one list, [`settings`]: what reads and what describes them is made from it.

mod addresses;
mod cli;
mod codecs;
mod file;
mod ice_servers;
mod identity;
mod parse;
mod reference;
mod rooms;
mod secret;
mod setting;
mod settings;
mod sources;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use clap::ArgMatches;
use sfu_core::engine::PortMode;
use sfu_core::negotiation::{MediaCodec, default_media_codecs};

pub(crate) use addresses::{interface_addresses, listen_addresses};
pub(crate) use cli::{Action, action, command};
pub(crate) use codecs::read_codec_file;
pub(crate) use ice_servers::{IceServerConfig, TurnAuth};
pub(crate) use identity::{KeySource, TokenConfig};
pub(crate) use reference::annotated_file;
pub(crate) use rooms::RoomConfig;
#[cfg(test)]
pub(crate) use secret::Secret;
use setting::{Given, Setting};
use settings::Values;
use sources::Sources;

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
    pub(crate) announced: Announced,
    /// Who is asked for the public address, as `host:port`.
    pub(crate) stun_servers: Vec<String>,
    pub(crate) rtc_min_port: u16,
    pub(crate) rtc_max_port: u16,
    pub(crate) rtc_ports: PortMode,
    pub(crate) workers: usize,
    pub(crate) span_from_percent: u8,
    pub(crate) log_filter: String,
    pub(crate) log_format: LogFormat,
    /// HTTPS rather than HTTP.
    pub(crate) tls: Option<TlsFiles>,
    /// How long the end waits for those in rooms.
    pub(crate) drain_timeout: Duration,
    /// The file that was read, if any.
    pub(crate) file: Option<PathBuf>,
    pub(crate) frontend: Origins,
    pub(crate) media_codecs: CodecSource,
    pub(crate) rooms: RoomConfig,
    /// How long a call between two rings.
    pub(crate) call_timeout: Duration,
    /// Whose tokens open the server. `None`: it is open to everybody.
    pub(crate) tokens: Option<TokenConfig>,
    pub(crate) ice_servers: IceServerConfig,
}

/// What browsers are told instead of the listen addresses of the same family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Announced {
    /// The address that a STUN server sees.
    Auto,
    /// These; possibly none.
    Addresses(Vec<IpAddr>),
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines: an object a line.
    Json,
}

/// Where the certificate for HTTPS is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The certificate and its chain, PEM.
    pub(crate) cert: PathBuf,
    /// Its private key, PEM.
    pub(crate) key: PathBuf,
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

/// What is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The name is the flag's, the variable's, or the file's with line and key.
    #[error("{name} is `{value}`: {problem}")]
    BadValue { name: String, value: String, problem: String },
    /// The same of a value that is not shown.
    #[error("{name}: {problem}")]
    BadSecret { name: String, problem: String },
    /// The file itself, or a key that is none.
    #[error("{path}{}: {problem}", line.map_or_else(String::new, |line| format!(":{line}")))]
    File { path: String, line: Option<usize>, problem: String },
}

impl ConfigError {
    fn bad_value(setting: &Setting, given: Option<&Given>, problem: String) -> Self {
        let name = given.map_or_else(|| setting.variable(), |given| given.origin.to_string());
        if setting.is_secret() {
            return Self::BadSecret { name, problem };
        }
        let value = given.map_or(setting.traits.default, |given| given.text.expose()).to_owned();
        Self::BadValue { name, value, problem }
    }
}

impl Config {
    /// Reads flags, the environment, and the file that one of them names. Besides the configuration there may be sentences to
    /// warn with.
    pub(crate) fn load(
        environment: impl IntoIterator<Item = (String, String)>,
        matches: &ArgMatches,
    ) -> Result<(Self, Vec<String>), Vec<ConfigError>> {
        let mut problems = Vec::new();
        let (mut sources, file) = cli::sources(environment, matches);
        if let Some(path) = &file {
            sources.file = file::read(path, &mut problems);
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (config, warnings) = Self::resolve(sources, problems, cores)?;
        Ok((Self { file, ..config }, warnings))
    }

    fn resolve(
        mut sources: Sources,
        mut problems: Vec<ConfigError>,
        cores: usize,
    ) -> Result<(Self, Vec<String>), Vec<ConfigError>> {
        let values = Values::read(&mut sources, &mut problems);
        announced_somewhere(&values, &mut problems);
        let workers = ports(&values, cores, &mut sources.warnings, &mut problems);
        let rooms = rooms::rooms(&values, &mut problems);
        let ice_servers = ice_servers::ice_servers(&values, &mut problems);
        identity::guarded(&values, &mut problems);
        let tls = tls(&values, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut warnings = sources.warnings;
        let in_vain = values.given_in_vain();
        if !in_vain.is_empty() {
            warnings.push(format!("without effect in this version: {}", in_vain.join(", ")));
        }
        let tokens = identity::tokens(&values);
        let config = Self {
            port: values.port.value,
            http_ips: values.http_listen_ip.value.unwrap_or_else(|| values.listen_ip.value.clone()),
            listen_ips: values.listen_ip.value,
            announced: values.announced_ip.value.unwrap_or(Announced::Addresses(Vec::new())),
            stun_servers: values.stun_servers.value,
            rtc_min_port: values.rtc_min_port.value,
            rtc_max_port: values.rtc_max_port.value,
            rtc_ports: values.rtc_ports.value,
            workers,
            span_from_percent: values.span_from_percent.value,
            log_filter: values.log_level.value,
            log_format: values.log_format.value,
            tls,
            drain_timeout: values.drain_timeout_ms.value,
            file: None,
            frontend: values.frontend_url.value.unwrap_or_else(|| Origins::List(Vec::new())),
            media_codecs: values.media_codecs.value.unwrap_or_else(|| CodecSource::List(default_media_codecs())),
            rooms,
            call_timeout: values.call_timeout_ms.value,
            tokens,
            ice_servers,
        };
        Ok((config, warnings))
    }
}

/// That each address which browsers are told can be one of a listen address's.
fn announced_somewhere(values: &Values, problems: &mut Vec<ConfigError>) {
    let (announced, listen) = (&values.announced_ip, &values.listen_ip);
    let addresses = match &announced.value {
        None => return,
        Some(Announced::Auto) => {
            if listen.is_sound() && listen.value.iter().all(IpAddr::is_loopback) {
                problems.push(announced.conflict("media is listened for on loopback alone (LISTEN_IP)"));
            }
            return;
        }
        Some(Announced::Addresses(addresses)) => addresses,
    };
    for ip in addresses {
        if ip.is_unspecified() {
            problems.push(announced.conflict("nobody can send to that address"));
        } else if listen.is_sound() && !listen.value.iter().any(|listen| listen.is_ipv4() == ip.is_ipv4()) {
            problems.push(announced.conflict("no listen address is of that family"));
        }
    }
}

/// The certificate's files, of which there must be both or none.
fn tls(values: &Values, problems: &mut Vec<ConfigError>) -> Option<TlsFiles> {
    let (cert, key) = (&values.tls_cert, &values.tls_key);
    match (cert.value.clone(), key.value.clone()) {
        (Some(cert), Some(key)) => return Some(TlsFiles { cert, key }),
        (Some(_), None) => problems.push(cert.conflict("TLS_KEY, its private key, is not set")),
        (None, Some(_)) => problems.push(key.conflict("TLS_CERT, its certificate, is not set")),
        (None, None) => {}
    }
    None
}

/// How many workers there are to be, and that there is a port for each of them which is not taken by HTTP.
fn ports(values: &Values, cores: usize, warnings: &mut Vec<String>, problems: &mut Vec<ConfigError>) -> usize {
    let (min, max, workers, port) = (&values.rtc_min_port, &values.rtc_max_port, &values.workers, &values.port);
    let default_workers = cores.clamp(1, WORKERS_MAX);
    if !(min.is_sound() && max.is_sound() && workers.is_sound() && values.rtc_ports.is_sound()) {
        return default_workers;
    }
    if min.value > max.value {
        problems.push(if max.is_set() {
            max.conflict(format!("the first port of the range is {}", min.value))
        } else {
            min.conflict(format!("the last port of the range is {}", max.value))
        });
        return default_workers;
    }
    // Transports take whichever port is free; workers need theirs.
    if values.rtc_ports.value == PortMode::PerTransport {
        return workers.value.unwrap_or(default_workers);
    }
    let ports = usize::from(max.value - min.value) + 1;
    // Cores that have no port stay without a worker, unless their number was asked for.
    let count = workers.value.unwrap_or(default_workers.min(ports));
    if workers.value.is_none() && count < default_workers {
        warnings.push(format!(
            "RTC_MIN_PORT to RTC_MAX_PORT hold {ports} workers' ports: of {default_workers} cores {count} forward media"
        ));
    }
    if count > ports {
        let range = format!("{} to {} are {ports}", min.value, max.value);
        problems.push(workers.conflict(format!("each worker needs a port, and {range}")));
    }
    let taken = usize::from(min.value)..usize::from(min.value) + count;
    if port.is_sound() && taken.contains(&usize::from(port.value)) {
        problems.push(port.conflict(format!("that port is for media ({count} workers, from {} on)", min.value)));
    }
    count
}

#[cfg(test)]
mod tests;
