//! Listen addresses and what candidates say in their place.

use std::io;
use std::net::IpAddr;

use sfu_core::engine::ListenAddress;

use super::Announced;
use crate::limits::STUN_SERVERS_MAX;

/// Addresses separated by commas.
pub(super) fn ip_list(text: &str) -> Result<Vec<IpAddr>, String> {
    let mut list = Vec::new();
    for part in text.split(',') {
        let ip = part.trim().trim_start_matches('[').trim_end_matches(']').parse();
        let ip = ip.map_err(|_| "expected IP addresses, separated by commas".to_owned())?;
        if list.contains(&ip) {
            return Err(format!("{ip} is there twice"));
        }
        list.push(ip);
    }
    Ok(list)
}

/// `auto`, or addresses separated by commas.
pub(super) fn announced(text: &str) -> Result<Announced, String> {
    if text.eq_ignore_ascii_case("auto") { Ok(Announced::Auto) } else { ip_list(text).map(Announced::Addresses) }
}

/// Hosts with ports, separated by commas, with or without the `stun:` that browsers want.
pub(super) fn stun_servers(text: &str) -> Result<Vec<String>, String> {
    let server = |part: &str| {
        let part = part.trim();
        let part = part.strip_prefix("stun:").unwrap_or(part);
        let (host, port) = part.rsplit_once(':')?;
        let good = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
        good.then(|| part.to_owned())
    };
    let servers: Option<Vec<_>> = text.split(',').map(server).collect();
    let problem = || format!("expected at most {STUN_SERVERS_MAX} servers as host:port, separated by commas");
    servers.filter(|servers| servers.len() <= STUN_SERVERS_MAX).ok_or_else(problem)
}

/// The addresses for media. Each listen address is announced as those of `announced` of its family; without any, as
/// itself, and the wildcard as this machine's `interfaces`, for nobody can send to 0.0.0.0.
pub(crate) fn listen_addresses(listen: &[IpAddr], announced: &[IpAddr], interfaces: &[IpAddr]) -> Vec<ListenAddress> {
    let of_family = |list: &[IpAddr], ip: &IpAddr| -> Vec<String> {
        list.iter().filter(|other| other.is_ipv4() == ip.is_ipv4()).map(ToString::to_string).collect()
    };
    let address = |ip: &IpAddr| {
        let mut announced = of_family(announced, ip);
        if announced.is_empty() && ip.is_unspecified() {
            announced = of_family(interfaces, ip);
        }
        ListenAddress { ip: *ip, announced }
    };
    listen.iter().map(address).collect()
}

/// The addresses of this machine's interfaces that are up: those that others can use first, loopback last.
pub(crate) fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_link_local(),
        // A link-local address means nothing without its interface.
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    };
    let interfaces = if_addrs::get_if_addrs()?.into_iter().filter(if_addrs::Interface::is_oper_up);
    let mut addresses: Vec<_> = interfaces.map(|interface| interface.ip()).filter(usable).collect();
    addresses.sort_by_key(IpAddr::is_loopback);
    addresses.dedup();
    Ok(addresses)
}
