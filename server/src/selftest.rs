//! The usual mistakes, looked for before anything is served. Each is told with the setting that mends it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::SystemTime;

use sfu_core::engine::PortMode;
use socket2::{Domain, Socket, Type};
use time::{Duration, OffsetDateTime};

use crate::config::{Announced, Config};

/// A clock that shows less than 2026-01-01 is wrong: this was written later.
const WRITTEN_UNIX_S: i64 = 1_767_225_600;

/// How much later than now a file may say that it was changed. Clocks differ a little, and images are built in other time zones.
const FUTURE_MAX: Duration = Duration::days(1);

/// With fewer ports than this for transports, of which everybody has two, one larger meeting takes them all.
const TRANSPORT_PORTS_FEW: usize = 100;

/// What is wrong.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// The server cannot work.
    pub(crate) problems: Vec<String>,
    /// It works, and most likely not as somebody thinks.
    pub(crate) warnings: Vec<String>,
}

/// Looks at this machine. `interfaces` are its addresses.
pub(crate) fn run(config: &Config, interfaces: &[IpAddr]) -> Report {
    let mut report = Report { problems: foreign_addresses(config), warnings: Vec::new() };
    report.warnings.extend(media_out_of_reach(config, interfaces));
    if report.problems.is_empty() {
        report.warnings.extend(ports_in_use(config));
    }
    report.warnings.extend(few_ports(config));
    report.warnings.extend(clock(OffsetDateTime::now_utc(), changed(config)));
    report
}

/// Addresses that this machine does not have.
fn foreign_addresses(config: &Config) -> Vec<String> {
    let problem = |setting: &str, ip: &IpAddr| match open(*ip, 0, Type::DGRAM) {
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            Some(format!("{setting}: {ip} is not an address of this machine (ANNOUNCED_IP is for those outside)"))
        }
        Err(error) => Some(format!("{setting}: {ip} cannot be listened on: {error}")),
    };
    let media = config.listen_ips.iter().filter_map(|ip| problem("LISTEN_IP", ip));
    let others = config.http_ips.iter().filter(|ip| !config.listen_ips.contains(ip));
    media.chain(others.filter_map(|ip| problem("HTTP_LISTEN_IP", ip))).collect()
}

/// Pages that others get while their media cannot come.
fn media_out_of_reach(config: &Config, interfaces: &[IpAddr]) -> Option<String> {
    if config.listen_ips.iter().all(IpAddr::is_loopback) {
        let serves_others = config.http_ips.iter().any(|ip| !ip.is_loopback());
        return serves_others.then(|| {
            "LISTEN_IP is loopback alone, and HTTP_LISTEN_IP is not: browsers elsewhere get pages and no media, unless a program \
             here passes it on"
                .to_owned()
        });
    }
    let is_open = config.announced == Announced::Addresses(Vec::new());
    let listened: Vec<Ipv4Addr> = config.listen_ips.iter().filter_map(ipv4).collect();
    let all = if listened.contains(&Ipv4Addr::UNSPECIFIED) { interfaces } else { &[] };
    let own: Vec<Ipv4Addr> = listened.into_iter().chain(all.iter().filter_map(ipv4)).filter(is_of_others).collect();
    let told = own.first().filter(|_| is_open && own.iter().all(is_private))?;
    Some(format!(
        "ANNOUNCED_IP is not set, and {told} is of a private network: browsers outside of it get no media. Behind NAT, in a cloud or \
         a container set it to the address that they use, or to auto"
    ))
}

/// Whether another machine could send there.
fn is_of_others(ip: &Ipv4Addr) -> bool {
    !ip.is_loopback() && !ip.is_unspecified()
}

fn ipv4(ip: &IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(*ip),
        IpAddr::V6(_) => None,
    }
}

/// RFC 1918, RFC 3927, and RFC 6598 (what providers put their customers behind).
fn is_private(ip: &Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    ip.is_private() || ip.is_link_local() || (first == 100 && (64..128).contains(&second))
}

/// Ports that workers are meant to have and somebody else has: they take others, which a firewall may not let in.
fn ports_in_use(config: &Config) -> Option<String> {
    if config.rtc_ports == PortMode::PerTransport {
        return None;
    }
    let mut taken = Vec::new();
    for port in (config.rtc_min_port..=config.rtc_max_port).take(config.workers) {
        for (kind, name) in [(Type::DGRAM, "UDP"), (Type::STREAM, "TCP")] {
            if config.listen_ips.iter().any(|ip| open(*ip, port, kind).is_err()) {
                taken.push(format!("{name} {port}"));
            }
        }
    }
    let (min, last) = (config.rtc_min_port, usize::from(config.rtc_min_port) + config.workers - 1);
    (!taken.is_empty()).then(|| {
        format!(
            "in use or not allowed: {}. Workers that find no port from {min} to {last} take later ones up to RTC_MAX_PORT, which a \
             firewall must let in; or set another RTC_MIN_PORT",
            taken.join(", ")
        )
    })
}

fn few_ports(config: &Config) -> Option<String> {
    let ports = usize::from(config.rtc_max_port - config.rtc_min_port) + 1;
    let is_few = config.rtc_ports == PortMode::PerTransport && ports < TRANSPORT_PORTS_FEW;
    is_few.then(|| {
        format!(
            "RTC_MIN_PORT to RTC_MAX_PORT are {ports} ports, and RTC_PORTS gives each transport one: {} people",
            ports / 2
        )
    })
}

/// Files that say when somebody had the right time.
fn changed(config: &Config) -> Vec<(PathBuf, OffsetDateTime)> {
    let files = std::env::current_exe().ok().into_iter().chain(config.file.clone());
    let changed = |path: PathBuf| {
        let time: SystemTime = path.metadata().and_then(|data| data.modified()).ok()?;
        Some((path, time.into()))
    };
    files.filter_map(changed).collect()
}

fn clock(now: OffsetDateTime, changed: Vec<(PathBuf, OffsetDateTime)>) -> Option<String> {
    if now.unix_timestamp() < WRITTEN_UNIX_S {
        return Some(format!("this machine's clock is wrong: it says {now}, and this program is younger"));
    }
    let (path, time) = changed.into_iter().find(|(_, time)| *time > now + FUTURE_MAX)?;
    Some(format!("this machine's clock is wrong: it says {now}, and {} was changed {time}", path.display()))
}

/// Binds as a worker does.
fn open(ip: IpAddr, port: u16, kind: Type) -> io::Result<Socket> {
    let address = SocketAddr::new(ip, port);
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if ip.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    if kind == Type::STREAM {
        // With its address to be used again, a listening socket is in the way only now.
        socket.listen(1)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests;
