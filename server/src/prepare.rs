//! Everything that must be found out before the server can serve: what is left to check once the configuration has been read.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use sfu_core::engine::EngineOptions;
use time::OffsetDateTime;
use tokio::net::UdpSocket;

use crate::config::{
    Announced, CodecSource, Config, ConfigError, interface_addresses, listen_addresses, read_codec_file,
};
use crate::http::tls::{Certificate, CertificateError};
use crate::{selftest, stun};

/// What serving needs besides the configuration.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) engine: EngineOptions,
    pub(crate) certificate: Option<Arc<Certificate>>,
    /// What does not keep the server from working.
    pub(crate) warnings: Vec<String>,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("cannot list this machine's addresses (set ANNOUNCED_IP): {0}")]
    Interfaces(io::Error),
    #[error("{0}")]
    Machine(String),
    #[error(
        "ANNOUNCED_IP is `auto`, and no STUN server says the address (STUN_SERVERS; UDP must get out and back): {0}"
    )]
    Stun(String),
}

/// Prepares. All that is wrong is told at once.
pub(crate) async fn prepare(config: &Config) -> Result<Prepared, Vec<PrepareError>> {
    let mut problems = Vec::new();
    // Only who listens on all addresses must know which there are.
    let needed = config.listen_ips.iter().any(IpAddr::is_unspecified);
    let interfaces = interface_addresses().unwrap_or_else(|error| {
        problems.extend(needed.then_some(PrepareError::Interfaces(error)));
        Vec::new()
    });
    let selftest::Report { problems: unfit, mut warnings } = selftest::run(config, &interfaces);
    problems.extend(unfit.into_iter().map(PrepareError::Machine));
    let certificate = match config.tls.as_ref().map(Certificate::load) {
        None => None,
        Some(Ok(certificate)) => {
            warnings.extend(certificate.problem_at(OffsetDateTime::now_utc()));
            Some(Arc::new(certificate))
        }
        Some(Err(error)) => {
            problems.push(error.into());
            None
        }
    };
    let media_codecs = match &config.media_codecs {
        CodecSource::List(codecs) => codecs.clone(),
        CodecSource::File(path) => read_codec_file(path).unwrap_or_else(|error| {
            problems.push(error.into());
            Vec::new()
        }),
    };
    let announced_ips = match &config.announced {
        Announced::Addresses(ips) => ips.clone(),
        // What is wrong already would only be waited for.
        Announced::Auto if !problems.is_empty() => Vec::new(),
        Announced::Auto => match public_ip(config, &mut warnings).await {
            Ok(ip) => vec![ip],
            Err(error) => {
                problems.push(PrepareError::Stun(error));
                Vec::new()
            }
        },
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let engine = EngineOptions {
        workers: config.workers,
        listen: listen_addresses(&config.listen_ips, &announced_ips, &interfaces),
        port_min: config.rtc_min_port,
        port_max: config.rtc_max_port,
        port_mode: config.rtc_ports,
        span_from_percent: config.span_from_percent,
        media_codecs,
    };
    Ok(Prepared { engine, certificate, warnings })
}

/// This machine's address as the outside sees it: of IPv4, which is what is translated, if media is listened for there. It is asked
/// from the first port for media, so that it shows when a port does not stay what it is.
async fn public_ip(config: &Config, warnings: &mut Vec<String>) -> Result<IpAddr, String> {
    let by_ipv4 = config.listen_ips.iter().any(|ip| ip.is_ipv4() && !ip.is_loopback());
    let any = if by_ipv4 { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { IpAddr::from(Ipv6Addr::UNSPECIFIED) };
    let mut listened = config.listen_ips.iter().filter(|ip| ip.is_ipv4() == by_ipv4 && !ip.is_loopback());
    let ip = *listened.next().unwrap_or(&any);
    let socket = match UdpSocket::bind(SocketAddr::new(ip, config.rtc_min_port)).await {
        Ok(socket) => socket,
        Err(_) => UdpSocket::bind(SocketAddr::new(ip, 0)).await.map_err(|error| error.to_string())?,
    };
    let seen = stun::public_address(&socket, &config.stun_servers, &stun::WAITS).await?;
    let port = socket.local_addr().map_or(0, |address| address.port());
    tracing::info!(address = %seen.ip(), "public address by STUN");
    if seen.port() != port {
        warnings.push(format!(
            "from outside UDP port {port} looks like {}: the NAT must pass RTC_MIN_PORT to RTC_MAX_PORT on as they are",
            seen.port()
        ));
    }
    Ok(seen.ip())
}
